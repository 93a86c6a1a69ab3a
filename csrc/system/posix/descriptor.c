#include "system/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/visibility.h"

enum { MOST_FILES = 65536, BATCH = 1024 };

sv_descriptor sv_descriptor_of(int file) {
  sv_descriptor descriptor = {.number = file};
  struct stat status;
  if (file >= 0 && fstat(file, &status) == 0) {
    descriptor.device = (unsigned long long)status.st_dev;
    descriptor.inode = status.st_ino;
  }
  return descriptor;
}

/* In the wrong mode, so that it cannot be used. Where nothing is mounted at /dev
** a directory does as well. Another thread may fill the same gap. */
void sv_descriptor_fill_standard(void) {
  for (int number = 0; number <= STDERR_FILENO; number++) {
    if (fcntl(number, F_GETFD) < 0) {
      int file = open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
      file = file < 0 ? open("/", O_RDONLY) : file;
      if (file > STDERR_FILENO) {
        close(file);
      }
    }
  }
}

/* poll says of a thousand numbers at once which are open; the limit may allow
** many thousands. */
int sv_descriptor_most(void) {
  struct pollfd batch[BATCH];
  long limit = sysconf(_SC_OPEN_MAX);
  const int most = limit > 0 && limit < MOST_FILES ? (int)limit : MOST_FILES;
  int above = 0;
  for (int first = 0; first < most; first += BATCH) {
    const int count = most - first < BATCH ? most - first : BATCH;
    for (int i = 0; i < count; i++) {
      batch[i] = (struct pollfd){.fd = first + i};
    }
    if (poll(batch, (nfds_t)count, 0) < 0) {
      return most;
    }
    for (int i = 0; i < count; i++) {
      above = batch[i].revents & POLLNVAL ? above : first + i + 1;
    }
  }
  return above;
}

void sv_descriptor_keep_private(int file) {
  fcntl(file, F_SETFD, FD_CLOEXEC);
}

bool sv_descriptor_holds(const sv_descriptor *descriptor) {
  struct stat status;
  return descriptor->number >= 0 && fstat(descriptor->number, &status) == 0 &&
         (unsigned long long)status.st_dev == descriptor->device &&
         status.st_ino == descriptor->inode;
}

bool sv_descriptor_find_again(sv_descriptor *descriptor) {
  const int most = sv_descriptor_most();
  sv_descriptor found = *descriptor;
  for (found.number = 0; found.number < most; found.number++) {
    if (sv_descriptor_holds(&found)) {
      *descriptor = found;
      return true;
    }
  }
  return false;
}

sv_descriptor sv_descriptor_find(const char *path) {
  struct stat status;
  sv_descriptor found = {.number = -1};
  if (stat(path, &status) == 0) {
    found.device = (unsigned long long)status.st_dev;
    found.inode = status.st_ino;
    sv_descriptor_find_again(&found);
  }
  return found;
}

int sv_descriptor_close(sv_descriptor *descriptor) {
  bool failed = sv_descriptor_holds(descriptor) && close(descriptor->number);
  int problem = failed ? errno : 0;
  descriptor->number = -1;
  return problem;
}
