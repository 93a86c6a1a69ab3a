#define _GNU_SOURCE /* strdup */

#include "curl/disk_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buffer.h"
#include "platform/file.h"
#include "curl/commit.h"

const char *sv_job_name(sv_job job) {
  static const char *const names[] = {
#define X(name, text) text,
      SV_DISK_JOBS(X)
#undef X
  };
  return names[job];
}

sv_disk_job *sv_disk_job_new(sv_job job, const char *path, const char *other,
                         const char *text, size_t size, const char *mode) {
  sv_disk_job *errand = calloc(1, sizeof *errand);
  if (!errand) {
    return NULL;
  }
  errand->job = job;
  errand->path = strdup(path);
  errand->other = other ? strdup(other) : NULL;
  errand->text = text ? malloc(size + 1) : NULL;
  errand->size = size;
  if (!errand->path || (other && !errand->other) || (text && !errand->text)) {
    sv_disk_job_free(errand);
    return NULL;
  }
  if (text) {
    memcpy(errand->text, text, size);
  }
  snprintf(errand->mode, sizeof errand->mode, "%s", mode ? mode : "rb");
  return errand;
}

void sv_disk_job_free(sv_disk_job *errand) {
  sv_lock_release(&errand->lock);
  free(errand->path);
  free(errand->other);
  free(errand->text);
  free(errand);
}

static void find_size(sv_disk_job *errand) {
  struct stat status;
  errand->number =
      stat(errand->path, &status) == 0 ? (double)status.st_size : -1;
}

static int read_into(sv_buffer *text, int file, double most) {
  char bytes[8192];
  while ((double)text->size < most) {
    double left = most - (double)text->size;
    size_t wanted = left < sizeof bytes ? (size_t)left : sizeof bytes;
    ssize_t got = read(file, bytes, wanted);
    if (got == 0) {
      return 0;
    }
    if (got < 0 && errno != EINTR) {
      return errno;
    }
    if (got > 0 && !sv_buffer_add(text, bytes, (size_t)got)) {
      return ENOMEM;
    }
  }
  return 0;
}

static int read_file(sv_disk_job *errand) {
  sv_buffer text = {0};
  int file;
  int problem = sv_file_open(&file, errand->path, O_RDONLY, 0);
  if (problem) {
    return problem;
  }
  problem = read_into(&text, file, errand->bytes);
  close(file);
  errand->text = text.data;
  errand->size = text.size;
  return problem;
}

/* Of a mode of fopen(3), as of open(2). */
static int flags_of(const char *mode) {
  return *mode == 'w'   ? O_WRONLY | O_CREAT | O_TRUNC
         : *mode == 'a' ? O_WRONLY | O_CREAT | O_APPEND
                        : O_RDWR;
}

static int write_all(int file, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t count = write(file, bytes, size);
    if (count < 0 && errno != EINTR) {
      return errno;
    }
    bytes += count > 0 ? count : 0;
    size -= count > 0 ? (size_t)count : 0;
  }
  return 0;
}

static int write_file(sv_disk_job *errand) {
  int file;
  int problem = sv_file_open(&file, errand->path, flags_of(errand->mode),
                             errand->flag ? 0600 : 0666);
  if (problem) {
    return problem;
  }
  problem = write_all(file, errand->text, errand->size);
  if (close(file) != 0 && !problem) {
    problem = errno;
  }
  return problem;
}

static int run(sv_disk_job *errand, const int *stop) {
  switch (errand->job) {
    case SV_JOB_SIZE:
      find_size(errand);
      return 0;
    case SV_JOB_KIND:
      errand->kind = sv_file_kind(errand->path);
      return 0;
    case SV_JOB_READ:
      return read_file(errand);
    case SV_JOB_WRITE:
      return write_file(errand);
    case SV_JOB_REMOVE:
      return remove(errand->path) == 0 ? 0 : errno;
    case SV_JOB_PLACE:
      return sv_commit(errand->path, errand->other, (long long)errand->bytes,
                      errand->flag);
    case SV_JOB_DISCARD:
      return sv_discard(errand->path, errand->flag);
    case SV_JOB_SHA256:
      return sv_digest_file(errand->path, errand->sha256, stop);
    case SV_JOB_LOCK:
      return sv_lock_take(&errand->lock, errand->path);
    case SV_JOB_UNLOCK:
      sv_lock_release(&errand->lock);
      return 0;
    default:
      return EINVAL;
  }
}

void sv_disk_job_run(sv_disk_job *errand, const int *stop) {
  errand->problem = run(errand, stop);
}
