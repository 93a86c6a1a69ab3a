/*
** Disk jobs as data, so that a thread can run them. A job owns copies of all
** it was given, and belongs to one thread at a time.
*/
#ifndef SV_SYSTEM_DISK_JOB_H
#define SV_SYSTEM_DISK_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/video.h"
#include "system/digest.h"
#include "system/lock.h"

/* What each takes besides a path, and what it gives. */
#define SV_DISK_ACTIONS(X)                                                  \
  X(SIZE, "size")         /* bytes, -1: there is none */                    \
  X(READ, "read")         /* `bytes` at most; `flag`: own; the text */      \
  X(WRITE, "write")       /* a text, by `access`; `flag`: private; own; */  \
                          /* at `bytes`, where the file ends then; -1 */    \
  X(REMOVE, "remove")                                                       \
  X(KIND, "kind")         /* of file.h, NULL: there is none */              \
  X(REAL, "real")         /* of path.h: a path, in `text`; and KIND */      \
  X(COMMIT, "commit")     /* `other`, `bytes`, `flag`: overwrite; synced */ \
  X(DISCARD, "discard")   /* `flag`: only an empty one; none is fine */     \
  X(SHA256, "sha256")     /* from `bytes` to `end`, own; -1; lowercase hex, */ \
                          /* "" where there is no digest */                 \
  X(VIDEO, "video")       /* of video.h */                                  \
  X(ROOM, "room")         /* of file.h, a folder: bytes, and the name in `text` */ \
  X(MAKE_DIRECTORY, "make_directory") /* and those above it */              \
  X(LOCK, "lock")         /* a lock */                                      \
  X(UNLOCK, "unlock")     /* a `lock`, and no path */

typedef enum sv_disk_action {
#define X(name, text) SV_DISK_##name,
  SV_DISK_ACTIONS(X)
#undef X
  SV_DISK_ACTION_COUNT
} sv_disk_action;

typedef struct sv_disk_job {
  sv_disk_action action;
  char *path, *other;
  char *text; /* to write, or as read */
  size_t size;
  double bytes, end;
  sv_file_access access; /* of WRITE */
  bool flag;
  bool is_quick; /* a commit waits for no disk: a loss of power may undo it */
  /* 0 or an errno. Of a commit EWOULDBLOCK where another writes the file, EEXIST
  ** where `other` exists and is not to be overwritten, also when another process
  ** has made it just now; SV_FILE_CHANGED where it has not `bytes`. */
  int problem;
  double number;
  const char *kind;
  sv_video video;
  char sha256[SV_SHA256_HEX];
  sv_lock lock; /* to be cleared here by who takes it over */
} sv_disk_job;

const char *sv_disk_action_name(sv_disk_action action);

/* `other` and `text` (of `size` bytes) may be NULL. NULL where memory is short. */
sv_disk_job *sv_disk_job_new(sv_disk_action action, const char *path,
                             const char *other, const char *text, size_t size);

/* sv_digest_file of digest.h, for who has it; or NULL. */
typedef int sv_disk_digest(int file, long long from, long long to,
                           char hex[SV_SHA256_HEX], const _Atomic int *stop);

/* May take long. A digest ends with ECANCELED once `stop` (or NULL) is
** set. */
void sv_disk_job_run(sv_disk_job *job, sv_disk_digest *digest,
                     const _Atomic int *stop);
void sv_disk_job_free(sv_disk_job *job);

#endif
