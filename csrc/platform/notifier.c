#define _GNU_SOURCE /* mkdtemp, F_DUPFD_CLOEXEC */

#include "platform/notifier.h"

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
static int open_pair(sv_notifier *notifier) {
  int ends[2] = {-1, -1}, kind = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  kind |= SOCK_CLOEXEC;
#endif
  int problem = socketpair(AF_UNIX, kind, 0, ends) == 0 ? 0 : errno;
  for (int i = 0; i < 2 && !problem; i++) {
    set_manners(ends[i]);
  }
  notifier->file = sv_descriptor_of(ends[0]);
  notifier->writer = sv_descriptor_of(ends[1]);
  notifier->process = getpid();
  return problem;
}

int sv_notifier_open(sv_notifier *notifier) {
  notifier->door = notifier->peer = sv_descriptor_of(-1);
  notifier->raised = notifier->has_peer = 0;
  notifier->owed = 0;
  notifier->path[0] = '\0';
  pthread_mutex_init(&notifier->lock, NULL);
  return open_pair(notifier);
}

/* The system gives the number of a closed descriptor to whatever is opened
** next: who raises the notifier must not be about to write there. */
static void set_peer(sv_notifier *notifier, int peer) {
  pthread_mutex_lock(&notifier->lock);
  sv_descriptor_close(&notifier->peer);
  notifier->peer = sv_descriptor_of(peer);
  pthread_mutex_unlock(&notifier->lock);
  __atomic_store_n(&notifier->has_peer, peer >= 0, __ATOMIC_RELEASE);
}

static void remove_door(sv_notifier *notifier) {
  sv_descriptor_close(&notifier->door);
  if (notifier->path[0]) {
    unlink(notifier->path);
    *strrchr(notifier->path, '/') = '\0';
    rmdir(notifier->path);
    notifier->path[0] = '\0';
  }
}

void sv_notifier_close(sv_notifier *notifier) {
  remove_door(notifier);
  sv_descriptor_close(&notifier->peer);
  sv_descriptor_close(&notifier->writer);
  sv_descriptor_close(&notifier->file);
  pthread_mutex_destroy(&notifier->lock);
}

sv_notifier *sv_notifier_new(void) {
  sv_notifier *notifier = calloc(1, sizeof *notifier);
  int problem = notifier ? sv_notifier_open(notifier) : ENOMEM;
  if (problem) {
    free(notifier);
    errno = problem;
    return NULL;
  }
  notifier->owners = 1;
  return notifier;
}

sv_notifier *sv_notifier_share(sv_notifier *notifier) {
  __atomic_add_fetch(&notifier->owners, 1, __ATOMIC_RELAXED);
  return notifier;
}

void sv_notifier_drop(sv_notifier *notifier) {
  if (__atomic_sub_fetch(&notifier->owners, 1, __ATOMIC_ACQ_REL) == 0) {
    sv_notifier_close(notifier);
    free(notifier);
  }
}

void sv_notifier_shut(sv_notifier *notifier) {
  remove_door(notifier);
  set_peer(notifier, -1);
}

/* Puts it where its forerunner was, unless somebody else has come there. */
static void move_file(sv_notifier *notifier, int number) {
  int there = fcntl(notifier->file.number, F_DUPFD_CLOEXEC, number);
  if (there == number) {
    close(notifier->file.number);
    notifier->file.number = number;
  } else if (there >= 0) {
    close(there);
  }
}

/* The lock may be held for ever, by a thread of the parent's. */
void sv_notifier_renew(sv_notifier *notifier) {
  if (notifier->process == getpid()) {
    return;
  }
  bool ours = sv_descriptor_holds(&notifier->file);
  int number = notifier->file.number;
  pthread_mutex_init(&notifier->lock, NULL);
  notifier->path[0] = '\0';
  notifier->raised = notifier->has_peer = 0;
  notifier->owed = 0;
  sv_descriptor_close(&notifier->door);
  sv_descriptor_close(&notifier->peer);
  sv_descriptor_close(&notifier->file); /* first, so that there is room */
  sv_descriptor_close(&notifier->writer);
  if (open_pair(notifier) == 0 && ours && notifier->file.number != number) {
    move_file(notifier, number);
  }
}

/* Where it is full, it is readable anyway. */
static void tell(const sv_descriptor *ear) {
  ssize_t sent = send(ear->number, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent;
}

static void tell_peer(sv_notifier *notifier) {
  pthread_mutex_lock(&notifier->lock);
  if (notifier->peer.number >= 0) {
    tell(&notifier->peer);
  }
  pthread_mutex_unlock(&notifier->lock);
}

/* Each time the flag goes up one byte is written. */
void sv_notifier_raise(sv_notifier *notifier) {
  if (__atomic_exchange_n(&notifier->raised, 1, __ATOMIC_SEQ_CST)) {
    return;
  }
  tell(&notifier->writer);
  if (__atomic_load_n(&notifier->has_peer, __ATOMIC_ACQUIRE)) {
    tell_peer(notifier);
  }
}

static void take_down(sv_notifier *notifier) {
  notifier->owed += __atomic_exchange_n(&notifier->raised, 0, __ATOMIC_SEQ_CST);
}

/* Waits for nobody: what a thread is just about to write is owed, and read the
** next time. What it writes meanwhile is left: the flag is up for that. */
void sv_notifier_calm(sv_notifier *notifier) {
  char byte;
  take_down(notifier);
  while (notifier->owed > 0 &&
         recv(notifier->file.number, &byte, 1, MSG_DONTWAIT) == 1) {
    notifier->owed--;
  }
}

void sv_notifier_wait(sv_notifier *notifier, double seconds) {
  const double longest = notifier->file.number < 0 ? 0.02 : 3600;
  struct pollfd file = {.fd = notifier->file.number, .events = POLLIN};
  poll(&file, 1, (int)ceil((seconds < longest ? seconds : longest) * 1000));
}

static int open_door(sv_notifier *notifier) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, notifier->path);
  int door = socket(AF_UNIX, SOCK_STREAM, 0);
  if (door < 0) {
    return errno;
  }
  set_manners(door);
  notifier->door = sv_descriptor_of(door);
  if (bind(door, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(door, 1) != 0) {
    return errno;
  }
  return 0;
}

/* A directory for the door. */
static int make_directory(sv_notifier *notifier) {
  const char *temporary = getenv("TMPDIR");
  int room = (int)(sizeof notifier->path - strlen(DOOR));
  int size = snprintf(notifier->path, (size_t)room, "%s/starvideos-XXXXXX",
                      temporary && *temporary ? temporary : "/tmp");
  int problem = size >= room             ? ENAMETOOLONG
                : mkdtemp(notifier->path) ? 0
                                         : errno;
  if (problem) {
    notifier->path[0] = '\0';
  }
  return problem;
}

int sv_notifier_listen(sv_notifier *notifier) {
  remove_door(notifier);
  set_peer(notifier, -1);
  int problem = make_directory(notifier);
  if (!problem) {
    strcat(notifier->path, DOOR);
    problem = open_door(notifier);
  }
  if (problem) {
    remove_door(notifier);
  }
  return problem;
}

int sv_notifier_accept(sv_notifier *notifier) {
  if (notifier->door.number < 0) {
    return ENOTCONN;
  }
  int peer = accept(notifier->door.number, NULL, NULL);
  if (peer < 0) {
    return errno;
  }
  set_manners(peer);
  remove_door(notifier);
  set_peer(notifier, peer);
  take_down(notifier); /* what the peer was not there to hear is told again */
  sv_notifier_raise(notifier);
  return 0;
}
