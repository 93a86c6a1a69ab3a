#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO without a reader is an error, not a wait for ever; files
** do not heed it. */
int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync) {
  sink->file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK,
                    0666);
  if (sink->file < 0) {
    return errno;
  }
  sink->sync = sync;
  sink->offset = offset;
  sink->written = 0;
  if (flock(sink->file, LOCK_EX | LOCK_NB) != 0) {
    int problem = errno;
    sv_sink_close(sink, false);
    return problem;
  }
  return 0;
}

int sv_sink_begin(sv_sink *sink, bool resumed) {
  if (!resumed) {
    sink->offset = 0;
  }
  struct stat now;
  bool fits = fstat(sink->file, &now) == 0 && now.st_size == sink->offset;
  if ((!fits && ftruncate(sink->file, (off_t)sink->offset) != 0) ||
      lseek(sink->file, (off_t)sink->offset, SEEK_SET) < 0) {
    return errno;
  }
  return 0;
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
    bytes += count;
    size -= (size_t)count;
    sink->written += count;
  }
  return 0;
}

int sv_sink_close(sv_sink *sink, bool whole) {
  int problem = 0;
  if (sink->file < 0) {
    return 0;
  }
  if (whole && sink->sync && fsync(sink->file) != 0) {
    problem = errno;
  }
  if (close(sink->file) != 0 && problem == 0) {
    problem = errno;
  }
  sink->file = -1;
  return problem;
}
