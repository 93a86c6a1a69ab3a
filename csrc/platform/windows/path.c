#include "platform/path.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include "platform/windows/wide.h"

#include "core/hidden.h"

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
  char *name = full ? sv_narrow(full) : NULL;
  size_t size = name ? strlen(name) + 1 : 0;
  bool fits = size > 0 && size <= room;
  if (fits) {
    memcpy(absolute, name, size);
    unify(absolute);
  }
  free(name);
  free(full);
  free(wide);
  return fits;
}
