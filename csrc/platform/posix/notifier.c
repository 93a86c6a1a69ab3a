#define _GNU_SOURCE /* mkdtemp, F_DUPFD_CLOEXEC */

#include "platform/notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform/descriptor.h"
#include "platform/process.h"

#include "core/hidden.h"

/* Where no flag of a call keeps SIGPIPE away, an option of the socket does. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static const char SOCKET_NAME[] = "/wake";

struct sv_notifier {
  int owners;             /* atomic */
  long process;           /* whose descriptors these are */
  sv_descriptor reader;   /* to be watched; none where descriptors are short */
  sv_descriptor writer;   /* its other end */
  sv_descriptor listener; /* or none */
  int is_set;             /* atomic: notified, and not cleared */
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
static int open_pair(sv_notifier *notifier) {
  int ends[2] = {-1, -1}, kind = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  kind |= SOCK_CLOEXEC;
#endif
  sv_descriptor_fill_standard();
  int problem = socketpair(AF_UNIX, kind, 0, ends) == 0 ? 0 : errno;
  for (int i = 0; i < 2 && !problem; i++) {
    set_flags(ends[i]);
  }
  notifier->reader = sv_descriptor_of(ends[0]);
  notifier->writer = sv_descriptor_of(ends[1]);
  notifier->process = sv_process_id();
  return problem;
}

sv_notifier *sv_notifier_new(void) {
  sv_notifier *notifier = calloc(1, sizeof *notifier);
  int problem = notifier ? open_pair(notifier) : ENOMEM;
  if (problem) {
    free(notifier);
    errno = problem;
    return NULL;
  }
  notifier->owners = 1;
  notifier->listener = notifier->peer = sv_descriptor_of(-1);
  pthread_mutex_init(&notifier->lock, NULL);
  return notifier;
}

sv_notifier *sv_notifier_share(sv_notifier *notifier) {
  __atomic_add_fetch(&notifier->owners, 1, __ATOMIC_RELAXED);
  return notifier;
}

static void stop_listening(sv_notifier *notifier) {
  sv_descriptor_close(&notifier->listener);
  if (notifier->path[0]) {
    unlink(notifier->path);
    *strrchr(notifier->path, '/') = '\0';
    rmdir(notifier->path);
    notifier->path[0] = '\0';
  }
}

void sv_notifier_drop(sv_notifier *notifier) {
  if (__atomic_sub_fetch(&notifier->owners, 1, __ATOMIC_ACQ_REL) > 0) {
    return;
  }
  stop_listening(notifier);
  sv_descriptor_close(&notifier->peer);
  sv_descriptor_close(&notifier->writer);
  sv_descriptor_close(&notifier->reader);
  pthread_mutex_destroy(&notifier->lock);
  free(notifier);
}

/* Puts it where its forerunner was, unless somebody else has come there. */
static void move_reader(sv_notifier *notifier, int number) {
  int there = fcntl(notifier->reader.number, F_DUPFD_CLOEXEC, number);
  if (there == number) {
    close(notifier->reader.number);
    notifier->reader.number = number;
  } else if (there >= 0) {
    close(there);
  }
}

