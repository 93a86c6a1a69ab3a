#include "platform/path.h"

#include <string.h>

#include "platform/process.h"

#include "core/hidden.h"

const char *sv_path_system(void) {
  return "posix";
}

/* Appends the parts of a path but for the empty ones and `.`; what `..` means
** only the disk can tell. */
static bool add_parts(const char *path, char *absolute, size_t *size,
                      size_t room) {
  while (*path) {
    path += strspn(path, "/");
    size_t length = strcspn(path, "/");
    bool is_kept = length > 0 && !(length == 1 && *path == '.');
    if (is_kept && *size + length + 2 > room) {
      return false;
    } else if (is_kept) {
      if (*size > 0) {
        absolute[(*size)++] = '/';
      }
      memcpy(absolute + *size, path, length);
      *size += length;
    }
    path += length;
  }
  return true;
}

bool sv_path_absolute(const char *path, char *absolute, size_t room) {
  char directory[SV_PATH_ROOM] = "";
  size_t size = 0;
  if (*path != '/' && !sv_process_directory(directory, sizeof directory)) {
    *directory = '\0';
  }
  bool is_rooted = *path == '/' || *directory == '/';
  char *from_root = absolute + is_rooted;
  room -= is_rooted;
  *absolute = '/';
  bool fits = add_parts(directory, from_root, &size, room) &&
              add_parts(path, from_root, &size, room);
  from_root[size] = '\0';
  return fits;
}
