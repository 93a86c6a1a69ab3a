#include "system/windows/win32.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <sddl.h>

#include "rules/visibility.h"

/* Beyond this a directory could take no file of eight and three characters. */
enum { PLAIN_LENGTH = MAX_PATH - 12 };

/* A name with one of these goes to the system as it is. */
static const wchar_t local[] = L"\\\\?\\", device[] = L"\\\\.\\",
                     share[] = L"\\\\?\\UNC";

static bool is_raw(const wchar_t *wide) {
  return wcsncmp(wide, local, 4) == 0 || wcsncmp(wide, device, 4) == 0;
}

/* A colon behind a drive's would name a part of another file, which no listing
** shows and nobody can rename. */
static bool names_stream(const wchar_t *wide) {
  return !is_raw(wide) && *wide && wcschr(wide + 1 + (wide[1] == L':'), L':');
}

/* Absolute, and with backslashes alone; `size` is what it takes. */
static wchar_t *lengthen(wchar_t *wide, DWORD size) {
  wchar_t *whole = malloc((size + sizeof share / sizeof *share) * sizeof *whole);
  wchar_t *full = malloc((size + 1) * sizeof *full);
  if (!whole || !full ||
      GetFullPathNameW(wide, size, full, NULL) >= size) {
    free(whole);
    whole = NULL;
    errno = ENOMEM;
  } else {
    bool is_share = full[0] == L'\\' && full[1] == L'\\';
    wcscpy(whole, is_share ? share : local);
    wcscat(whole, is_share ? full + 1 : full);
  }
  free(full);
  free(wide);
  return whole;
}

wchar_t *sv_win32_path(const char *path) {
  wchar_t *wide = sv_wide(path);
  if (!wide || is_raw(wide)) {
    return wide;
  } else if (names_stream(wide)) {
    free(wide);
    errno = EINVAL;
    return NULL;
  }
  DWORD size = GetFullPathNameW(wide, 0, NULL, NULL);
  return size > PLAIN_LENGTH ? lengthen(wide, size) : wide;
}

HANDLE sv_win32_look(const wchar_t *path) {
  return CreateFileW(path, FILE_READ_ATTRIBUTES,
                     FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                     NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

static const struct {
  DWORD error;
  int problem;
} errors[] = {
    {ERROR_SUCCESS, 0},
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_INVALID_NAME, EINVAL},
    {ERROR_BAD_PATHNAME, ENOENT},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_NETWORK_ACCESS_DENIED, EACCES},
    {ERROR_CANNOT_MAKE, EACCES},
    {ERROR_DELETE_PENDING, EACCES},
    {ERROR_WRITE_PROTECT, EROFS},
    {ERROR_INVALID_HANDLE, EBADF},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_COMMITMENT_LIMIT, ENOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
    {ERROR_NOT_SAME_DEVICE, EXDEV},
    {ERROR_SHARING_VIOLATION, EBUSY},
    {ERROR_BUSY, EBUSY},
    {ERROR_LOCK_VIOLATION, EWOULDBLOCK},
    {ERROR_IO_PENDING, EWOULDBLOCK},
    {ERROR_FILE_EXISTS, EEXIST},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_HANDLE_DISK_FULL, ENOSPC},
    {ERROR_DISK_FULL, ENOSPC},
    {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
    {ERROR_DIRECTORY, ENOTDIR},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_BROKEN_PIPE, EPIPE},
    {ERROR_INVALID_PARAMETER, EINVAL},
    {ERROR_NEGATIVE_SEEK, EINVAL},
    {ERROR_INVALID_FUNCTION, ENOSYS},
    {ERROR_NOT_SUPPORTED, ENOSYS},
    {ERROR_OPERATION_ABORTED, ECANCELED},
    {ERROR_FILE_TOO_LARGE, EFBIG},
};

static int errno_of(DWORD error) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].error == error) {
      return errors[i].problem;
    }
  }
  return EIO;
}

int sv_win32_problem(BOOL returned) {
  return returned ? 0 : errno_of(GetLastError());
}

wchar_t *sv_wide(const char *text) {
  int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL,
                                 0);
  wchar_t *wide = size > 0 ? malloc((size_t)size * sizeof *wide) : NULL;
  if (!wide) {
    errno = size > 0 ? ENOMEM : EILSEQ;
    return NULL;
  }
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, size);
  return wide;
}

char *sv_narrow(const wchar_t *wide) {
  int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
  char *text = size > 0 ? malloc((size_t)size) : NULL;
  if (text) {
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
  } else {
    errno = ENOMEM;
  }
  return text;
}

size_t sv_narrow_into(const wchar_t *wide, char *text, size_t room) {
  char *narrow = sv_narrow(wide);
  size_t size = narrow ? strlen(narrow) : 0;
  size = size < room ? size : 0;
  if (size > 0) {
    memcpy(text, narrow, size + 1);
  }
  free(narrow);
  return size;
}

enum { USER_ROOM = 256, RIGHTS_ROOM = 256 };

/* The user's identifier as text, by LocalAlloc; NULL where it cannot be had. */
static wchar_t *user(void) {
  union {
    TOKEN_USER user;
    char room[USER_ROOM];
  } about;
  DWORD size;
  HANDLE token;
  wchar_t *text = NULL;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    return NULL;
  }
  if (GetTokenInformation(token, TokenUser, &about, sizeof about, &size)) {
    ConvertSidToStringSidW(about.user.User.Sid, &text);
  }
  CloseHandle(token);
  return text;
}

/* Inherits nothing; all rights for the user, none for anybody else. */
SECURITY_ATTRIBUTES *sv_private_make(sv_private *owner) {
  wchar_t rights[RIGHTS_ROOM];
  wchar_t *name = user();
  owner->descriptor = NULL;
  if (name && swprintf(rights, RIGHTS_ROOM, L"D:P(A;;FA;;;%ls)", name) > 0) {
    ConvertStringSecurityDescriptorToSecurityDescriptorW(
        rights, SDDL_REVISION_1, &owner->descriptor, NULL);
  }
  LocalFree(name);
  owner->attributes = (SECURITY_ATTRIBUTES){
      .nLength = sizeof owner->attributes,
      .lpSecurityDescriptor = owner->descriptor,
  };
  return owner->descriptor ? &owner->attributes : NULL;
}

void sv_private_free(sv_private *owner) {
  LocalFree(owner->descriptor);
}
