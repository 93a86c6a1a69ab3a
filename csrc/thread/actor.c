#include "thread/actor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "thread/mailbox.h"
#include "system/fork.h"
#include "system/signals.h"

#include "rules/visibility.h"

static const double EXIT_SECONDS = 0.25;

/* The host may have closed what ends a wait. */
static const double LONGEST_WAIT = 1;

struct sv_actor {
  sv_outbox outbox;    /* messages */
  sv_mailbox *mailbox; /* NULL until the first of these */
  const sv_handler *handler;
  sv_buffer setup;
  double fork_seconds;
};

/* --- as an outbox --------------------------------------------------------- */

static void forget_threads(sv_outbox *outbox) {
  ((sv_actor *)outbox)->mailbox = NULL;
}

static void free_message(sv_item *item) {
  sv_message *message = (sv_message *)item;
  sv_buffer_free(&message->question);
  sv_buffer_free(&message->answer);
  free(message);
}

static void free_actor(sv_outbox *outbox) {
  sv_actor *actor = (sv_actor *)outbox;
  sv_buffer_free(&actor->setup);
  free(actor);
}

static const sv_outbox_class messages = {forget_threads, NULL, free_message,
                                         free_actor};

sv_outbox *sv_actor_outbox(sv_actor *actor) {
  return &actor->outbox;
}

/* --- start and end ------------------------------------------------------- */

sv_actor *sv_actor_new(const sv_handler *handler, const sv_buffer *setup,
                       double fork_seconds, sv_wakeup *wakeup) {
  sv_actor *actor = calloc(1, sizeof *actor);
  int problem = ENOMEM;
  if (actor && sv_buffer_add(&actor->setup, setup->data, setup->size)) {
    actor->handler = handler;
    actor->fork_seconds = fork_seconds;
    problem = sv_outbox_open(&actor->outbox, &messages, wakeup);
  }
  if (problem && actor) {
    free_actor(&actor->outbox);
  }
  errno = problem;
  return problem ? NULL : actor;
}

static int start(sv_actor *actor) {
  if (actor->mailbox) {
    return 0;
  }
  sv_fork_limit(actor->fork_seconds, EXIT_SECONDS);
  return sv_mailbox_open(&actor->mailbox, actor->handler, &actor->setup,
                         &actor->outbox);
}

void sv_actor_close(sv_actor *actor, double seconds) {
  sv_outbox *outbox = &actor->outbox;
  sv_outbox_look_for_fork(outbox);
  for (sv_item *item = outbox->first; item; item = item->after) {
    sv_item_give_up(item);
  }
  if (actor->mailbox) {
    sv_mailbox_leave(actor->mailbox, seconds);
    actor->mailbox = NULL;
  }
  sv_outbox_close(outbox);
}

void sv_actor_release(sv_actor *actor) {
  sv_outbox_release(&actor->outbox);
}

/* --- messages ------------------------------------------------------------ */

sv_message *sv_actor_post(sv_actor *actor, sv_buffer *question, bool kept) {
  sv_outbox_look_for_fork(&actor->outbox);
  sv_message *message = calloc(1, sizeof *message);
  int problem = message ? start(actor) : ENOMEM;
  if (problem) {
    free(message);
    errno = problem;
    return NULL;
  }
  message->kept = kept;
  message->question = *question;
  memset(question, 0, sizeof *question);
  sv_outbox_add(&actor->outbox, &message->item);
  sv_mailbox_post(actor->mailbox, message);
  return message;
}

double sv_actor_busy_seconds(sv_actor *actor) {
  sv_outbox_look_for_fork(&actor->outbox);
  return actor->mailbox ? sv_mailbox_busy_seconds(actor->mailbox) : 0;
}

bool sv_actor_disconnect(sv_actor *actor, double seconds) {
  sv_outbox_look_for_fork(&actor->outbox);
  return actor->mailbox && sv_mailbox_disconnect(actor->mailbox, seconds);
}

const sv_buffer *sv_message_answer(const sv_message *message) {
  bool there = !message->item.lost &&
               atomic_load(&message->item.fate) == SV_DONE;
  return there ? &message->answer : NULL;
}

void sv_message_release(sv_message *message) {
  sv_item_give_up(&message->item);
  sv_item_release(&message->item);
}

void sv_actor_wait(sv_actor *actor, double seconds) {
  sv_outbox *outbox = &actor->outbox;
  sv_wakeup_clear(sv_outbox_wakeup(outbox));
  if (!sv_outbox_is_ready(outbox) && seconds > 0) {
    seconds = seconds < LONGEST_WAIT ? seconds : LONGEST_WAIT;
    sv_wakeup_wait(outbox->wakeup, sv_interrupt_limit(seconds));
  }
}
