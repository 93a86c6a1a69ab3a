#include "system/locale.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "rules/visibility.h"

bool sv_locale_has_point(void) {
  return strcmp(localeconv()->decimal_point, ".") == 0;
}

/* The system's C library has no locale of a thread: for as long as a text is read
** the whole process writes its numbers with a point. */
bool sv_locale_enter(sv_locale *locale) {
  *locale = (sv_locale){_strdup(setlocale(LC_NUMERIC, NULL)), NULL};
  if (locale->before) {
    setlocale(LC_NUMERIC, "C");
  }
  return locale->before != NULL;
}

void sv_locale_leave(sv_locale *locale) {
  setlocale(LC_NUMERIC, locale->before);
  free(locale->before);
}
