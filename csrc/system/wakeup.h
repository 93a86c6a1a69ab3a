/*
** How a thread tells an event loop that something is ready: a descriptor that
** becomes readable, and, for a loop that cannot watch one, a byte through a
** local socket. Notified any number of times before it is cleared, it tells
** once.
**
** It has several owners on several threads, and is closed when the last has
** dropped it. sv_wakeup_notify, _share and _drop may be called on any
** thread; all else on the thread that waits. Each int but the descriptor is 0
** or an errno.
*/
#ifndef SV_SYSTEM_WAKEUP_H
#define SV_SYSTEM_WAKEUP_H

#include <stdbool.h>

typedef struct sv_wakeup sv_wakeup;

/* NULL where memory or descriptors are short; errno says which. */
sv_wakeup *sv_wakeup_new(void);
sv_wakeup *sv_wakeup_share(sv_wakeup *wakeup);
void sv_wakeup_drop(sv_wakeup *wakeup);

/* Whether its descriptors are still its own: the host may have closed them, and
** have something else there by now. Nothing is ever written or read there. */
bool sv_wakeup_holds(const sv_wakeup *wakeup);

/* Where they are not, opens others, and notifies, for what was notified is
** lost; false where descriptors are short. */
bool sv_wakeup_repair(sv_wakeup *wakeup);

/* To be watched; -1 where descriptors were short after a fork. Like
** sv_wakeup_clear and sv_wakeup_wait it repairs first. */
int sv_wakeup_descriptor(sv_wakeup *wakeup);

void sv_wakeup_notify(sv_wakeup *wakeup);

/* To be called before one looks at what is ready, or what becomes ready
** meanwhile is told to nobody. */
void sv_wakeup_clear(sv_wakeup *wakeup);

/* Sleeps until it is notified, a signal comes or the time is up; an hour at
** most, and not long where it has no descriptor, for then nobody tells. */
void sv_wakeup_wait(sv_wakeup *wakeup, double seconds);

/* Listens on a socket in a directory below TMPDIR or /tmp that nobody else may
** enter. `path` is the wakeup's, until the next call. */
int sv_wakeup_listen(sv_wakeup *wakeup, const char **path);

/* Takes the peer that has connected, which gets a byte each time from now on,
** and stops listening. EAGAIN where nobody has connected. */
int sv_wakeup_accept(sv_wakeup *wakeup);

/* Stops listening, and drops the peer. */
void sv_wakeup_disconnect(sv_wakeup *wakeup);

/* In the child of a fork, before all else: the same descriptor, no longer
** shared with the parent, whose socket is left to it; another one where its
** number is the child's own by now; none where descriptors are short. Where no
** fork came between it does nothing. */
void sv_wakeup_reopen(sv_wakeup *wakeup);

#endif
