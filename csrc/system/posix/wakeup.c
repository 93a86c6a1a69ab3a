#define _GNU_SOURCE /* mkdtemp, F_DUPFD_CLOEXEC */

#include "system/wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "system/descriptor.h"
#include "system/process.h"

#include "rules/visibility.h"

/* Where no flag of a call keeps SIGPIPE away, an option of the socket does. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static const char SOCKET_NAME[] = "/wake";

struct sv_wakeup {
  _Atomic int owners;
  long process;           /* whose descriptors these are */
  sv_descriptor reader;   /* to be watched; none where descriptors are short */
  sv_descriptor writer;   /* its other end */
  sv_descriptor listener; /* or none */
  _Atomic int is_set;     /* notified, and not cleared */
  long unread;            /* bytes that were or will be written */
  pthread_mutex_t lock; /* held to write, and to change where that goes */
  sv_descriptor peer;   /* who has connected, or none */
  /* Of the listener, in a directory of its own; "": none. */
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

/* --- start and end -------------------------------------------------------- */

/* Never waited for, and not inherited by programs that the host starts. */
static void set_flags(int file) {
  fcntl(file, F_SETFL, O_NONBLOCK);
#ifdef SO_NOSIGPIPE
  const int yes = 1;
  setsockopt(file, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
  sv_descriptor_keep_private(file);
}

/* Sockets, not an eventfd: all of those have one inode, and would be taken for
** each other. */
static int open_pair(sv_wakeup *wakeup) {
  int ends[2] = {-1, -1}, kind = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  kind |= SOCK_CLOEXEC;
#endif
  sv_descriptor_fill_standard();
  int problem = socketpair(AF_UNIX, kind, 0, ends) == 0 ? 0 : errno;
  for (int i = 0; i < 2 && !problem; i++) {
    set_flags(ends[i]);
  }
  wakeup->reader = sv_descriptor_of(ends[0]);
  wakeup->writer = sv_descriptor_of(ends[1]);
  wakeup->process = sv_process_id();
  return problem;
}

sv_wakeup *sv_wakeup_new(void) {
  sv_wakeup *wakeup = calloc(1, sizeof *wakeup);
  int problem = wakeup ? open_pair(wakeup) : ENOMEM;
  if (problem) {
    free(wakeup);
    errno = problem;
    return NULL;
  }
  wakeup->owners = 1;
  wakeup->listener = wakeup->peer = sv_descriptor_of(-1);
  pthread_mutex_init(&wakeup->lock, NULL);
  return wakeup;
}

sv_wakeup *sv_wakeup_share(sv_wakeup *wakeup) {
  wakeup->owners++;
  return wakeup;
}

static void stop_listening(sv_wakeup *wakeup) {
  sv_descriptor_close(&wakeup->listener);
  if (wakeup->path[0]) {
    unlink(wakeup->path);
    *strrchr(wakeup->path, '/') = '\0';
    rmdir(wakeup->path);
    wakeup->path[0] = '\0';
  }
}

void sv_wakeup_drop(sv_wakeup *wakeup) {
  if (--wakeup->owners > 0) {
    return;
  }
  stop_listening(wakeup);
  sv_descriptor_close(&wakeup->peer);
  sv_descriptor_close(&wakeup->writer);
  sv_descriptor_close(&wakeup->reader);
  pthread_mutex_destroy(&wakeup->lock);
  free(wakeup);
}

/* Puts it where its forerunner was, unless somebody else has come there. */
static void move_reader(sv_wakeup *wakeup, int number) {
  int there = fcntl(wakeup->reader.number, F_DUPFD_CLOEXEC, number);
  if (there == number) {
    close(wakeup->reader.number);
    wakeup->reader.number = number;
  } else if (there >= 0) {
    close(there);
  }
}

/* The lock may be held for ever, by a thread of the parent's. */
void sv_wakeup_reopen(sv_wakeup *wakeup) {
  if (wakeup->process == sv_process_id()) {
    return;
  }
  bool ours = sv_descriptor_holds(&wakeup->reader);
  int number = wakeup->reader.number;
  pthread_mutex_init(&wakeup->lock, NULL);
  wakeup->path[0] = '\0';
  wakeup->is_set = 0;
  wakeup->unread = 0;
  sv_descriptor_close(&wakeup->listener);
  sv_descriptor_close(&wakeup->peer);
  sv_descriptor_close(&wakeup->reader); /* first, so that there is room */
  sv_descriptor_close(&wakeup->writer);
  if (open_pair(wakeup) == 0 && ours && wakeup->reader.number != number) {
    move_reader(wakeup, number);
  }
}

/* --- telling -------------------------------------------------------------- */

/* Where the socket is full, it is readable anyway. */
static void send_byte(const sv_descriptor *to) {
  if (sv_descriptor_holds(to)) {
    ssize_t sent = send(to->number, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
  }
}

/* Each time the flag is set one byte is written. The system gives the number of
** a closed descriptor to whatever is opened next: so nobody closes one of these
** while a thread is about to write there. */
void sv_wakeup_notify(sv_wakeup *wakeup) {
  if (wakeup->is_set) {
    return;
  }
  pthread_mutex_lock(&wakeup->lock);
  if (!atomic_exchange(&wakeup->is_set, 1)) {
    send_byte(&wakeup->writer);
    send_byte(&wakeup->peer);
  }
  pthread_mutex_unlock(&wakeup->lock);
}

bool sv_wakeup_holds(const sv_wakeup *wakeup) {
  return sv_descriptor_holds(&wakeup->reader) &&
         sv_descriptor_holds(&wakeup->writer);
}

static bool replace(sv_wakeup *wakeup) {
  int number = wakeup->reader.number;
  pthread_mutex_lock(&wakeup->lock);
  sv_descriptor_close(&wakeup->reader);
  sv_descriptor_close(&wakeup->writer);
  bool opened = open_pair(wakeup) == 0;
  if (opened && number >= 0 && wakeup->reader.number != number) {
    move_reader(wakeup, number);
  }
  wakeup->unread = 0;
  wakeup->is_set = 0;
  pthread_mutex_unlock(&wakeup->lock);
  return opened;
}

bool sv_wakeup_repair(sv_wakeup *wakeup) {
  if (sv_wakeup_holds(wakeup)) {
    return true;
  }
  bool opened = replace(wakeup);
  sv_wakeup_notify(wakeup);
  return opened;
}

int sv_wakeup_descriptor(sv_wakeup *wakeup) {
  sv_wakeup_repair(wakeup);
  return wakeup->reader.number;
}

static void clear_flag(sv_wakeup *wakeup) {
  wakeup->unread += atomic_exchange(&wakeup->is_set, 0);
}

/* Waits for nobody: what a thread is just about to write stays counted as
** unread, until the next time. What it writes meanwhile is left: the flag is
** set for that. */
void sv_wakeup_clear(sv_wakeup *wakeup) {
  char byte;
  sv_wakeup_repair(wakeup);
  clear_flag(wakeup);
  while (wakeup->unread > 0 &&
         recv(wakeup->reader.number, &byte, 1, MSG_DONTWAIT) == 1) {
    wakeup->unread--;
  }
}

void sv_wakeup_wait(sv_wakeup *wakeup, double seconds) {
  const double longest = sv_wakeup_repair(wakeup) ? 3600 : 0.02;
  struct pollfd file = {.fd = wakeup->reader.number, .events = POLLIN};
  poll(&file, 1, (int)ceil((seconds < longest ? seconds : longest) * 1000));
}

/* --- the peer ------------------------------------------------------------- */

static void set_peer(sv_wakeup *wakeup, int peer) {
  pthread_mutex_lock(&wakeup->lock);
  sv_descriptor_close(&wakeup->peer);
  wakeup->peer = sv_descriptor_of(peer);
  pthread_mutex_unlock(&wakeup->lock);
}

void sv_wakeup_disconnect(sv_wakeup *wakeup) {
  stop_listening(wakeup);
  set_peer(wakeup, -1);
}

static int open_listener(sv_wakeup *wakeup) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, wakeup->path);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (listener < 0) {
    return errno;
  }
  set_flags(listener);
  wakeup->listener = sv_descriptor_of(listener);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, 1) != 0) {
    return errno;
  }
  return 0;
}

