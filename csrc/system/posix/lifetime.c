#define _GNU_SOURCE /* readlink */

#include "system/lifetime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include "system/file.h"
#include "system/process.h"

#include "rules/visibility.h"

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
