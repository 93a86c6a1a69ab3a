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

typedef struct sv_alarm {
  int file;   /* to be watched; -1: none */
  int writer; /* where it is a pipe, its other end, else the same */
  int door;   /* listening socket, or -1 */
  int raised; /* atomic */
  long owed;  /* of what is or will be written, not yet read */
  pthread_mutex_t lock;
  int peer;     /* under the lock: who came through the door, or -1 */
  int has_peer; /* atomic */
  /* Of the door, in a directory of its own; "": none. */
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
} sv_alarm;

/* 0 or an errno. */
int sv_alarm_open(sv_alarm *alarm);
void sv_alarm_close(sv_alarm *alarm);

/* After a fork: the same descriptor, no longer shared with the parent, whose
** socket is left to it. Where descriptors are short it is gone. */
void sv_alarm_renew(sv_alarm *alarm);

void sv_alarm_raise(sv_alarm *alarm);

/* To be called before one looks at what is ready, or a tell is lost. */
void sv_alarm_calm(sv_alarm *alarm);

/* Opens the door: a socket in a directory below TMPDIR or /tmp that nobody
** else may enter; its path is in `path`. 0 or an errno. */
int sv_alarm_listen(sv_alarm *alarm);

/* Lets in who has connected, and removes door and directory. 0 or an errno:
** EAGAIN where nobody has. */
int sv_alarm_accept(sv_alarm *alarm);

#endif
