#define _GNU_SOURCE /* strdup */

#include "system/disk_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/buffer.h"
#include "system/file.h"
#include "system/path.h"
#include "system/process.h"

#include "rules/visibility.h"

const char *sv_disk_action_name(sv_disk_action action) {
  static const char *const names[] = {
#define X(name, text) text,
      SV_DISK_ACTIONS(X)
#undef X
  };
  return names[action];
}

sv_disk_job *sv_disk_job_new(sv_disk_action action, const char *path,
                             const char *other, const char *text, size_t size) {
  sv_disk_job *job = calloc(1, sizeof *job);
  if (!job) {
    return NULL;
  }
  job->action = action;
  job->path = strdup(path);
  job->other = other ? strdup(other) : NULL;
  job->text = text ? malloc(size + 1) : NULL;
  job->size = size;
  if (!job->path || (other && !job->other) || (text && !job->text)) {
    sv_disk_job_free(job);
    return NULL;
  }
  if (text) {
    memcpy(job->text, text, size);
  }
  return job;
}

void sv_disk_job_free(sv_disk_job *job) {
  sv_lock_release(&job->lock);
  free(job->path);
  free(job->other);
  free(job->text);
  free(job);
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

/* One that lies beside a file of the user's is read where it is our own. */
static int open_to_read(int *file, const char *path, bool own) {
  return own ? sv_file_open_own(file, path, SV_FILE_READ, false)
             : sv_file_open(file, path, SV_FILE_READ, false);
}

static int digest_file(sv_disk_job *job, sv_disk_digest *digest,
                       const _Atomic int *stop) {
  int file;
  int problem = open_to_read(&file, job->path, job->end >= 0);
  if (problem) {
    return problem;
  }
  if (digest) {
    problem = digest(file, (long long)job->bytes, (long long)job->end,
                     job->sha256, stop);
  }
  sv_file_close(file);
  return problem;
}

static int read_file(sv_disk_job *job) {
  sv_buffer text = {0};
  int file;
  int problem = open_to_read(&file, job->path, job->flag);
  if (problem) {
    return problem;
  }
  problem = read_into(&text, file, job->bytes);
  sv_file_close(file);
  job->text = text.data;
  job->size = text.size;
  return problem;
}

static int find_real(sv_disk_job *job) {
  job->text = malloc(SV_PATH_ROOM);
  int problem = job->text ? sv_path_real(job->path, job->text, SV_PATH_ROOM)
                          : ENOMEM;
  job->size = problem ? 0 : strlen(job->text);
  job->kind = problem ? NULL : sv_file_kind(job->text);
  return problem;
}

static int find_room(sv_disk_job *job) {
  job->text = malloc(SV_FILE_SYSTEM_ROOM);
  int problem = job->text ? sv_file_room(job->path, &job->number, job->text)
                          : ENOMEM;
  job->size = problem ? 0 : strlen(job->text);
  return problem;
}

static int look_at_video(sv_disk_job *job) {
  int file;
  long long size;
  int problem = sv_file_open(&file, job->path, SV_FILE_READ, false);
  if (problem) {
    return problem;
  }
  problem = sv_file_size(file, &size);
  problem = problem ? problem
                    : sv_video_look(&job->video, file, size, sv_file_read_at);
  sv_file_close(file);
  return problem;
}

static int write_file(sv_disk_job *job) {
  int file;
  int problem = sv_file_open_own(&file, job->path, job->access, job->flag);
  if (problem) {
    return problem;
  }
  size_t written;
  long long at = (long long)job->bytes;
  problem = at >= 0 ? sv_file_seek(file, at) : 0;
  problem = problem ? problem
                    : sv_file_write(file, job->text, job->size, &written);
  if (!problem && at >= 0) {
    problem = sv_file_truncate(file, at + (long long)job->size);
  }
  int closing = sv_file_close(file);
  return problem ? problem : closing;
}

static int rename_whole(int file, const char *part, const char *path,
                        long long size, bool overwrite, bool is_quick) {
  long long now;
  int problem = sv_file_size(file, &now);
  if (!problem && now != size) {
    problem = SV_FILE_CHANGED;
  }
  problem = problem || is_quick ? problem : sv_file_sync(file);
  return problem ? problem : sv_file_rename(part, path, overwrite);
}

/* The last step of a download: fsyncs `part`, which must hold `size` bytes,
** renames it and fsyncs the directory. Like `discard` it does not touch a file
** that another download is writing. */
static int commit(const char *part, const char *path, long long size,
                  bool overwrite, bool is_quick) {
  char *directory = sv_file_directory_of(path); /* first, for memory may be short */
  int file;
  int problem = directory ? sv_lock_open(&file, part, SV_FILE_UPDATE) : ENOMEM;
  if (problem == 0) {
    problem = rename_whole(file, part, path, size, overwrite, is_quick);
    sv_lock_close(file);
    problem =
        problem || is_quick ? problem : sv_file_sync_directory(directory);
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

static int discard(const char *part, bool only_empty) {
  int file;
  int problem = sv_lock_open(&file, part, SV_FILE_UPDATE);
  if (problem) {
    return problem == ENOENT ? 0 : problem;
  }
  problem = remove_open(file, part, only_empty);
  sv_lock_close(file);
  return problem;
}

static int run(sv_disk_job *job, sv_disk_digest *digest, const _Atomic int *stop) {
  switch (job->action) {
    case SV_DISK_SIZE:
      job->number = (double)sv_file_size_at(job->path);
      return 0;
    case SV_DISK_KIND:
      job->kind = sv_file_kind(job->path);
      return 0;
    case SV_DISK_REAL:
      return find_real(job);
    case SV_DISK_READ:
      return read_file(job);
    case SV_DISK_WRITE:
      return write_file(job);
    case SV_DISK_REMOVE:
      return sv_file_remove(job->path);
    case SV_DISK_COMMIT:
      return commit(job->path, job->other, (long long)job->bytes, job->flag,
                    job->is_quick);
    case SV_DISK_DISCARD:
      return discard(job->path, job->flag);
    case SV_DISK_SHA256:
      return digest_file(job, digest, stop);
    case SV_DISK_VIDEO:
      return look_at_video(job);
    case SV_DISK_ROOM:
      return find_room(job);
    case SV_DISK_MAKE_DIRECTORY:
      return sv_file_make_directory(job->path);
    case SV_DISK_LOCK:
      return sv_lock_take(&job->lock, job->path);
    case SV_DISK_UNLOCK:
      sv_lock_release(&job->lock);
      return 0;
    default:
      return EINVAL;
  }
}

void sv_disk_job_run(sv_disk_job *job, sv_disk_digest *digest,
                     const _Atomic int *stop) {
  job->problem = run(job, digest, stop);
}