/* The lock may be held for ever, by a thread of the parent's. */
void sv_notifier_reopen(sv_notifier *notifier) {
  if (notifier->process == sv_process_id()) {
    return;
  }
  bool ours = sv_descriptor_holds(&notifier->reader);
  int number = notifier->reader.number;
  pthread_mutex_init(&notifier->lock, NULL);
  notifier->path[0] = '\0';
  notifier->is_set = 0;
  notifier->unread = 0;
  sv_descriptor_close(&notifier->listener);
  sv_descriptor_close(&notifier->peer);
  sv_descriptor_close(&notifier->reader); /* first, so that there is room */
  sv_descriptor_close(&notifier->writer);
  if (open_pair(notifier) == 0 && ours && notifier->reader.number != number) {
    move_reader(notifier, number);
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
void sv_notifier_notify(sv_notifier *notifier) {
  if (__atomic_load_n(&notifier->is_set, __ATOMIC_SEQ_CST)) {
    return;
  }
  pthread_mutex_lock(&notifier->lock);
  if (!__atomic_exchange_n(&notifier->is_set, 1, __ATOMIC_SEQ_CST)) {
    send_byte(&notifier->writer);
    send_byte(&notifier->peer);
  }
  pthread_mutex_unlock(&notifier->lock);
}

bool sv_notifier_holds(const sv_notifier *notifier) {
  return sv_descriptor_holds(&notifier->reader) &&
         sv_descriptor_holds(&notifier->writer);
}

static bool replace(sv_notifier *notifier) {
  int number = notifier->reader.number;
  pthread_mutex_lock(&notifier->lock);
  sv_descriptor_close(&notifier->reader);
  sv_descriptor_close(&notifier->writer);
  bool opened = open_pair(notifier) == 0;
  if (opened && number >= 0 && notifier->reader.number != number) {
    move_reader(notifier, number);
  }
  notifier->unread = 0;
  __atomic_store_n(&notifier->is_set, 0, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&notifier->lock);
  return opened;
}

bool sv_notifier_repair(sv_notifier *notifier) {
  if (sv_notifier_holds(notifier)) {
    return true;
  }
  bool opened = replace(notifier);
  sv_notifier_notify(notifier);
  return opened;
}

int sv_notifier_descriptor(sv_notifier *notifier) {
  sv_notifier_repair(notifier);
  return notifier->reader.number;
}

static void clear_flag(sv_notifier *notifier) {
  notifier->unread += __atomic_exchange_n(&notifier->is_set, 0,
                                          __ATOMIC_SEQ_CST);
}

/* Waits for nobody: what a thread is just about to write stays counted as
** unread, until the next time. What it writes meanwhile is left: the flag is
** set for that. */
void sv_notifier_clear(sv_notifier *notifier) {
  char byte;
  sv_notifier_repair(notifier);
  clear_flag(notifier);
  while (notifier->unread > 0 &&
         recv(notifier->reader.number, &byte, 1, MSG_DONTWAIT) == 1) {
    notifier->unread--;
  }
}

void sv_notifier_wait(sv_notifier *notifier, double seconds) {
  const double longest = sv_notifier_repair(notifier) ? 3600 : 0.02;
  struct pollfd file = {.fd = notifier->reader.number, .events = POLLIN};
  poll(&file, 1, (int)ceil((seconds < longest ? seconds : longest) * 1000));
}

/* --- the peer ------------------------------------------------------------- */

static void set_peer(sv_notifier *notifier, int peer) {
  pthread_mutex_lock(&notifier->lock);
  sv_descriptor_close(&notifier->peer);
  notifier->peer = sv_descriptor_of(peer);
  pthread_mutex_unlock(&notifier->lock);
}

void sv_notifier_disconnect(sv_notifier *notifier) {
  stop_listening(notifier);
  set_peer(notifier, -1);
}

static int open_listener(sv_notifier *notifier) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, notifier->path);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (listener < 0) {
    return errno;
  }
  set_flags(listener);
  notifier->listener = sv_descriptor_of(listener);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, 1) != 0) {
    return errno;
  }
  return 0;
}

static int make_directory(sv_notifier *notifier) {
  const char *temporary = getenv("TMPDIR");
  int room = (int)(sizeof notifier->path - strlen(SOCKET_NAME));
  int size = snprintf(notifier->path, (size_t)room, "%s/starvideos-XXXXXX",
                      temporary && *temporary ? temporary : "/tmp");
  int problem = size >= room              ? ENAMETOOLONG
                : mkdtemp(notifier->path) ? 0
                                          : errno;
  if (problem) {
    notifier->path[0] = '\0';
  }
  return problem;
}

int sv_notifier_listen(sv_notifier *notifier, const char **path) {
  sv_notifier_disconnect(notifier);
  *path = notifier->path;
  int problem = make_directory(notifier);
  if (!problem) {
    strcat(notifier->path, SOCKET_NAME);
    problem = open_listener(notifier);
  }
  if (problem) {
    stop_listening(notifier);
  }
  return problem;
}

int sv_notifier_accept(sv_notifier *notifier) {
  if (notifier->listener.number < 0) {
    return ENOTCONN;
  }
  int peer = sv_descriptor_holds(&notifier->listener)
                 ? accept(notifier->listener.number, NULL, NULL)
                 : -1;
  if (peer < 0) {
    return errno;
  }
  set_flags(peer);
  stop_listening(notifier);
  set_peer(notifier, peer);
  clear_flag(notifier); /* what the peer was not there to hear is told again */
  sv_notifier_notify(notifier);
  return 0;
}
