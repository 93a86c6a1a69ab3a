/*
** Texts, names of files, errors and rights as Win32 has them; all else in this
** library has UTF-8 and errnos. All may be called on any thread.
*/
#ifndef SV_SYSTEM_WINDOWS_WIN32_H
#define SV_SYSTEM_WINDOWS_WIN32_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif

#include <winsock2.h>
#include <windows.h>

/* A text in UTF-8 as Win32 has it, malloc'd. NULL where it is no UTF-8 (EILSEQ)
** or memory is short (ENOMEM). */
wchar_t *sv_wide(const char *text);

/* The other way; half a pair of surrogates becomes U+FFFD. NULL where memory is
** short. */
char *sv_narrow(const wchar_t *wide);

/* The same, into `text`: its length; 0 where it does not fit, or memory is short. */
size_t sv_narrow_into(const wchar_t *wide, char *text, size_t room);

/* A path in UTF-8 as the wide functions take it, also where it is longer than
** MAX_PATH. NULL where it is no UTF-8 or memory is short, errno says which; the
** caller frees it. */
wchar_t *sv_win32_path(const char *path);

/* Opens what is there, a directory too, to look at it alone. */
HANDLE sv_win32_look(const wchar_t *path);

/* The errno of the last call, which gave FALSE; EIO of an unknown error. 0 where it
** gave TRUE. */
int sv_win32_problem(BOOL returned);

/* What makes a new file its owner's alone. */
typedef struct sv_private {
  SECURITY_ATTRIBUTES attributes;
  void *descriptor; /* of Win32's memory, or NULL */
} sv_private;

/* For CreateFileW; NULL where the system does not tell who we are: the file has
** the rights of its directory then, which in a user's own is the same. */
SECURITY_ATTRIBUTES *sv_private_make(sv_private *owner);
void sv_private_free(sv_private *owner);

#endif
