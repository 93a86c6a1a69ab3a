#define _GNU_SOURCE /* O_CLOEXEC */

#include "system/sqlite_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/descriptor.h"
#include "system/posix/sqlite_format.h"
#include "system/process.h"
#include "system/sqlite_file.h"

#include "rules/visibility.h"

enum { TRIES = 200 };

static const double TRY_SECONDS = 0.005;

typedef struct sv_sqlite_locks {
  struct sv_sqlite_locks *next;
  char *path, *memory;
  struct stat file;   /* another one at this path is another database */
  struct stat shared; /* of the memory, as the process that noted it had it */
  long process;
  int users;      /* noted and not dropped */
  bool is_lost;   /* to this process */
  bool is_closed; /* by the host */
} database;

#define FREE PTHREAD_MUTEX_INITIALIZER

static pthread_mutex_t lock = FREE;
static database *all; /* under the lock */

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Another thread of the parent's may have held it. */
static void in_child(void) {
  const pthread_mutex_t free_again = FREE;
  lock = free_again;
}

static void start(void) {
  pthread_atfork(NULL, NULL, in_child);
}

static void hold_lock(void) {
  pthread_once(&once, start);
  pthread_mutex_lock(&lock);
}

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static database *find(const char *path, const struct stat *file) {
  database *one = all;
  while (one && !(is_same(&one->file, file) && strcmp(one->path, path) == 0)) {
    one = one->next;
  }
  return one;
}

static database *add(const char *path, const struct stat *file) {
  database *one = calloc(1, sizeof *one);
  if (!one || !(one->path = strdup(path)) ||
      !(one->memory = sv_sqlite_beside(path, "-shm"))) {
    if (one) {
      free(one->path);
    }
    free(one);
    return NULL;
  }
  one->file = *file;
  one->next = all;
  all = one;
  return one;
}

/* Whether SQLite still has it open in this process. */
static bool has_open(const struct stat *shared) {
  struct stat status;
  for (int file = 0, most = sv_descriptor_most(); file < most; file++) {
    if (fstat(file, &status) == 0 && is_same(&status, shared)) {
      return true;
    }
  }
  return false;
}

/* Where memory is short a child does not know; nothing else is lost. */
database *sv_sqlite_locks_note(const char *path) {
  struct stat file;
  if (stat(path, &file) != 0) {
    return NULL;
  }
  hold_lock();
  database *one = find(path, &file);
  one = one ? one : add(path, &file);
  bool is_seen = false;
  if (one && stat(one->memory, &one->shared) == 0) {
    one->process = sv_process_id();
    is_seen = has_open(&one->shared); /* else its inode is not one that stays */
    one->users += is_seen;
  }
  pthread_mutex_unlock(&lock);
  return is_seen ? one : NULL;
}

void sv_sqlite_locks_drop(database *noted) {
  hold_lock();
  noted->users--;
  pthread_mutex_unlock(&lock);
}

void sv_sqlite_locks_lose(database *noted) {
  hold_lock();
  noted->is_closed = true;
  pthread_mutex_unlock(&lock);
}

static int lock_range(int file, off_t from, off_t size) {
  struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET,
                        .l_start = from, .l_len = size};
  for (int i = 0; i < TRIES; i++) {
    if (fcntl(file, F_SETLK, &range) == 0) {
      return 0;
    } else if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      break;
    }
    sv_sleep(TRY_SECONDS);
  }
  return errno;
}

static int take(int *file, const char *path, off_t from, off_t size) {
  *file = open(path, O_RDWR | O_CLOEXEC);
  return *file < 0 ? errno : lock_range(*file, from, size);
}

static void close_open(int file) {
  if (file >= 0) {
    close(file);
  }
}

/* With the first lock the parent cannot remove the memory any more; by then it
** may have done so. The descriptors stay open, for closing any descriptor of a
** file releases all locks on it; unless the child got none. */
static int claim(database *one) {
  int file, memory = -1;
  struct stat there;
  int problem = take(&file, one->path, SV_SQLITE_SHARED_FIRST,
                     SV_SQLITE_SHARED_SIZE);
  if (!problem && stat(one->memory, &there) != 0) {
    problem = errno;
  }
  if (!problem && !is_same(&there, &one->shared)) {
    problem = ENOENT;
  }
  problem = problem ? problem : take(&memory, one->memory, SV_SQLITE_IN_USE, 1);
  if (problem) {
    close_open(memory);
    close_open(file);
  }
  return problem;
}

int sv_sqlite_locks_claim(const char *path) {
  int problem = 0;
  struct stat file;
  sv_sqlite_file_forget_inherited();
  if (stat(path, &file) != 0) {
    return 0; /* SQLite makes one, or says why it cannot */
  }
  hold_lock();
  database *one = find(path, &file);
  bool is_foreign = one && one->process != sv_process_id();
  bool is_open = one && (is_foreign || one->users > 0) &&
                 has_open(&one->shared);
  if (one && one->users > 0 && (one->is_closed || !is_open)) {
    one->is_closed = true;
    problem = EBADF;
  } else if (is_open && is_foreign) {
    problem = one->is_lost ? ENOENT : claim(one);
    one->is_lost = problem == ENOENT;
  }
  if (one && !problem) {
    one->process = sv_process_id();
  }
  pthread_mutex_unlock(&lock);
  return problem;
}
