#define _GNU_SOURCE /* mkdtemp, F_DUPFD_CLOEXEC */

#include "alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char DOOR[] = "/wake";

/* Never waited for, and not inherited by programs that the host starts. */
static void set_manners(int file) {
  fcntl(file, F_SETFL, O_NONBLOCK);
  fcntl(file, F_SETFD, FD_CLOEXEC);
}

/* Sockets, not an eventfd: all of those have one inode, and would be taken for
** each other. */
static int open_pair(sv_alarm *alarm) {
  int ends[2] = {-1, -1}, kind = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  kind |= SOCK_CLOEXEC;
#endif
  int problem = socketpair(AF_UNIX, kind, 0, ends) == 0 ? 0 : errno;
  for (int i = 0; i < 2 && !problem; i++) {
    set_manners(ends[i]);
  }
  alarm->file = sv_descriptor_of(ends[0]);
  alarm->writer = sv_descriptor_of(ends[1]);
  alarm->process = getpid();
  return problem;
}

int sv_alarm_open(sv_alarm *alarm) {
  alarm->door = alarm->peer = sv_descriptor_of(-1);
  alarm->raised = alarm->has_peer = 0;
  alarm->owed = 0;
  alarm->path[0] = '\0';
  pthread_mutex_init(&alarm->lock, NULL);
  return open_pair(alarm);
}

/* The system gives the number of a closed descriptor to whatever is opened
** next: who raises the alarm must not be about to write there. */
static void set_peer(sv_alarm *alarm, int peer) {
  pthread_mutex_lock(&alarm->lock);
  sv_descriptor_close(&alarm->peer);
  alarm->peer = sv_descriptor_of(peer);
  pthread_mutex_unlock(&alarm->lock);
  __atomic_store_n(&alarm->has_peer, peer >= 0, __ATOMIC_RELEASE);
}

static void remove_door(sv_alarm *alarm) {
  sv_descriptor_close(&alarm->door);
  if (alarm->path[0]) {
    unlink(alarm->path);
    *strrchr(alarm->path, '/') = '\0';
    rmdir(alarm->path);
    alarm->path[0] = '\0';
  }
}

void sv_alarm_close(sv_alarm *alarm) {
  remove_door(alarm);
  sv_descriptor_close(&alarm->peer);
  sv_descriptor_close(&alarm->writer);
  sv_descriptor_close(&alarm->file);
  pthread_mutex_destroy(&alarm->lock);
}

sv_alarm *sv_alarm_new(void) {
  sv_alarm *alarm = calloc(1, sizeof *alarm);
  int problem = alarm ? sv_alarm_open(alarm) : ENOMEM;
  if (problem) {
    free(alarm);
    errno = problem;
    return NULL;
  }
  alarm->owners = 1;
  return alarm;
}

sv_alarm *sv_alarm_share(sv_alarm *alarm) {
  __atomic_add_fetch(&alarm->owners, 1, __ATOMIC_RELAXED);
  return alarm;
}

void sv_alarm_drop(sv_alarm *alarm) {
  if (__atomic_sub_fetch(&alarm->owners, 1, __ATOMIC_ACQ_REL) == 0) {
    sv_alarm_close(alarm);
    free(alarm);
  }
}

void sv_alarm_shut(sv_alarm *alarm) {
  remove_door(alarm);
  set_peer(alarm, -1);
}

/* Puts it where its forerunner was, unless somebody else has come there. */
static void move_file(sv_alarm *alarm, int number) {
  int there = fcntl(alarm->file.number, F_DUPFD_CLOEXEC, number);
  if (there == number) {
    close(alarm->file.number);
    alarm->file.number = number;
  } else if (there >= 0) {
    close(there);
  }
}

