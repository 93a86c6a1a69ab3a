/*
** The locale "C" for one thread, whatever the host has set for its process, and
** may change at any time. Libraries write and read numbers by the locale. On
** Windows it is the process's, and only for numbers: enter it for a moment.
*/
#ifndef SV_SYSTEM_LOCALE_H
#define SV_SYSTEM_LOCALE_H

#include <stdbool.h>

typedef struct sv_locale {
  void *before; /* as the system names it */
  void *own;
} sv_locale;

/* Whether the decimal point of the calling thread is a point. */
bool sv_locale_has_point(void);

/* Enters the locale "C" on the calling thread; false where that cannot be done,
** and then there is nothing to leave. */
bool sv_locale_enter(sv_locale *locale);
void sv_locale_leave(sv_locale *locale);

#endif
