#include "platform/locale.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "core/hidden.h"

bool sv_locale_has_point(void) {
  return strcmp(localeconv()->decimal_point, ".") == 0;
}

bool sv_locale_enter(sv_locale *locale) {
  char *before = _strdup(setlocale(LC_ALL, NULL));
  int mode = before ? _configthreadlocale(_ENABLE_PER_THREAD_LOCALE) : -1;
  if (mode == -1) {
    free(before);
    return false;
  }
  setlocale(LC_ALL, "C");
  *locale = (sv_locale){before, NULL, mode};
  return true;
}

void sv_locale_leave(sv_locale *locale) {
  setlocale(LC_ALL, locale->before);
  free(locale->before);
  _configthreadlocale(locale->mode);
}
