#define _GNU_SOURCE /* strdup */

#include "errand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "place.h"

const char *sv_job_name(sv_job job) {
  static const char *const names[] = {
#define X(name, text) text,
      SV_ERRANDS(X)
#undef X
  };
  return names[job];
}

sv_errand *sv_errand_new(sv_job job, const char *path, const char *other,
                         const char *text, size_t size, const char *mode) {
  sv_errand *errand = calloc(1, sizeof *errand);
  if (!errand) {
    return NULL;
  }
  errand->job = job;
  errand->path = strdup(path);
  errand->other = other ? strdup(other) : NULL;
  errand->text = text ? malloc(size + 1) : NULL;
  errand->size = size;
  if (!errand->path || (other && !errand->other) || (text && !errand->text)) {
    sv_errand_free(errand);
    return NULL;
  }
  if (text) {
    memcpy(errand->text, text, size);
  }
  snprintf(errand->mode, sizeof errand->mode, "%s", mode ? mode : "rb");
  return errand;
}

void sv_errand_free(sv_errand *errand) {
  free(errand->path);
  free(errand->other);
  free(errand->text);
  free(errand);
}

static void find_size(sv_errand *errand) {
  struct stat status;
  errand->number =
      stat(errand->path, &status) == 0 ? (double)status.st_size : -1;
}

static void find_directory(sv_errand *errand) {
  struct stat status;
  errand->number =
      stat(errand->path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int read_into(sv_buffer *text, FILE *file, double most) {
  char bytes[8192];
  while ((double)text->size < most) {
    double left = most - (double)text->size;
    size_t wanted = left < sizeof bytes ? (size_t)left : sizeof bytes;
    size_t got = fread(bytes, 1, wanted, file);
    if (got == 0) {
      return ferror(file) ? errno : 0;
    }
    if (!sv_buffer_add(text, bytes, got)) {
      return ENOMEM;
    }
  }
  return 0;
}

static int read_file(sv_errand *errand) {
  sv_buffer text = {0};
  FILE *file = fopen(errand->path, "rbe");
  if (!file) {
    return errno;
  }
  int problem = read_into(&text, file, errand->bytes);
  fclose(file);
  errand->text = text.data;
  errand->size = text.size;
  return problem;
}

static int write_file(sv_errand *errand) {
  char mode[8];
  snprintf(mode, sizeof mode, "%se", errand->mode);
  FILE *file = fopen(errand->path, mode);
  if (!file) {
    return errno;
  }
  int problem = 0;
  if (fwrite(errand->text, 1, errand->size, file) != errand->size) {
    problem = errno;
  }
  if (fclose(file) != 0 && !problem) {
    problem = errno;
  }
  return problem;
}

static int run(sv_errand *errand) {
  switch (errand->job) {
    case SV_JOB_SIZE:
      find_size(errand);
      return 0;
    case SV_JOB_IS_DIRECTORY:
      find_directory(errand);
      return 0;
    case SV_JOB_READ:
      return read_file(errand);
    case SV_JOB_WRITE:
      return write_file(errand);
    case SV_JOB_REMOVE:
      return remove(errand->path) == 0 ? 0 : errno;
    case SV_JOB_PLACE:
      return sv_place(errand->path, errand->other, (long long)errand->bytes,
                      errand->flag);
    case SV_JOB_DISCARD:
      return sv_discard(errand->path, errand->flag);
    case SV_JOB_SHA256:
      return sv_digest_file(errand->path, errand->sha256);
    default:
      return EINVAL;
  }
}

void sv_errand_run(sv_errand *errand) {
  errand->problem = run(errand);
}
