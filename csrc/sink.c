#define _GNU_SOURCE /* sync_file_range */

#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BACK = 8 * 1024 * 1024 };

/* Whether the path still leads to the file: its last writer may have given it
** another name before it let go of the lock. */
static bool still_there(int file, const char *path) {
  struct stat opened, named;
  return fstat(file, &opened) == 0 && stat(path, &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static int give_up(int *file, int problem) {
  close(*file);
  *file = -1;
  return problem;
}

int sv_sink_lock(int *file, const char *path, int flags) {
  for (;;) {
    *file = open(path, flags | O_CLOEXEC, 0666);
    if (*file < 0) {
      return errno;
    }
    if (flock(*file, LOCK_EX | LOCK_NB) != 0) {
      return give_up(file, errno);
    }
    if (still_there(*file, path)) {
      return 0;
    }
    close(*file);
  }
}

void sv_sink_unlock(int file) {
  flock(file, LOCK_UN);
  close(file);
}

/* A pipe would be waited for, and cannot be continued. */
static bool is_pipe(int file) {
  struct stat opened;
  return fstat(file, &opened) == 0 && S_ISFIFO(opened.st_mode);
}

int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync) {
  int problem = sv_sink_lock(&sink->file, path, O_RDWR | O_CREAT | O_NONBLOCK);
  if (problem) {
    return problem;
  }
  if (is_pipe(sink->file)) {
    return give_up(&sink->file, ENXIO);
  }
  sink->digest = sv_digest_new();
  if (!sink->digest) {
    return give_up(&sink->file, ENOMEM);
  }
  sink->sync = sync;
  sink->process = getpid();
  sink->offset = offset;
  sink->written = 0;
  return 0;
}

static int digest_prefix(sv_sink *sink) {
  int problem = sv_digest_begin(sink->digest);
  return problem ? problem
                 : sv_digest_add_file(sink->digest, sink->file, sink->offset);
}

int sv_sink_begin(sv_sink *sink, bool resumed) {
  if (!resumed) {
    sink->offset = 0;
  }
  struct stat now;
  if (fstat(sink->file, &now) != 0) {
    return errno;
  }
  if (now.st_size < sink->offset) {
    return ESTALE;
  }
  if ((now.st_size > sink->offset &&
       ftruncate(sink->file, (off_t)sink->offset) != 0) ||
      lseek(sink->file, (off_t)sink->offset, SEEK_SET) < 0) {
    return errno;
  }
  sink->given_to_disk = sink->offset;
  return digest_prefix(sink);
}

/* The disk gets to work while more is coming; the fsync in the end, and the
** digest meanwhile, then cost little time. A failure shows at the fsync. */
static void write_back(sv_sink *sink) {
#ifdef SYNC_FILE_RANGE_WRITE
  long long written = sink->offset + sink->written;
  if (sink->sync && written - sink->given_to_disk >= WRITE_BACK) {
    sync_file_range(sink->file, (off_t)sink->given_to_disk,
                    (off_t)(written - sink->given_to_disk),
                    SYNC_FILE_RANGE_WRITE);
    sink->given_to_disk = written;
  }
#else
  (void)sink;
#endif
}

int sv_sink_write(sv_sink *sink, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t count = write(sink->file, bytes, size);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return errno;
    }
    int problem = sv_digest_add(sink->digest, bytes, (size_t)count);
    bytes += count;
    size -= (size_t)count;
    sink->written += count;
    if (problem) {
      return problem;
    }
  }
  write_back(sink);
  return 0;
}

int sv_sink_digest(sv_sink *sink, char hex[SV_SHA256_HEX]) {
  return sv_digest_end(sink->digest, hex);
}

int sv_sink_sync(int file) {
  int problem;
  do {
    problem = fsync(file) == 0 ? 0 : errno;
  } while (problem == EINTR);
  if (problem == EINVAL || problem == ENOSYS || problem == ENOTSUP) {
    return 0; /* a file system that cannot */
  }
  bool emptied = problem && ftruncate(file, 0) == 0;
  (void)emptied;
  return problem;
}

int sv_sink_close(sv_sink *sink, bool whole) {
  int problem = 0;
  sv_digest_free(sink->digest);
  sink->digest = NULL;
  if (sink->file < 0) {
    return 0;
  }
  if (whole && sink->sync) {
    problem = sv_sink_sync(sink->file);
  }
  /* A child of the process that was forked meanwhile shares the lock, and its
  ** copy of the file would keep it. */
  if (sink->process == getpid()) {
    flock(sink->file, LOCK_UN);
  }
  if (close(sink->file) != 0 && problem == 0) {
    problem = errno;
  }
  sink->file = -1;
  return problem;
}
