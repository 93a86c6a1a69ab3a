/*
** How a thread tells an event loop that something is ready: a descriptor that
** becomes readable, and, for a loop that cannot watch one, a byte through a
** local socket. Notified any number of times before it is cleared, it tells
** once.
**
** It has several owners on several threads, and is closed when the last has
** dropped it. sv_notifier_notify, _share and _drop may be called on any
** thread; all else on the thread that waits. Each int but the descriptor is 0
** or an errno.
*/
#ifndef SV_PLATFORM_NOTIFIER_H
#define SV_PLATFORM_NOTIFIER_H

#include <stdbool.h>

typedef struct sv_notifier sv_notifier;

/* NULL where memory or descriptors are short; errno says which. */
sv_notifier *sv_notifier_new(void);
sv_notifier *sv_notifier_share(sv_notifier *notifier);
void sv_notifier_drop(sv_notifier *notifier);

/* Whether its descriptors are still its own: the host may have closed them, and
** have something else there by now. Nothing is ever written or read there. */
bool sv_notifier_holds(const sv_notifier *notifier);

/* Where they are not, opens others, and notifies, for what was notified is
** lost; false where descriptors are short. */
bool sv_notifier_repair(sv_notifier *notifier);

/* To be watched; -1 where descriptors were short after a fork. Like
** sv_notifier_clear and sv_notifier_wait it repairs first. */
int sv_notifier_descriptor(sv_notifier *notifier);

void sv_notifier_notify(sv_notifier *notifier);

/* To be called before one looks at what is ready, or what becomes ready
** meanwhile is told to nobody. */
void sv_notifier_clear(sv_notifier *notifier);

/* Sleeps until it is notified, a signal comes or the time is up; an hour at
** most, and not long where it has no descriptor, for then nobody tells. */
void sv_notifier_wait(sv_notifier *notifier, double seconds);

/* Listens on a socket in a directory below TMPDIR or /tmp that nobody else may
** enter. `path` is the notifier's, until the next call. */
int sv_notifier_listen(sv_notifier *notifier, const char **path);

/* Takes the peer that has connected, which gets a byte each time from now on,
** and stops listening. EAGAIN where nobody has connected. */
int sv_notifier_accept(sv_notifier *notifier);

/* Stops listening, and drops the peer. */
void sv_notifier_disconnect(sv_notifier *notifier);

/* In the child of a fork, before all else: the same descriptor, no longer
** shared with the parent, whose socket is left to it; another one where its
** number is the child's own by now; none where descriptors are short. Where no
** fork came between it does nothing. */
void sv_notifier_reopen(sv_notifier *notifier);

#endif
