/*
** How a thread tells an event loop that something is ready: a descriptor that
** becomes readable, and, for a loop that cannot watch one, a byte through a
** unix socket. Raised any number of times before it is calmed, it tells once.
**
** sv_alarm_raise may be called on any thread; all else on the owner's.
*/
#ifndef SV_ALARM_H
#define SV_ALARM_H

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "descriptor.h"

typedef struct sv_alarm {
  int owners;    /* atomic; of one from sv_alarm_new */
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
} sv_alarm;

/* 0 or an errno. */
int sv_alarm_open(sv_alarm *alarm);
void sv_alarm_close(sv_alarm *alarm);

/* One for several owners on several threads, which is closed when the last has
** dropped it. NULL where memory or descriptors are short; errno says which. */
sv_alarm *sv_alarm_new(void);
sv_alarm *sv_alarm_share(sv_alarm *alarm);
void sv_alarm_drop(sv_alarm *alarm);

/* Nobody listens any more: its door and its peer go away. */
void sv_alarm_shut(sv_alarm *alarm);

/* After a fork, before all else: the same descriptor, no longer shared with the
** parent, whose socket is left to it; another one where its number is the
** child's own by now. Where descriptors are short it is gone. A second time it
** does nothing. */
void sv_alarm_renew(sv_alarm *alarm);

void sv_alarm_raise(sv_alarm *alarm);

/* To be called before one looks at what is ready, or a tell is lost. */
void sv_alarm_calm(sv_alarm *alarm);

/* Sleeps until it is raised, a signal comes or the time is up; an hour at most,
** and not long where descriptors were short, for then nobody tells. */
void sv_alarm_wait(sv_alarm *alarm, double seconds);

/* Opens the door: a socket in a directory below TMPDIR or /tmp that nobody
** else may enter; its path is in `path`. 0 or an errno. */
int sv_alarm_listen(sv_alarm *alarm);

/* Lets in who has connected, and removes door and directory. 0 or an errno:
** EAGAIN where nobody has. */
int sv_alarm_accept(sv_alarm *alarm);

#endif
