/*
** Names of files and errors as Win32 has them. All may be
** called on any thread.
*/
#ifndef SV_PLATFORM_WIN32_H
#define SV_PLATFORM_WIN32_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif

#include <winsock2.h>
#include <windows.h>

/* A path in UTF-8 as the wide functions take it, also where it is longer than
** MAX_PATH. NULL where it is no UTF-8 or memory is short, errno says which; the
** caller frees it. */
wchar_t *sv_win32_path(const char *path);

/* The errno of an error of Win32 (winerror.h); EIO of an unknown one. */
int sv_win32_errno(DWORD error);

/* The same of the last call's, which gave FALSE; 0 where it gave TRUE. */
int sv_win32_problem(BOOL returned);

#endif
