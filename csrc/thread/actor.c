#include "thread/actor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "thread/mailbox.h"
#include "system/fork.h"
#include "system/interrupt.h"

#include "rules/visibility.h"

static const double EXIT_SECONDS = 0.25;

/* The host may have closed what ends a wait. */
static const double LONGEST_WAIT = 1;

struct sv_actor {
  int owners; /* the caller, and every message */
  bool closed;
  unsigned forks; /* as counted when its thread was this process's */
  sv_mailbox *mailbox; /* NULL until the first message */
  sv_wakeup *wakeup;
  bool has_own_notifier;
  const sv_handler *handler;
  sv_buffer setup;
  double fork_seconds;
  sv_outbox outbox; /* messages */
  int given_up;       /* of these */
};

/* --- start and end ------------------------------------------------------- */

sv_actor *sv_actor_new(const sv_handler *handler, const sv_buffer *setup,
                       double fork_seconds, sv_wakeup *wakeup) {
  sv_actor *actor = calloc(1, sizeof *actor);
  if (!actor || !sv_buffer_add(&actor->setup, setup->data, setup->size)) {
    free(actor);
    errno = ENOMEM;
    return NULL;
  }
  actor->owners = 1;
  actor->handler = handler;
  actor->fork_seconds = fork_seconds;
  actor->forks = sv_fork_count();
  actor->has_own_notifier = !wakeup;
  actor->wakeup = wakeup ? sv_wakeup_share(wakeup) : sv_wakeup_new();
  if (!actor->wakeup) {
    int problem = errno;
    sv_buffer_free(&actor->setup);
    free(actor);
    errno = problem;
    return NULL;
  }
  return actor;
}

static int start(sv_actor *actor) {
  if (actor->mailbox) {
    return 0;
  }
  sv_fork_limit(actor->fork_seconds, EXIT_SECONDS);
  return sv_mailbox_open(&actor->mailbox, actor->handler, &actor->setup,
                         actor->wakeup);
}

/* The number of the next message that has ended, or 0. */
static long long take(sv_actor *actor, sv_list *ended) {
  sv_message *message =
      (sv_message *)sv_outbox_take(&actor->outbox, ended);
  if (!message) {
    return 0;
  }
  long long number = message->item.number;
  actor->given_up -= message->given_up;
  sv_message_drop(message);
  return number;
}

/* The parent's thread may be anywhere: what it has is left to it. */
static void lose(sv_message *message) {
  if (sv_message_fate(message) == SV_ANSWERED) {
    return;
  }
  message->lost = true;
  message->fate = SV_ANSWERED;
}

static void notice_fork(sv_actor *actor) {
  if (actor->forks == sv_fork_count() || actor->closed) {
    return;
  }
  actor->forks = sv_fork_count();
  actor->mailbox = NULL;
  sv_wakeup_reopen(actor->wakeup);
  for (sv_item *item = actor->outbox.first; item; item = item->after) {
    lose((sv_message *)item);
  }
  sv_outbox_end_all(&actor->outbox);
  if (actor->outbox.ended) {
    sv_wakeup_notify(actor->wakeup);
  }
}

void sv_actor_close(sv_actor *actor, double seconds) {
  if (actor->closed) {
    return;
  }
  notice_fork(actor);
  for (sv_item *item = actor->outbox.first; item; item = item->after) {
    sv_message_settle((sv_message *)item, SV_GIVEN_UP);
  }
  actor->closed = true;
  /* Those that had ended are in no list of the mailbox's any more. */
  while (take(actor, NULL)) {
  }
  if (actor->mailbox) {
    sv_mailbox_leave(actor->mailbox, seconds);
    actor->mailbox = NULL;
  }
  memset(&actor->outbox, 0, sizeof actor->outbox);
  actor->given_up = 0;
  if (actor->has_own_notifier) {
    sv_wakeup_disconnect(actor->wakeup);
  }
  sv_wakeup_drop(actor->wakeup);
  actor->wakeup = NULL;
}

void sv_actor_release(sv_actor *actor) {
  if (--actor->owners == 0) {
    sv_buffer_free(&actor->setup);
    free(actor);
  }
}

/* --- messages ------------------------------------------------------------ */

sv_message *sv_actor_post(sv_actor *actor, sv_buffer *question, bool kept) {
  notice_fork(actor);
  sv_message *message = calloc(1, sizeof *message);
  int problem = message ? start(actor) : ENOMEM;
  if (problem) {
    free(message);
    errno = problem;
    return NULL;
  }
  message->owners = 2;
  message->actor = actor;
  message->kept = kept;
  message->question = *question;
  memset(question, 0, sizeof *question);
  sv_outbox_add(&actor->outbox, &message->item);
  actor->owners++;
  sv_mailbox_post(actor->mailbox, message);
  return message;
}

static sv_list *ended_of(sv_actor *actor) {
  return actor->mailbox ? sv_mailbox_ended(actor->mailbox) : NULL;
}

bool sv_actor_ready(sv_actor *actor) {
  notice_fork(actor);
  return sv_outbox_is_ready(&actor->outbox, ended_of(actor));
}

long long sv_actor_take(sv_actor *actor) {
  notice_fork(actor);
  return take(actor, ended_of(actor));
}

int sv_actor_in_flight(const sv_actor *actor) {
  return actor->outbox.count - actor->given_up;
}

double sv_actor_busy_seconds(sv_actor *actor) {
  notice_fork(actor);
  return actor->mailbox ? sv_mailbox_busy_seconds(actor->mailbox) : 0;
}

bool sv_actor_disconnect(sv_actor *actor, double seconds) {
  notice_fork(actor);
  return actor->mailbox && sv_mailbox_disconnect(actor->mailbox, seconds);
}

long long sv_message_number(const sv_message *message) {
  return message->item.number;
}

bool sv_message_done(sv_message *message) {
  notice_fork(message->actor);
  return sv_message_fate(message) != SV_OPEN;
}

bool sv_message_give_up(sv_message *message) {
  notice_fork(message->actor);
  bool was_open = sv_message_settle(message, SV_GIVEN_UP);
  if (was_open) {
    message->given_up = true;
    message->actor->given_up += !message->actor->closed;
  }
  return was_open;
}

const sv_buffer *sv_message_answer(const sv_message *message) {
  bool there = !message->lost && sv_message_fate(message) == SV_ANSWERED;
  return there ? &message->answer : NULL;
}

bool sv_message_is_lost(const sv_message *message) {
  return message->lost;
}

void sv_message_release(sv_message *message) {
  sv_actor *actor = message->actor;
  sv_message_give_up(message);
  sv_message_drop(message);
  sv_actor_release(actor);
}

/* --- the wakeup --------------------------------------------------------- */

sv_wakeup *sv_actor_wakeup(sv_actor *actor) {
  notice_fork(actor);
  return actor->wakeup;
}

void sv_actor_wait(sv_actor *actor, double seconds) {
  sv_wakeup_clear(sv_actor_wakeup(actor));
  if (!sv_actor_ready(actor) && seconds > 0) {
    seconds = seconds < LONGEST_WAIT ? seconds : LONGEST_WAIT;
    sv_wakeup_wait(actor->wakeup, sv_interrupt_limit(seconds));
  }
}
