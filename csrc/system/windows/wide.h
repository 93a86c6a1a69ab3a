/*
** Texts in UTF-8, as all of the library has them, and as Win32 has them. May be
** called on any thread.
*/
#ifndef SV_PLATFORM_WIDE_H
#define SV_PLATFORM_WIDE_H

#include <wchar.h>

/* The same text, malloc'd. NULL where it is no UTF-8 (EILSEQ) or memory is
** short (ENOMEM). */
wchar_t *sv_wide(const char *text);

/* The other way; half a pair of surrogates becomes U+FFFD. NULL where memory is
** short. */
char *sv_narrow(const wchar_t *wide);

#endif