static int make_directory(sv_wakeup *wakeup) {
  const char *temporary = getenv("TMPDIR");
  int room = (int)(sizeof wakeup->path - strlen(SOCKET_NAME));
  int size = snprintf(wakeup->path, (size_t)room, "%s/starvideos-XXXXXX",
                      temporary && *temporary ? temporary : "/tmp");
  int problem = size >= room              ? ENAMETOOLONG
                : mkdtemp(wakeup->path) ? 0
                                          : errno;
  if (problem) {
    wakeup->path[0] = '\0';
  }
  return problem;
}

int sv_wakeup_listen(sv_wakeup *wakeup, const char **path) {
  sv_wakeup_disconnect(wakeup);
  *path = wakeup->path;
  int problem = make_directory(wakeup);
  if (!problem) {
    strcat(wakeup->path, SOCKET_NAME);
    problem = open_listener(wakeup);
  }
  if (problem) {
    stop_listening(wakeup);
  }
  return problem;
}

int sv_wakeup_accept(sv_wakeup *wakeup) {
  if (wakeup->listener.number < 0) {
    return ENOTCONN;
  }
  int peer = sv_descriptor_holds(&wakeup->listener)
                 ? accept(wakeup->listener.number, NULL, NULL)
                 : -1;
  if (peer < 0) {
    return errno;
  }
  set_flags(peer);
  stop_listening(wakeup);
  set_peer(wakeup, peer);
  clear_flag(wakeup); /* what the peer was not there to hear is told again */
  sv_wakeup_notify(wakeup);
  return 0;
}
