#include "system/windows/win32.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <wchar.h>

#include "system/windows/wide.h"

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

int sv_win32_errno(DWORD error) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].error == error) {
      return errors[i].problem;
    }
  }
  return EIO;
}

int sv_win32_problem(BOOL returned) {
  return returned ? 0 : sv_win32_errno(GetLastError());
}
