/*
** What an actor and its thread share: messages that come. It outlives the actor where the thread is stuck. Not for others.
*/
#ifndef SV_THREAD_MAILBOX_H
#define SV_THREAD_MAILBOX_H

#include "thread/handler.h"
#include "thread/message.h"

typedef struct sv_mailbox sv_mailbox;

/* Starts a thread, which has a share of the outbox. 0 or an errno. Of setup as
** of sv_actor_new. */
int sv_mailbox_open(sv_mailbox **mailbox, const sv_handler *handler,
                    const sv_buffer *setup, sv_outbox *outbox);

/* As of sv_actor_close; the mailbox is the thread's from now on. */
void sv_mailbox_leave(sv_mailbox *mailbox, double seconds);

void sv_mailbox_post(sv_mailbox *mailbox, sv_message *message);

/* See sv_actor_busy_seconds and sv_actor_disconnect. */
double sv_mailbox_busy_seconds(sv_mailbox *mailbox);
bool sv_mailbox_disconnect(sv_mailbox *mailbox, double seconds);

#endif
