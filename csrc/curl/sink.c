#define _GNU_SOURCE /* sync_file_range */

#include "curl/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/atfork.h"

enum { WRITE_BACK = 8 * 1024 * 1024, MOST_TRIES = 100 };

/* Whether the path still leads to the file: its last writer may have given it
** another name before it let go of the lock. 0; ESTALE where it does not, or
** the errno of a look that failed. */
static int look_again(int file, const char *path) {
  struct stat opened, named;
  if (fstat(file, &opened) != 0 || stat(path, &named) != 0) {
    return errno == ENOENT ? ESTALE : errno;
  }
  bool same = opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
  return same ? 0 : ESTALE;
}

static int give_up(int *file, int problem) {
  close(*file);
  *file = -1;
  return problem;
}

static int lock_once(int *file, const char *path, int flags) {
  int problem = sv_file_open(file, path, flags, 0666);
  if (problem) {
    return problem;
  }
  problem = flock(*file, LOCK_EX | LOCK_NB) == 0 ? look_again(*file, path)
                                                 : errno;
  return problem ? give_up(file, problem) : 0;
}

/* Of a file system that never tells the same of a file twice this is not
** waited out. */
int sv_sink_lock(int *file, const char *path, int flags) {
  int problem = ESTALE;
  for (int tries = 0; problem == ESTALE && tries < MOST_TRIES; tries++) {
    problem = lock_once(file, path, flags);
  }
  return problem == ESTALE ? EWOULDBLOCK : problem;
}

void sv_sink_unlock(int file) {
  flock(file, LOCK_UN);
  close(file);
}

int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync) {
  int file;
  int problem = sv_sink_lock(&file, path, O_RDWR | O_CREAT);
  if (problem) {
    return problem;
  }
  sink->digest = sv_digest_new();
  if (!sink->digest) {
    return give_up(&file, ENOMEM);
  }
  sink->file = sv_descriptor_of(file);
  sink->sync = sync;
  sink->process = getpid();
  sink->offset = offset;
  sink->written = 0;
  return 0;
}

/* What is there already may be gigabytes: it is read in the end, when no server
** waits for it. */
static int begin_digest(sv_sink *sink) {
  if (sink->offset == 0) {
    return sv_digest_begin(sink->digest);
  }
  sv_digest_free(sink->digest);
  sink->digest = NULL;
  return 0;
}

int sv_sink_begin(sv_sink *sink, bool resumed) {
  if (!resumed) {
    sink->offset = 0;
  }
  int file = sink->file.number;
  struct stat now;
  if (fstat(file, &now) != 0) {
    return errno;
  }
  if (now.st_size < sink->offset) {
    return ESTALE;
  }
  if ((now.st_size > sink->offset &&
       ftruncate(file, (off_t)sink->offset) != 0) ||
      lseek(file, (off_t)sink->offset, SEEK_SET) < 0) {
    return errno;
  }
  sink->given_to_disk = sink->offset;
  return begin_digest(sink);
}

/* The disk gets to work while more is coming; the fsync in the end, and the
** digest meanwhile, then cost little time. A failure shows at the fsync. */
static void write_back(sv_sink *sink) {
#ifdef SYNC_FILE_RANGE_WRITE
  long long written = sink->offset + sink->written;
  if (sink->sync && written - sink->given_to_disk >= WRITE_BACK) {
    sync_file_range(sink->file.number, (off_t)sink->given_to_disk,
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
    ssize_t count = write(sink->file.number, bytes, size);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return errno;
    }
    int problem = sink->digest
                      ? sv_digest_add(sink->digest, bytes, (size_t)count)
                      : 0;
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

int sv_sink_close(sv_sink *sink) {
  sv_digest_free(sink->digest);
  sink->digest = NULL;
  /* A child of the process that was forked meanwhile shares the lock, and its
  ** copy of the file would keep it. */
  if (sink->file.number >= 0 && sink->process == getpid()) {
    flock(sink->file.number, LOCK_UN);
  }
  return sv_descriptor_close(&sink->file);
}

/* The digest is taken out first: what a child finds in the sink it frees. */
static int end_digest(sv_sink *sink, char hex[SV_SHA256_HEX],
                      const int *stop) {
  sv_digest *digest = sink->digest;
  sink->digest = NULL;
  int problem = digest
                    ? sv_digest_end(digest, hex)
                    : sv_digest_open_file(sink->file.number, hex, stop);
  sv_digest_free(digest);
  return problem;
}

int sv_sink_finish(sv_sink *sink, char hex[SV_SHA256_HEX], const int *stop) {
  int problem = end_digest(sink, hex, stop);
  int syncing = sink->sync ? sv_sink_sync(sink->file.number) : 0;
  sv_atfork_hold();
  int closing = sv_sink_close(sink);
  sv_atfork_let();
  return problem ? problem : syncing ? syncing : closing;
}
