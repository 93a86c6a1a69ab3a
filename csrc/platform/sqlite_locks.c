#define _GNU_SOURCE /* O_CLOEXEC */

#include "platform/sqlite_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of SQLite's file formats: what a reader locks of a database, and the byte of
** its shared memory that whoever uses it has locked. */
enum { SHARED_FIRST = 0x40000002, SHARED_SIZE = 510, IN_USE = 128 };

enum { MOST_FILES = 65536, TRIES = 200, TRY_NANOSECONDS = 5000000 };

typedef struct heir {
  struct heir *next;
  char *path, *memory;
  struct stat shared; /* of the memory, as the process that noted it had it */
  pid_t process;
  bool is_lost; /* to this process */
} heir;

#define FREE PTHREAD_MUTEX_INITIALIZER

static pthread_mutex_t lock = FREE;
static heir *all;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Another thread of the parent's may have held it. */
static void in_child(void) {
  const pthread_mutex_t free_again = FREE;
  lock = free_again;
}

static void start(void) {
  pthread_atfork(NULL, NULL, in_child);
}

static void hold(void) {
  pthread_once(&once, start);
  pthread_mutex_lock(&lock);
}

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static char *memory_of(const char *path) {
  size_t size = strlen(path) + sizeof "-shm";
  char *memory = malloc(size);
  if (memory) {
    snprintf(memory, size, "%s-shm", path);
  }
  return memory;
}

static heir *find(const char *path) {
  heir *one = all;
  while (one && strcmp(one->path, path) != 0) {
    one = one->next;
  }
  return one;
}

static heir *add(const char *path) {
  heir *one = calloc(1, sizeof *one);
  if (!one || !(one->path = strdup(path)) || !(one->memory = memory_of(path))) {
    if (one) {
      free(one->path);
    }
    free(one);
    return NULL;
  }
  one->next = all;
  all = one;
  return one;
}

/* Where memory is short a child is not told; nothing else is lost. */
void sv_sqlite_locks_note(const char *path) {
  hold();
  heir *one = find(path);
  one = one ? one : add(path);
  if (one && stat(one->memory, &one->shared) == 0) {
    one->process = getpid();
  }
  pthread_mutex_unlock(&lock);
}

/* Whether SQLite still has it open in this process. */
static bool has_open(const struct stat *shared) {
  long most = sysconf(_SC_OPEN_MAX);
  struct stat status;
  most = most > 0 && most < MOST_FILES ? most : MOST_FILES;
  for (int file = 0; file < (int)most; file++) {
    if (fstat(file, &status) == 0 && is_same(&status, shared)) {
      return true;
    }
  }
  return false;
}

static int lock_range(int file, off_t from, off_t size) {
  const struct timespec moment = {0, TRY_NANOSECONDS};
  struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET,
                        .l_start = from, .l_len = size};
  for (int i = 0; i < TRIES; i++) {
    if (fcntl(file, F_SETLK, &range) == 0) {
      return 0;
    } else if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      break;
    }
    nanosleep(&moment, NULL);
  }
  return errno;
}

static int take(int *file, const char *path, off_t from, off_t size) {
  *file = open(path, O_RDWR | O_CLOEXEC);
  return *file < 0 ? errno : lock_range(*file, from, size);
}

static void give_up(int file) {
  if (file >= 0) {
    close(file);
  }
}

/* With the first lock the parent cannot take the memory away any more; by then
** it may have done so. The descriptors stay open, for to close any of a file
** lets go of all locks; but where the child has none. */
static int claim(heir *one) {
  int database, memory = -1;
  struct stat there;
  int problem = take(&database, one->path, SHARED_FIRST, SHARED_SIZE);
  if (!problem && stat(one->memory, &there) != 0) {
    problem = errno;
  }
  if (!problem && !is_same(&there, &one->shared)) {
    problem = ENOENT;
  }
  problem = problem ? problem : take(&memory, one->memory, IN_USE, 1);
  if (problem) {
    give_up(memory);
    give_up(database);
  }
  return problem;
}

int sv_sqlite_locks_claim(const char *path) {
  int problem = 0;
  hold();
  heir *one = find(path);
  if (one && one->process != getpid() && has_open(&one->shared)) {
    problem = one->is_lost ? ENOENT : claim(one);
    one->is_lost = problem == ENOENT;
  }
  if (one && !problem) {
    one->process = getpid();
  }
  pthread_mutex_unlock(&lock);
  return problem;
}
