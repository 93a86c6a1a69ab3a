#include "http/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/lock.h"

#include "rules/visibility.h"

static int rename_whole(int file, const char *part, const char *path,
                        long long size, bool overwrite) {
  long long now;
  int problem = sv_file_size(file, &now);
  if (!problem && now != size) {
    problem = SV_FILE_CHANGED;
  }
  problem = problem ? problem : sv_file_sync(file);
  return problem ? problem : sv_file_rename(part, path, overwrite);
}

int sv_commit(const char *part, const char *path, long long size,
              bool overwrite) {
  char *directory = sv_file_directory_of(path); /* first, for memory may be short */
  int file;
  int problem = directory ? sv_lock_open(&file, part, SV_FILE_UPDATE) : ENOMEM;
  if (problem == 0) {
    problem = rename_whole(file, part, path, size, overwrite);
    sv_lock_close(file);
    problem = problem ? problem : sv_file_sync_directory(directory);
  }
  free(directory);
  return problem;
}

static int remove_open(int file, const char *part, bool only_empty) {
  long long size;
  int problem = sv_file_size(file, &size);
  if (problem || (only_empty && size > 0)) {
    return problem;
  }
  return sv_file_remove(part);
}

int sv_discard(const char *part, bool only_empty) {
  int file;
  int problem = sv_lock_open(&file, part, SV_FILE_UPDATE);
  if (problem) {
    return problem == ENOENT ? 0 : problem;
  }
  problem = remove_open(file, part, only_empty);
  sv_lock_close(file);
  return problem;
}
