/*
** What an actor and its thread share: messages that come and messages that
** have ended. It outlives the actor where the thread is stuck. Not for others.
**
** The question and the answer of a message are the thread's until it has
** ended. Fields that several threads touch are named `atomic`.
*/
#ifndef SV_ACTOR_MAILBOX_H
#define SV_ACTOR_MAILBOX_H

#include "actor/actor.h"
#include "core/pending.h"

/* What becomes of a message; OPEN is left once. */
enum { SV_OPEN, SV_ANSWERED, SV_GIVEN_UP };

struct sv_message {
  sv_item item;
  int owners; /* atomic: its sender, and until it is taken the actor */
  int fate;   /* atomic */
  sv_buffer question, answer;
  bool kept;

  /* The actor's owner's alone. */
  sv_actor *actor;
  bool given_up;
  bool lost; /* in a fork: it is not touched any more, and a thread that an exit
                overtook may still be at it */
};

void sv_message_drop(sv_message *message);
int sv_message_fate(const sv_message *message);

/* Whether it was still open. */
bool sv_message_settle(sv_message *message, int fate);

typedef struct sv_mailbox sv_mailbox;

/* Starts a thread. 0 or an errno. Of setup and notifier as of sv_actor_new. */
int sv_mailbox_open(sv_mailbox **mailbox, const sv_handler *handler,
                    const sv_buffer *setup, sv_notifier *notifier);

/* As of sv_actor_close; the mailbox is the thread's from now on. */
void sv_mailbox_leave(sv_mailbox *mailbox, double seconds);

void sv_mailbox_post(sv_mailbox *mailbox, sv_message *message);

/* Messages that have ended, by their items. */
sv_list *sv_mailbox_ended(sv_mailbox *mailbox);

/* See sv_actor_busy_seconds and sv_actor_disconnect. */
double sv_mailbox_busy_seconds(sv_mailbox *mailbox);
bool sv_mailbox_disconnect(sv_mailbox *mailbox, double seconds);

#endif