/* The lock may be held for ever, by a thread of the parent's. */
void sv_alarm_renew(sv_alarm *alarm) {
  if (alarm->process == getpid()) {
    return;
  }
  bool ours = sv_descriptor_holds(&alarm->file);
  int number = alarm->file.number;
  pthread_mutex_init(&alarm->lock, NULL);
  alarm->path[0] = '\0';
  alarm->raised = alarm->has_peer = 0;
  alarm->owed = 0;
  sv_descriptor_close(&alarm->door);
  sv_descriptor_close(&alarm->peer);
  sv_descriptor_close(&alarm->file); /* first, so that there is room */
  sv_descriptor_close(&alarm->writer);
  if (open_pair(alarm) == 0 && ours && alarm->file.number != number) {
    move_file(alarm, number);
  }
}

/* Where it is full, it is readable anyway. */
static void tell(const sv_descriptor *ear) {
  ssize_t sent = send(ear->number, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent;
}

static void tell_peer(sv_alarm *alarm) {
  pthread_mutex_lock(&alarm->lock);
  if (alarm->peer.number >= 0) {
    tell(&alarm->peer);
  }
  pthread_mutex_unlock(&alarm->lock);
}

/* Each time the flag goes up one byte is written. */
void sv_alarm_raise(sv_alarm *alarm) {
  if (__atomic_exchange_n(&alarm->raised, 1, __ATOMIC_SEQ_CST)) {
    return;
  }
  tell(&alarm->writer);
  if (__atomic_load_n(&alarm->has_peer, __ATOMIC_ACQUIRE)) {
    tell_peer(alarm);
  }
}

static void take_down(sv_alarm *alarm) {
  alarm->owed += __atomic_exchange_n(&alarm->raised, 0, __ATOMIC_SEQ_CST);
}

/* Waits for nobody: what a thread is just about to write is owed, and read the
** next time. What it writes meanwhile is left: the flag is up for that. */
void sv_alarm_calm(sv_alarm *alarm) {
  char byte;
  take_down(alarm);
  while (alarm->owed > 0 &&
         recv(alarm->file.number, &byte, 1, MSG_DONTWAIT) == 1) {
    alarm->owed--;
  }
}

void sv_alarm_wait(sv_alarm *alarm, double seconds) {
  const double longest = alarm->file.number < 0 ? 0.02 : 3600;
  struct pollfd file = {.fd = alarm->file.number, .events = POLLIN};
  poll(&file, 1, (int)ceil((seconds < longest ? seconds : longest) * 1000));
}

static int open_door(sv_alarm *alarm) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, alarm->path);
  int door = socket(AF_UNIX, SOCK_STREAM, 0);
  if (door < 0) {
    return errno;
  }
  set_manners(door);
  alarm->door = sv_descriptor_of(door);
  if (bind(door, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(door, 1) != 0) {
    return errno;
  }
  return 0;
}

/* A directory for the door. */
static int make_directory(sv_alarm *alarm) {
  const char *temporary = getenv("TMPDIR");
  int room = (int)(sizeof alarm->path - strlen(DOOR));
  int size = snprintf(alarm->path, (size_t)room, "%s/starvideos-XXXXXX",
                      temporary && *temporary ? temporary : "/tmp");
  int problem = size >= room             ? ENAMETOOLONG
                : mkdtemp(alarm->path) ? 0
                                         : errno;
  if (problem) {
    alarm->path[0] = '\0';
  }
  return problem;
}

int sv_alarm_listen(sv_alarm *alarm) {
  remove_door(alarm);
  set_peer(alarm, -1);
  int problem = make_directory(alarm);
  if (!problem) {
    strcat(alarm->path, DOOR);
    problem = open_door(alarm);
  }
  if (problem) {
    remove_door(alarm);
  }
  return problem;
}

int sv_alarm_accept(sv_alarm *alarm) {
  if (alarm->door.number < 0) {
    return ENOTCONN;
  }
  int peer = accept(alarm->door.number, NULL, NULL);
  if (peer < 0) {
    return errno;
  }
  set_manners(peer);
  remove_door(alarm);
  set_peer(alarm, peer);
  take_down(alarm); /* what the peer was not there to hear is told again */
  sv_alarm_raise(alarm);
  return 0;
}
