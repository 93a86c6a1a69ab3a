#define _GNU_SOURCE /* MADV_WIPEONFORK, readlink */

#include "system/process.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "rules/visibility.h"

#ifdef MADV_WIPEONFORK

/* What getpid() said, on a page that the kernel empties in the child of any fork,
** even where that calls no handler (_Fork, clone). NULL where there is none. */
static long *known;

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

/* An emulator may take any advice, and follow none. */
static bool is_wiped(void *page) {
  return madvise(page, page_size(), -1) != 0 &&
         madvise(page, page_size(), MADV_WIPEONFORK) == 0;
}

static void map_page(void) {
  void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED && is_wiped(page)) {
    known = page;
  } else if (page != MAP_FAILED) {
    munmap(page, page_size());
  }
}

__attribute__((destructor)) static void unmap_page(void) {
  if (known) {
    munmap(known, page_size());
    known = NULL;
  }
}

long sv_process_id(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, map_page);
  if (!known) {
    return (long)getpid();
  }
  long id = __atomic_load_n(known, __ATOMIC_RELAXED);
  if (id == 0) {
    id = (long)getpid();
    __atomic_store_n(known, id, __ATOMIC_RELAXED);
  }
  return id;
}

#else

long sv_process_id(void) {
  return (long)getpid();
}

#endif

int sv_process_exists(long number) {
  if (number <= 0) {
    return -1; /* to kill(), a group of processes or all there are */
  } else if (kill((pid_t)number, 0) == 0 || errno == EPERM) {
    return 1;
  }
  return errno == ESRCH ? 0 : -1;
}

#ifdef __APPLE__

/* All processes of the machine see each other's numbers. */
size_t sv_process_namespace(const char *kind, char *name, size_t room) {
  (void)kind;
  int length = snprintf(name, room, "system");
  return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

#else

size_t sv_process_namespace(const char *kind, char *name, size_t room) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
  ssize_t length = readlink(path, name, room);
  return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

#endif

const char *sv_process_directory(char *path, size_t room) {
  return getcwd(path, room);
}

int sv_process_act_as(unsigned user, unsigned group) {
  if (setgroups(0, NULL) == 0 && setegid(group) == 0 && seteuid(user) == 0) {
    return 0;
  }
  int problem = errno;
  sv_process_act_as_oneself();
  return problem;
}

void sv_process_act_as_oneself(void) {
  if (seteuid(getuid()) != 0 || setegid(getgid()) != 0) {
    abort(); /* the system lets a process return to what it was */
  }
}
