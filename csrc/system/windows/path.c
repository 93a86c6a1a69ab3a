#include "system/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "system/file.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

const char *sv_path_system(void) {
  return "windows";
}

static wchar_t *full_name(const wchar_t *path) {
  DWORD room = GetFullPathNameW(path, 0, NULL, NULL);
  wchar_t *full = room ? malloc(room * sizeof *full) : NULL;
  DWORD length = full ? GetFullPathNameW(path, room, full, NULL) : 0;
  if (length == 0 || length >= room) {
    free(full);
    return NULL;
  }
  return full;
}

/* One text for each file: slashes, the drive's letter as a capital one. */
static void unify(char *path) {
  for (char *at = path; *at; at++) {
    *at = *at == '\\' ? '/' : *at;
  }
  if (path[0] >= 'a' && path[0] <= 'z' && path[1] == ':') {
    path[0] = (char)(path[0] - 'a' + 'A');
  }
}

/* What `..` means, the system's rules tell without a look at the disk. */
bool sv_path_absolute(const char *path, char *absolute, size_t room) {
  wchar_t *wide = sv_wide(path);
  wchar_t *full = wide && *wide ? full_name(wide) : NULL;
  bool fits = full && sv_narrow_into(full, absolute, room) > 0;
  if (fits) {
    unify(absolute);
  }
  free(full);
  free(wide);
  return fits;
}

/* --- what is there -------------------------------------------------------- */

/* What the system calls what was opened, without the mark of a long name. NULL
** where it has no name. */
static char *name_of(HANDLE handle) {
  DWORD room = GetFinalPathNameByHandleW(handle, NULL, 0, VOLUME_NAME_DOS);
  wchar_t *wide = room ? malloc((room + 1) * sizeof *wide) : NULL;
  DWORD length =
      wide ? GetFinalPathNameByHandleW(handle, wide, room + 1, VOLUME_NAME_DOS)
           : 0;
  const wchar_t *plain = wide;
  if (length > 0 && wcsncmp(wide, L"\\\\?\\UNC\\", 8) == 0) {
    wide[6] = L'\\';
    plain = wide + 6;
  } else if (length > 0 && wcsncmp(wide, L"\\\\?\\", 4) == 0) {
    plain = wide + 4;
  }
  char *name = length > 0 && length <= room ? sv_narrow(plain) : NULL;
  free(wide);
  return name;
}

/* Why a path cannot be opened that is a link; 0 of what is none. */
static int fault_of(const wchar_t *wide, DWORD error) {
  DWORD attributes = GetFileAttributesW(wide);
  bool is_link = attributes != INVALID_FILE_ATTRIBUTES &&
                 (attributes & FILE_ATTRIBUTE_REPARSE_POINT);
  return !is_link                                ? 0
         : error == ERROR_CANT_RESOLVE_FILENAME ? ELOOP
         : error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND
             ? SV_FILE_DANGLING
             : 0;
}

/* The real name of what is there, or NULL and why. */
static char *look(const char *path, int *problem) {
  wchar_t *wide = sv_win32_path(path);
  HANDLE handle = wide ? sv_win32_look(wide) : INVALID_HANDLE_VALUE;
  char *name = NULL;
  if (handle != INVALID_HANDLE_VALUE) {
    name = name_of(handle);
    CloseHandle(handle);
  } else if (wide) {
    *problem = fault_of(wide, GetLastError());
  }
  free(wide);
  return name;
}

/* Takes the last part away; not a drive's root. */
static bool shorten(char *path) {
  char *slash = strrchr(path, '/');
  if (!slash || !slash[1] || slash == path || slash[-1] == '/') {
    return false;
  }
  slash[slash[-1] == ':'] = '\0';
  return true;
}

/* What is there, and the rest of the path behind it. */
static bool join(const char *name, const char *rest, char *real, size_t room) {
  size_t size = strlen(name);
  size -= size > 0 && name[size - 1] == '\\';
  rest += *rest == '/';
  size_t more = strlen(rest);
  if (size + more + 2 > room) {
    return false;
  }
  memcpy(real, name, size);
  real[size] = '/';
  memcpy(real + size + 1, rest, more + 1);
  if (more == 0 && size > 0 && name[size - 1] != ':') {
    real[size] = '\0';
  }
  unify(real);
  return true;
}

/* Opens less and less of the path, until something is there. */
int sv_path_real(const char *path, char *real, size_t room) {
  if (!sv_path_absolute(path, real, room)) {
    size_t size = strlen(path) + 1; /* what is no UTF-8 names no file */
    if (size > room) {
      return ENAMETOOLONG;
    }
    memcpy(real, path, size);
    return 0;
  }
  int problem = 0;
  char *text = strdup(real), *there = strdup(real);
  char *name = text && there ? look(there, &problem) : NULL;
  while (text && there && !name && !problem && shorten(there)) {
    name = look(there, &problem);
  }
  if (name && !join(name, text + strlen(there), real, room)) {
    problem = ENAMETOOLONG;
  }
  free(name);
  free(there);
  free(text);
  return problem;
}

const char *sv_path_folded(const char *path, char *folded, size_t room) {
  wchar_t *wide = sv_wide(path);
  bool fits = wide && sv_narrow_into(CharLowerW(wide), folded, room) > 0;
  free(wide);
  return fits ? folded : path;
}
