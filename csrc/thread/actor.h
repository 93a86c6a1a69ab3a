/*
** A thread that answers messages, one after another: work that may block runs
** there, and the sender of a message waits as it likes. What a message asks
** for is the business of a handler; here it is bytes. No Lua, and no libcurl.
**
** An actor belongs to one thread, its owner's. Nothing starts before the first
** message. A thread that is stuck in a message is neither joined nor replaced:
** what comes after waits behind it.
**
** After a fork the child finds what was under way lost, and starts a thread of
** its own with the next message. Fork and exit wait for the message under way,
** but not for long. Times are in seconds.
*/
#ifndef SV_THREAD_ACTOR_H
#define SV_THREAD_ACTOR_H

#include <stdbool.h>

#include "rules/buffer.h"
#include "thread/service.h"

typedef struct sv_actor sv_actor;

/* What an actor does, on its thread. Each gets what `begin` gave; what waits
** for others calls sv_service_heartbeat before. */
typedef struct sv_handler {
  /* NULL where memory is short; tried again with the next message. `setup`
  ** stays where it is until `end`. */
  void *(*begin)(const sv_buffer *setup);
  void (*answer)(void *self, const sv_buffer *question, sv_buffer *answer);
  /* Undo the last answer: nobody got it. */
  void (*undo)(void *self);
  /* There are no messages: seconds until this is to be called again, less than
  ** 0: after the next message. */
  double (*idle)(void *self);
  void (*end)(void *self);
} sv_handler;

/* The question and the answer are the thread's until the message is done. */
typedef struct sv_message {
  sv_item item;
  sv_buffer question, answer;
  bool kept; /* answered though it was given up */
} sv_message;

/* Copies the setup, and takes a share of `wakeup`, which is somebody else's
** to clear, or with NULL has one of its own. A fork waits for a message for
** `fork_seconds` at most. NULL where memory or descriptors are short; errno
** says which. */
sv_actor *sv_actor_new(const sv_handler *handler, const sv_buffer *setup,
                       double fork_seconds, sv_wakeup *wakeup);

/* Gives up all messages. Waits until the thread has answered those that are
** kept, no longer than `seconds`, and not at all where it has been at one of
** them for so long already. A thread that is not done by then is left
** running. The actor is not the caller's any more. */
void sv_actor_close(sv_actor *actor, double seconds);

/* Takes the bytes of the question. A message that is kept is answered though
** it was given up. NULL where memory or threads are short, which errno tells;
** then the bytes are the caller's. */
sv_message *sv_actor_post(sv_actor *actor, sv_buffer *question, bool kept);

/* Its messages, by their items: what is asked and told of these as such. */
sv_outbox *sv_actor_outbox(sv_actor *actor);

/* Since the message under way was begun, or its last heartbeat; 0: none is. */
double sv_actor_busy_seconds(sv_actor *actor);

/* Where the thread is still at the same once it has been silent for so many
** seconds, the connection it waits for is shut down: from a server that was
** cut off nothing ever comes. False where nothing is under way, or no thread
** can be started that sees to it. */
bool sv_actor_disconnect(sv_actor *actor, double seconds);

/* Clears the wakeup, and sleeps until something is ready, a signal was
** handled or the time is up, for a second at most. */
void sv_actor_wait(sv_actor *actor, double seconds);

/* Once done: the answer; NULL where it was given up, or lost in a fork. */
const sv_buffer *sv_message_answer(const sv_message *message);

/* Gives it up where it is not done. */
void sv_message_release(sv_message *message);

/* The mark (see system/network.h) of the connection that the actor's thread is
** about to make, which sv_actor_disconnect is to shut down. On any other thread
** just a mark. */
int sv_actor_socket_mark(void);

#endif
