#define _GNU_SOURCE /* mkdtemp */

#include "alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

static const char DOOR[] = "/wake";

/* Never waited for, and not inherited by programs that the host starts. */
static void set_manners(int file) {
  fcntl(file, F_SETFL, O_NONBLOCK);
  fcntl(file, F_SETFD, FD_CLOEXEC);
}

static int open_pair(int *file, int *writer) {
#ifdef __linux__
  *file = *writer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
  return *file < 0 ? errno : 0;
#else
  int ends[2];
  if (pipe(ends) != 0) {
    return errno;
  }
  set_manners(ends[0]);
  set_manners(ends[1]);
  *file = ends[0];
  *writer = ends[1];
  return 0;
#endif
}

int sv_alarm_open(sv_alarm *alarm) {
  alarm->door = alarm->peer = -1;
  alarm->raised = alarm->has_peer = 0;
  alarm->owed = 0;
  alarm->path[0] = '\0';
  pthread_mutex_init(&alarm->lock, NULL);
  return open_pair(&alarm->file, &alarm->writer);
}

static void close_file(int *file) {
  if (*file >= 0) {
    close(*file);
    *file = -1;
  }
}

/* The system gives the number of a closed descriptor to whatever is opened
** next: who raises the alarm must not be about to write there. */
static void set_peer(sv_alarm *alarm, int peer) {
  pthread_mutex_lock(&alarm->lock);
  close_file(&alarm->peer);
  alarm->peer = peer;
  pthread_mutex_unlock(&alarm->lock);
  __atomic_store_n(&alarm->has_peer, peer >= 0, __ATOMIC_RELEASE);
}

static void remove_door(sv_alarm *alarm) {
  close_file(&alarm->door);
  if (alarm->path[0]) {
    unlink(alarm->path);
    *strrchr(alarm->path, '/') = '\0';
    rmdir(alarm->path);
    alarm->path[0] = '\0';
  }
}

void sv_alarm_close(sv_alarm *alarm) {
  remove_door(alarm);
  close_file(&alarm->peer);
  if (alarm->writer != alarm->file) {
    close_file(&alarm->writer);
  }
  close_file(&alarm->file);
  pthread_mutex_destroy(&alarm->lock);
}

/* Puts it where its forerunner was. */
static void move_file(sv_alarm *alarm, int number) {
  dup2(alarm->file, number);
  fcntl(number, F_SETFD, FD_CLOEXEC);
  close(alarm->file);
  alarm->writer = alarm->writer == alarm->file ? number : alarm->writer;
  alarm->file = number;
}

/* The lock may be held for ever, by a thread of the parent's. */
void sv_alarm_renew(sv_alarm *alarm) {
  int number = alarm->file;
  pthread_mutex_init(&alarm->lock, NULL);
  alarm->path[0] = '\0';
  alarm->raised = alarm->has_peer = 0;
  alarm->owed = 0;
  close_file(&alarm->door);
  close_file(&alarm->peer);
  close_file(&alarm->file); /* first, so that there is room for the new one */
  if (alarm->writer != number) {
    close(alarm->writer);
  }
  if (open_pair(&alarm->file, &alarm->writer) != 0) {
    alarm->file = alarm->writer = -1;
  } else if (alarm->file != number) {
    move_file(alarm, number);
  }
}

static void tell_peer(sv_alarm *alarm) {
  pthread_mutex_lock(&alarm->lock);
  if (alarm->peer >= 0) {
    ssize_t sent = send(alarm->peer, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* full: then it is readable anyway */
  }
  pthread_mutex_unlock(&alarm->lock);
}

/* Each time the flag goes up one is written. */
void sv_alarm_raise(sv_alarm *alarm) {
  const uint64_t one = 1;
  if (__atomic_exchange_n(&alarm->raised, 1, __ATOMIC_SEQ_CST)) {
    return;
  }
  ssize_t written = write(alarm->writer, &one, sizeof one);
  (void)written;
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
  uint64_t one;
  take_down(alarm);
  while (alarm->owed > 0 && read(alarm->file, &one, sizeof one) == sizeof one) {
    alarm->owed--;
  }
}

static int open_door(sv_alarm *alarm) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, alarm->path);
  alarm->door = socket(AF_UNIX, SOCK_STREAM, 0);
  if (alarm->door < 0) {
    return errno;
  }
  set_manners(alarm->door);
  if (bind(alarm->door, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(alarm->door, 1) != 0) {
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
  if (alarm->door < 0) {
    return ENOTCONN;
  }
  int peer = accept(alarm->door, NULL, NULL);
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
