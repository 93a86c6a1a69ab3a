#define _GNU_SOURCE /* readlink, gethostname, dladdr, RTLD_NODELETE, O_CLOEXEC */

#include "system/process.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include "system/file.h"

#include "rules/visibility.h"

long sv_process_id(void) {
  return (long)getpid();
}

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

#ifdef __APPLE__

int sv_lifetime_of(long number, char start[SV_LIFETIME_ROOM]) {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, (int)number};
  struct kinfo_proc about;
  size_t size = sizeof about;
  *start = '\0';
  if (sysctl(name, 4, &about, &size, NULL, 0) != 0 || size == 0) {
    return -1;
  }
  const struct timeval *began = &about.kp_proc.p_starttime;
  snprintf(start, SV_LIFETIME_ROOM, "%lld.%06d", (long long)began->tv_sec,
           (int)began->tv_usec);
  return about.kp_proc.p_stat != SZOMB;
}

#else

/* Of proc(5); the first is the number, the third the state. */
enum { STATE = 3, START_TIME = 22 };

/* A /proc that shows the processes of another namespace tells nothing about
** those of this one. */
static int is_proc_ours(void) {
  char number[24];
  ssize_t length = readlink("/proc/self", number, sizeof number - 1);
  if (length <= 0) {
    return 0;
  }
  number[length] = '\0';
  return strtol(number, NULL, 10) == sv_process_id();
}

static size_t read_status(long number, char *text, size_t room) {
  char path[64];
  size_t count = 0;
  int file;
  snprintf(path, sizeof path, "/proc/%ld/stat", number);
  if (sv_file_open(&file, path, SV_FILE_READ, 0) == 0) {
    sv_file_read(file, text, room - 1, &count);
    sv_file_close(file);
  }
  text[count] = '\0';
  return count;
}

/* The second field is the program's name in parentheses, which may hold
** anything. */
static const char *field_of(const char *status, int field) {
  const char *at = strrchr(status, ')');
  for (int i = 2; at && i < field; i++) {
    at = strchr(at + 1, ' ');
  }
  return at ? at + 1 : NULL;
}

int sv_lifetime_of(long number, char start[SV_LIFETIME_ROOM]) {
  char status[1024];
  const char *state = NULL, *began = NULL;
  *start = '\0';
  if (is_proc_ours() && read_status(number, status, sizeof status)) {
    state = field_of(status, STATE);
    began = field_of(status, START_TIME);
  }
  if (!state || !began) {
    return -1;
  }
  snprintf(start, SV_LIFETIME_ROOM, "%.*s", (int)strspn(began, "0123456789"),
           began);
  return *state != 'Z' && *state != 'X';
}

#endif

size_t sv_machine_name(char *text, size_t room) {
  if (gethostname(text, room) != 0 || !memchr(text, '\0', room)) {
    return 0;
  }
  return strlen(text);
}

#ifdef __APPLE__

size_t sv_machine_boot(char *text, size_t room) {
  size_t size = room; /* with the ending zero */
  bool is_known =
      sysctlbyname("kern.bootsessionuuid", text, &size, NULL, 0) == 0;
  return is_known && size > 0 ? size - 1 : 0;
}

#else

/* Linux; of other systems it is not known. */
size_t sv_machine_boot(char *text, size_t room) {
  size_t count = 0;
  int file;
  if (sv_file_open(&file, "/proc/sys/kernel/random/boot_id", SV_FILE_READ,
                   false) != 0) {
    return 0;
  }
  int problem = sv_file_read(file, text, room, &count);
  sv_file_close(file);
  count -= !problem && count > 0 && text[count - 1] == '\n';
  return problem || count == room ? 0 : count;
}

#endif

void sv_module_keep(const void *address) {
  Dl_info info;
  if (dladdr(address, &info) && info.dli_fname) {
    dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

/* Opened each time: it is a device, and rarely read. */
bool sv_random_bytes(void *bytes, size_t size) {
  size_t count = 0;
  int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    sv_file_read(file, bytes, size, &count);
    close(file);
  }
  return count == size;
}

/* --- what whoever started it has told it ---------------------------------- */

bool sv_environment_get(const char *name, char *value, size_t room,
                        size_t *size) {
  const char *found = getenv(name);
  *size = found ? strlen(found) + 1 : 0;
  if (found && *size <= room) {
    memcpy(value, found, *size);
  }
  return found != NULL;
}

char *sv_environment_words(int *count) {
  *count = 0;
  return NULL;
}
