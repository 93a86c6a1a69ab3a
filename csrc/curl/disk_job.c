#define _GNU_SOURCE /* strdup */

#include "curl/disk_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  errand->number = (double)sv_file_size_at(errand->path);
}

static int read_into(sv_buffer *text, int file, double most) {
  char bytes[8192];
  while ((double)text->size < most) {
    double left = most - (double)text->size;
    size_t wanted = left < sizeof bytes ? (size_t)left : sizeof bytes;
    size_t got;
    int problem = sv_file_read(file, bytes, wanted, &got);
    if (problem || got == 0) {
      return problem;
    }
    if (!sv_buffer_add(text, bytes, got)) {
      return ENOMEM;
    }
  }
  return 0;
}

static int read_file(sv_disk_job *errand) {
  sv_buffer text = {0};
  int file;
  int problem = sv_file_open(&file, errand->path, SV_FILE_READ, false);
  if (problem) {
    return problem;
  }
  problem = read_into(&text, file, errand->bytes);
  sv_file_close(file);
  errand->text = text.data;
  errand->size = text.size;
  return problem;
}

/* Of a mode of fopen(3). */
static sv_file_access access_of(const char *mode) {
  return *mode == 'w'   ? SV_FILE_REPLACE
         : *mode == 'a' ? SV_FILE_APPEND
                        : SV_FILE_UPDATE;
}

static int write_file(sv_disk_job *errand) {
  int file;
  int problem = sv_file_open(&file, errand->path, access_of(errand->mode),
                             errand->flag);
  if (problem) {
    return problem;
  }
  size_t written;
  problem = sv_file_write(file, errand->text, errand->size, &written);
  int closing = sv_file_close(file);
  return problem ? problem : closing;
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
