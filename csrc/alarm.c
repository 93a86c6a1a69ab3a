#define _GNU_SOURCE /* accept4, dup3, mkdtemp, pipe2 */

#include "alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

static int open_pair(int *file, int *writer) {
#ifdef __linux__
  *file = *writer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return *file < 0 ? errno : 0;
#else
  int ends[2];
  if (pipe(ends) != 0) {
    return errno;
  }
  for (int i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
  }
  *file = ends[0];
  *writer = ends[1];
  return 0;
#endif
}

int sv_alarm_open(sv_alarm *alarm) {
  pthread_mutex_init(&alarm->lock, NULL);
  alarm->door = alarm->peer = -1;
  alarm->raised = 0;
  alarm->path[0] = '\0';
  return open_pair(&alarm->file, &alarm->writer);
}

static void close_file(int *file) {
  if (*file >= 0) {
    close(*file);
    *file = -1;
  }
}

static void set_peer(sv_alarm *alarm, int peer) {
  pthread_mutex_lock(&alarm->lock);
  close_file(&alarm->peer);
  alarm->peer = peer;
  pthread_mutex_unlock(&alarm->lock);
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
  set_peer(alarm, -1);
  pthread_mutex_destroy(&alarm->lock);
  if (alarm->writer != alarm->file) {
    close_file(&alarm->writer);
  }
  close_file(&alarm->file);
}

int sv_alarm_renew(sv_alarm *alarm) {
  int file, writer;
  alarm->path[0] = '\0';
  close_file(&alarm->door);
  pthread_mutex_init(&alarm->lock, NULL); /* the parent's may be held */
  close_file(&alarm->peer);
  int problem = open_pair(&file, &writer);
  if (problem) {
    return problem;
  }
  dup2(file, alarm->file);
  fcntl(alarm->file, F_SETFD, FD_CLOEXEC);
  if (writer == file) {
    close(file);
  } else {
    close(file);
    close(alarm->writer);
    alarm->writer = writer;
  }
  alarm->raised = 0;
  return 0;
}

void sv_alarm_raise(sv_alarm *alarm) {
  if (__atomic_exchange_n(&alarm->raised, 1, __ATOMIC_SEQ_CST)) {
    return;
  }
  const uint64_t one = 1;
  ssize_t written = write(alarm->writer, &one, sizeof one);
  pthread_mutex_lock(&alarm->lock);
  if (alarm->peer >= 0) {
    written = send(alarm->peer, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  pthread_mutex_unlock(&alarm->lock);
  (void)written; /* full: then it is readable anyway */
}

/* First the descriptor, then the flag: what is raised in between is seen by
** who looks now, and what comes later is told. */
void sv_alarm_calm(sv_alarm *alarm) {
  if (__atomic_load_n(&alarm->raised, __ATOMIC_SEQ_CST)) {
    uint64_t bytes;
    while (read(alarm->file, &bytes, sizeof bytes) > 0 &&
           alarm->writer != alarm->file) {
    }
    __atomic_store_n(&alarm->raised, 0, __ATOMIC_SEQ_CST);
  }
}

static int open_door(sv_alarm *alarm) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, alarm->path);
  alarm->door = socket(AF_UNIX, SOCK_STREAM, 0);
  if (alarm->door < 0) {
    return errno;
  }
  fcntl(alarm->door, F_SETFD, FD_CLOEXEC);
  fcntl(alarm->door, F_SETFL, O_NONBLOCK);
  if (bind(alarm->door, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(alarm->door, 1) != 0) {
    return errno;
  }
  return 0;
}

int sv_alarm_listen(sv_alarm *alarm) {
  const char *temporary = getenv("TMPDIR");
  remove_door(alarm);
  set_peer(alarm, -1);
  int size = snprintf(alarm->path, sizeof alarm->path - sizeof "/wake",
                      "%s/starvideos-XXXXXX",
                      temporary && *temporary ? temporary : "/tmp");
  if (size >= (int)(sizeof alarm->path - sizeof "/wake") ||
      !mkdtemp(alarm->path)) {
    int problem = errno ? errno : ENAMETOOLONG;
    alarm->path[0] = '\0';
    return problem;
  }
  strcat(alarm->path, "/wake");
  int problem = open_door(alarm);
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
  fcntl(peer, F_SETFD, FD_CLOEXEC);
  fcntl(peer, F_SETFL, O_NONBLOCK);
  remove_door(alarm);
  set_peer(alarm, peer);
  __atomic_store_n(&alarm->raised, 0, __ATOMIC_SEQ_CST);
  sv_alarm_raise(alarm); /* what was told before, nobody heard */
  return 0;
}
