#include "actor/actor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actor/mailbox.h"
#include "platform/atfork.h"

static const double EXIT_SECONDS = 0.25;

struct sv_actor {
  int owners; /* the caller, and every message of his */
  bool closed;
  unsigned forks; /* of sv_atfork, when its thread was this process's */
  sv_mailbox *mailbox;  /* NULL until the first message */
  sv_notifier *notifier;
  bool has_own_notifier;
  const sv_handler *handler;
  sv_buffer setup;
  double fork_seconds;
  long long last_number;
  sv_message *first, *last; /* not taken out */
  int in_flight;
  sv_message *ended; /* to be taken out */
};

/* --- start and end ------------------------------------------------------- */

sv_actor *sv_actor_new(const sv_handler *handler, const sv_buffer *setup,
                       double fork_seconds, sv_notifier *notifier) {
  sv_actor *actor = calloc(1, sizeof *actor);
  if (!actor || !sv_buffer_add(&actor->setup, setup->data, setup->size)) {
    free(actor);
    errno = ENOMEM;
    return NULL;
  }
  actor->owners = 1;
  actor->handler = handler;
  actor->fork_seconds = fork_seconds;
  actor->forks = sv_atfork();
  actor->has_own_notifier = !notifier;
  actor->notifier = notifier ? sv_notifier_share(notifier) : sv_notifier_new();
  if (!actor->notifier) {
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
  sv_atfork_limit(actor->fork_seconds, EXIT_SECONDS);
  return sv_mailbox_open(&actor->mailbox, actor->handler, &actor->setup, actor->notifier);
}

static void take_out(sv_message *message) {
  sv_actor *actor = message->actor;
  *(message->before ? &message->before->after : &actor->first) = message->after;
  *(message->after ? &message->after->before : &actor->last) = message->before;
  actor->in_flight -= !message->given_up;
  sv_message_drop(message);
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
  if (actor->forks == sv_atfork() || actor->closed) {
    return;
  }
  actor->forks = sv_atfork();
  actor->mailbox = NULL;
  actor->ended = NULL;
  sv_notifier_reopen(actor->notifier);
  for (sv_message *message = actor->last; message; message = message->before) {
    lose(message);
    message->next = actor->ended;
    actor->ended = message;
  }
  if (actor->ended) {
    sv_notifier_notify(actor->notifier);
  }
}

void sv_actor_close(sv_actor *actor, double seconds) {
  if (actor->closed) {
    return;
  }
  notice_fork(actor);
  for (sv_message *message = actor->first; message; message = message->after) {
    sv_message_settle(message, SV_GIVEN_UP);
  }
  actor->closed = true;
  /* Those that had ended are in no list of the mailbox's any more. */
  while (actor->ended) {
    sv_message *message = actor->ended;
    actor->ended = message->next;
    take_out(message);
  }
  if (actor->mailbox) {
    sv_mailbox_leave(actor->mailbox, seconds);
    actor->mailbox = NULL;
  }
  actor->first = actor->last = NULL;
  actor->in_flight = 0;
  if (actor->has_own_notifier) {
    sv_notifier_disconnect(actor->notifier);
  }
  sv_notifier_drop(actor->notifier);
  actor->notifier = NULL;
}

void sv_actor_release(sv_actor *actor) {
  if (--actor->owners == 0) {
    sv_buffer_free(&actor->setup);
    free(actor);
  }
}

/* --- messages --------------------------------------------------------------- */

static void hand_over(sv_actor *actor, sv_message *message) {
  message->number = ++actor->last_number;
  message->before = actor->last;
  *(actor->last ? &actor->last->after : &actor->first) = message;
  actor->last = message;
  actor->in_flight++;
  actor->owners++;
  sv_mailbox_post(actor->mailbox, message);
}

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
  hand_over(actor, message);
  return message;
}

bool sv_actor_ready(sv_actor *actor) {
  notice_fork(actor);
  return actor->ended || (actor->mailbox && sv_mailbox_ready(actor->mailbox));
}

long long sv_actor_take(sv_actor *actor) {
  if (!sv_actor_ready(actor)) {
    return 0;
  }
  if (!actor->ended) {
    actor->ended = sv_mailbox_take(actor->mailbox);
  }
  sv_message *message = actor->ended;
  long long number = message->number;
  actor->ended = message->next;
  take_out(message);
  return number;
}

int sv_actor_in_flight(const sv_actor *actor) {
  return actor->in_flight;
}

double sv_actor_busy(sv_actor *actor) {
  notice_fork(actor);
  return actor->mailbox ? sv_mailbox_busy(actor->mailbox) : 0;
}

bool sv_actor_cut(sv_actor *actor, double seconds) {
  notice_fork(actor);
  return actor->mailbox && sv_mailbox_cut(actor->mailbox, seconds);
}

long long sv_message_number(const sv_message *message) {
  return message->number;
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
    message->actor->in_flight -= !message->actor->closed;
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

/* --- the notifier --------------------------------------------------------- */

sv_notifier *sv_actor_notifier(sv_actor *actor) {
  notice_fork(actor);
  return actor->notifier;
}

void sv_actor_wait(sv_actor *actor, double seconds) {
  sv_notifier_clear(sv_actor_notifier(actor));
  if (!sv_actor_ready(actor) && seconds > 0) {
    sv_notifier_wait(actor->notifier, seconds);
  }
}
