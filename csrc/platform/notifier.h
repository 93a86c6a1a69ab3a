/*
** How a thread tells an event loop that something is ready: a descriptor that
** becomes readable, and, for a loop that cannot watch one, a byte through a
** unix socket. Raised any number of times before it is calmed, it tells once.
**
** sv_notifier_raise may be called on any thread; all else on the owner's.
*/
#ifndef SV_PLATFORM_NOTIFIER_H
#define SV_PLATFORM_NOTIFIER_H

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "platform/descriptor.h"

typedef struct sv_notifier {
  int owners;    /* atomic; of one from sv_notifier_new */
  pid_t process; /* whose descriptors these are */
  sv_descriptor file;   /* to be watched; none where descriptors are short */
  sv_descriptor writer; /* its other end */
  sv_descriptor door;   /* listening socket, or none */
  int raised;           /* atomic */
  long owed; /* of what is or will be written, not yet read */
  pthread_mutex_t lock;
  sv_descriptor peer; /* under the lock: who came through the door, or none */
  int has_peer;       /* atomic */
  /* Of the door, in a directory of its own; "": none. */
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
} sv_notifier;

/* 0 or an errno. */
int sv_notifier_open(sv_notifier *notifier);
void sv_notifier_close(sv_notifier *notifier);

/* One for several owners on several threads, which is closed when the last has
** dropped it. NULL where memory or descriptors are short; errno says which. */
sv_notifier *sv_notifier_new(void);
sv_notifier *sv_notifier_share(sv_notifier *notifier);
void sv_notifier_drop(sv_notifier *notifier);

/* Nobody listens any more: its door and its peer go away. */
void sv_notifier_shut(sv_notifier *notifier);

/* After a fork, before all else: the same descriptor, no longer shared with the
** parent, whose socket is left to it; another one where its number is the
** child's own by now. Where descriptors are short it is gone. A second time it
** does nothing. */
void sv_notifier_renew(sv_notifier *notifier);

void sv_notifier_raise(sv_notifier *notifier);

/* To be called before one looks at what is ready, or a tell is lost. */
void sv_notifier_calm(sv_notifier *notifier);

/* Sleeps until it is raised, a signal comes or the time is up; an hour at most,
** and not long where descriptors were short, for then nobody tells. */
void sv_notifier_wait(sv_notifier *notifier, double seconds);

/* Opens the door: a socket in a directory below TMPDIR or /tmp that nobody
** else may enter; its path is in `path`. 0 or an errno. */
int sv_notifier_listen(sv_notifier *notifier);

/* Lets in who has connected, and removes door and directory. 0 or an errno:
** EAGAIN where nobody has. */
int sv_notifier_accept(sv_notifier *notifier);

#endif
