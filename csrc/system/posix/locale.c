#define _GNU_SOURCE /* uselocale */

#include "system/locale.h"

#include <locale.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include "rules/visibility.h"

bool sv_locale_has_point(void) {
  return strcmp(localeconv()->decimal_point, ".") == 0;
}

bool sv_locale_enter(sv_locale *locale) {
  locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!own) {
    return false;
  }
  *locale = (sv_locale){(void *)uselocale(own), (void *)own};
  return true;
}

void sv_locale_leave(sv_locale *locale) {
  uselocale((locale_t)locale->before);
  freelocale((locale_t)locale->own);
}
