/*
** Jobs on the disk, as data, so that a thread may do them.
*/
#ifndef SV_ERRAND_H
#define SV_ERRAND_H

#include <stdbool.h>
#include <stddef.h>

#include "digest.h"

/* What each takes besides a path, and what it gives. */
#define SV_ERRANDS(X)                                                       \
  X(SIZE, "size")         /* bytes, -1: there is none */                    \
  X(READ, "read")         /* `bytes` at most; the text */                   \
  X(WRITE, "write")       /* a text, under a `mode` */                      \
  X(REMOVE, "remove")                                                       \
  X(IS_DIRECTORY, "is_directory") /* 1 or 0 */                              \
  X(PLACE, "place")       /* `other`, `bytes`, `flag`: overwrite */         \
  X(DISCARD, "discard")   /* `flag`: only an empty one */                   \
  X(SHA256, "sha256")     /* lowercase hex */

typedef enum sv_job {
#define X(name, text) SV_JOB_##name,
  SV_ERRANDS(X)
#undef X
  SV_JOBS
} sv_job;

typedef struct sv_errand {
  sv_job job;
  char *path, *other;
  char *text; /* to write, or as read */
  size_t size;
  double bytes;
  char mode[4]; /* of fopen(3) */
  bool flag;
  int problem;  /* 0 or an errno: EWOULDBLOCK, EEXIST, ESTALE as of place.h */
  double number;
  char sha256[SV_SHA256_HEX];
} sv_errand;

const char *sv_job_name(sv_job job);

/* A copy, with nothing of the caller's in it; `other`, `text` and `mode` may
** be NULL. NULL where memory is short. */
sv_errand *sv_errand_new(sv_job job, const char *path, const char *other,
                         const char *text, size_t size, const char *mode);
void sv_errand_run(sv_errand *errand);
void sv_errand_free(sv_errand *errand);

#endif
