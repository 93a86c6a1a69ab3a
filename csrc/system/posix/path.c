#define _GNU_SOURCE /* readlink */

#include "system/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#include <stdlib.h>
#include <wctype.h>
#include <xlocale.h>
#endif

#include "system/file.h"
#include "system/process.h"

#include "rules/visibility.h"

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

/* --- what is there -------------------------------------------------------- */

/* Of one path; the system's own limit is the same. */
enum { MOST_LINKS = 40 };

/* 0, or why nothing can stand behind a link. `leads` says whether its `target`,
** read in the folder `real` is up to `parent`, is the way to what is there: some
** links of /proc show a text that is no path, or is one elsewhere. */
static int look_behind(const char *real, size_t parent, const char *target,
                       bool *leads) {
  char text[2 * SV_PATH_ROOM];
  struct stat there, named;
  *leads = true;
  if (stat(real, &there) != 0) {
    return errno == ELOOP                          ? ELOOP
           : errno == ENOENT || errno == ENOTDIR ? SV_FILE_DANGLING
                                                   : 0;
  }
  if (*target != '/') {
    snprintf(text, sizeof text, "%.*s/%s", (int)parent, real, target);
    target = text;
  }
  *leads = stat(target, &named) == 0 && named.st_dev == there.st_dev &&
           named.st_ino == there.st_ino;
  return 0;
}

/* Where `real` is a link, goes back to its folder, or to the root, and puts what
** it leads to before the rest of the way. */
static int follow(char *real, size_t *size, size_t parent, char way[SV_PATH_ROOM],
                  const char **rest) {
  char target[SV_PATH_ROOM];
  bool leads;
  ssize_t count = readlink(real, target, sizeof target);
  if (count <= 0) {
    return 0;
  }
  size_t length = (size_t)count, left = strlen(*rest);
  if (length + left >= SV_PATH_ROOM) {
    return ENAMETOOLONG;
  }
  target[length] = '\0';
  int problem = look_behind(real, parent, target, &leads);
  if (!problem && leads) {
    memmove(way + length, *rest, left + 1);
    memcpy(way, target, length);
    *rest = way;
    *size = *target == '/' ? 0 : parent;
  }
  return problem;
}

/* Below a directory that this process is in, and may not look into from the
** root. */
static bool is_cut_off(const char *path) {
  char directory[SV_PATH_ROOM];
  struct stat status;
  return *path != '/' && (!sv_process_directory(directory, sizeof directory) ||
                          stat(directory, &status) != 0);
}

int sv_path_real(const char *path, char *real, size_t room) {
  char way[SV_PATH_ROOM];
  if (is_cut_off(path) && strlen(path) < room) {
    strcpy(real, path);
    return 0;
  } else if (!sv_path_absolute(path, way, sizeof way) || room < 2) {
    return ENAMETOOLONG;
  }
  const char *rest = way;
  size_t size = 0;
  int links = 0, problem = 0;
  while (!problem && *(rest += strspn(rest, "/"))) {
    const char *part = rest;
    size_t length = strcspn(part, "/"), parent = size;
    rest += length;
    if (length == 2 && part[0] == '.' && part[1] == '.') {
      while (size > 0 && real[--size] != '/') {
      }
    } else if (size + length + 2 > room) {
      problem = ENAMETOOLONG;
    } else if (!(length == 1 && *part == '.')) {
      real[size] = '/';
      memcpy(real + size + 1, part, length);
      size += length + 1;
      real[size] = '\0';
      problem = follow(real, &size, parent, way, &rest);
      links += rest == way;
      problem = links > MOST_LINKS ? ELOOP : problem;
    }
  }
  if (size == 0) {
    real[size++] = '/';
  }
  real[size] = '\0';
  return problem;
}

#ifdef __APPLE__

const char *sv_path_folded(const char *path, char *folded, size_t room) {
  wchar_t wide[SV_PATH_ROOM];
  locale_t locale = newlocale(LC_CTYPE_MASK, "UTF-8", NULL);
  size_t length =
      locale ? mbstowcs_l(wide, path, SV_PATH_ROOM, locale) : (size_t)-1;
  bool fits = length < SV_PATH_ROOM;
  for (size_t i = 0; fits && i < length; i++) {
    wide[i] = (wchar_t)towlower_l((wint_t)wide[i], locale);
  }
  fits = fits && wcstombs_l(folded, wide, room, locale) < room;
  if (locale) {
    freelocale(locale);
  }
  return fits ? folded : path;
}

#else

const char *sv_path_folded(const char *path, char *folded, size_t room) {
  (void)folded, (void)room;
  return path;
}

#endif
