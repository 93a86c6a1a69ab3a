/*
** Jobs on the disk, as data, so that a thread may do them.
*/
#ifndef SV_CURL_DISK_JOB_H
#define SV_CURL_DISK_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/digest.h"
#include "platform/lock.h"

/* What each takes besides a path, and what it gives. */
#define SV_DISK_JOBS(X)                                                       \
  X(SIZE, "size")         /* bytes, -1: there is none */                    \
  X(READ, "read")         /* `bytes` at most; the text */                   \
  X(WRITE, "write")       /* a text, under a `mode`; `flag`: private */     \
  X(REMOVE, "remove")                                                       \
  X(KIND, "kind")         /* of file.h, NULL: there is none */              \
  X(PLACE, "place")       /* `other`, `bytes`, `flag`: overwrite */         \
  X(DISCARD, "discard")   /* `flag`: only an empty one */                   \
  X(SHA256, "sha256")     /* lowercase hex */                               \
  X(LOCK, "lock")         /* a lock */                                      \
  X(UNLOCK, "unlock")     /* a `lock`, and no path */

typedef enum sv_job {
#define X(name, text) SV_JOB_##name,
  SV_DISK_JOBS(X)
#undef X
  SV_JOBS
} sv_job;

typedef struct sv_disk_job {
  sv_job job;
  char *path, *other;
  char *text; /* to write, or as read */
  size_t size;
  double bytes;
  char mode[4]; /* of fopen(3); a private file is made for its owner alone */
  bool flag;
  int problem;  /* 0 or an errno: EWOULDBLOCK, EEXIST, ESTALE as of place.h */
  double number;
  const char *kind;
  char sha256[SV_SHA256_HEX];
  sv_lock lock; /* whoever takes it clears it here */
} sv_disk_job;

const char *sv_job_name(sv_job job);

/* A copy, with nothing of the caller's in it; `other`, `text` and `mode` may
** be NULL. NULL where memory is short. */
sv_disk_job *sv_disk_job_new(sv_job job, const char *path, const char *other,
                         const char *text, size_t size, const char *mode);

/* A digest ends with ECANCELED once `stop` (atomic; or NULL) is set. */
void sv_disk_job_run(sv_disk_job *errand, const int *stop);
void sv_disk_job_free(sv_disk_job *errand);

#endif
