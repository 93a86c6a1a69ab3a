#include "thread/actor.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "system/clock.h"
#include "system/fork.h"
#include "system/network.h"
#include "system/signals.h"
#include "system/thread.h"

#include "rules/visibility.h"

/* For Lua, a driver of a database, a name look-up and a TLS handshake. */
enum { STACK_BYTES = 1024 * 1024 };

static const double EXIT_SECONDS = 0.25;

/* The host may have closed what ends a wait. */
static const double LONGEST_WAIT = 1;

struct sv_actor {
  sv_outbox outbox;    /* messages */
  sv_service *service; /* NULL until the first of these */
  const sv_handler *handler;
  sv_buffer setup;
  double fork_seconds;
  void *state; /* the handler's, on the thread */
  _Atomic int socket_mark; /* of the thread's connection; 0: none */
  _Atomic bool is_watched; /* a thread sees to disconnect it */
};

/* --- as an outbox --------------------------------------------------------- */

static void forget_threads(sv_outbox *outbox) {
  sv_actor *actor = (sv_actor *)outbox;
  actor->service = NULL;
  actor->state = NULL;
  actor->socket_mark = 0;
  actor->is_watched = false;
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

/* --- on the thread ------------------------------------------------------- */

static __thread sv_actor *own;

/* What the libraries do at exit they have asked for by the first answer. */
static _Atomic bool is_guarded;

/* An answer that nobody waits for any more is undone at once, before any other
** message. Where memory is short the answer stays empty. */
static bool take(void *self, sv_item *item, const _Atomic int *stop) {
  sv_actor *actor = self;
  const sv_handler *handler = actor->handler;
  sv_message *message = (sv_message *)item;
  (void)stop;
  own = actor;
  if (!actor->state) {
    actor->state = handler->begin(&actor->setup);
  }
  if (actor->state && (message->kept || atomic_load(&item->fate) == SV_OPEN)) {
    handler->answer(actor->state, &message->question, &message->answer);
    if (!sv_item_settle(item, SV_DONE) && !message->kept) {
      handler->undo(actor->state);
    }
  }
  sv_thread_once(&is_guarded, sv_fork_guard_exit);
  return true;
}

static double rest(void *self) {
  sv_actor *actor = self;
  return actor->state ? actor->handler->idle(actor->state) : -1;
}

static void end(void *self) {
  sv_actor *actor = self;
  if (actor->state) {
    actor->handler->end(actor->state);
  }
}

static const sv_duty answers = {.stack_bytes = STACK_BYTES, .holds = true,
                                .take = take, .rest = rest, .end = end};

int sv_actor_socket_mark(void) {
  int mark = sv_socket_mark_new();
  if (own) {
    own->socket_mark = mark;
  }
  return mark;
}

/* --- start and end ------------------------------------------------------- */

sv_actor *sv_actor_new(const sv_handler *handler, const sv_buffer *setup,
                       double fork_seconds, sv_wakeup *wakeup) {
  sv_actor *actor = calloc(1, sizeof *actor);
  if (!actor || !sv_buffer_add(&actor->setup, setup->data, setup->size)) {
    free(actor);
    errno = ENOMEM;
    return NULL;
  }
  actor->handler = handler;
  actor->fork_seconds = fork_seconds;
  sv_wakeup *its = wakeup ? sv_wakeup_share(wakeup) : sv_wakeup_new();
  if (!its) {
    int problem = errno;
    free_actor(&actor->outbox);
    errno = problem;
    return NULL;
  }
  sv_outbox_open(&actor->outbox, &messages, its, !wakeup);
  return actor;
}

static int start(sv_actor *actor) {
  if (actor->service) {
    return 0;
  }
  sv_fork_limit(actor->fork_seconds, EXIT_SECONDS);
  return sv_service_start(&actor->service, &answers, actor, &actor->outbox);
}

void sv_actor_close(sv_actor *actor, double seconds) {
  sv_outbox *outbox = &actor->outbox;
  sv_outbox_look_for_fork(outbox);
  for (sv_item *item = outbox->first; item; item = item->after) {
    sv_item_give_up(item);
  }
  if (actor->service) {
    sv_service_stop(actor->service, seconds);
    actor->service = NULL;
  }
  sv_outbox_close(outbox);
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
  sv_service_post(actor->service, &message->item);
  return message;
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

/* --- the end of a connection --------------------------------------------- */

typedef struct silence {
  sv_actor *actor;
  sv_service *service;
  long long begun;
  double seconds;
} silence;

/* Most likely it is over by then. */
static void watch(void *self) {
  const silence s = *(silence *)self;
  free(self);
  double left = (double)s.begun / 1e6 + s.seconds - sv_now();
  sv_sleep(left > 0 ? floor(left) + 1 : 0);
  int mark = s.actor->socket_mark;
  if (mark && sv_service_begun(s.service) == s.begun) {
    sv_socket_mark_shut_down(mark);
  }
  s.actor->is_watched = false;
  sv_service_drop(s.service);
}

static bool start_watch(sv_actor *actor, long long begun, double seconds) {
  sv_thread thread;
  silence *s = malloc(sizeof *s);
  if (!s) {
    return false;
  }
  *s = (silence){actor, actor->service, begun, seconds};
  sv_service_share(actor->service);
  if (sv_thread_start(&thread, STACK_BYTES, watch, s) != 0) {
    sv_service_drop(actor->service);
    free(s);
    return false;
  }
  sv_thread_detach(thread);
  return true;
}

bool sv_actor_disconnect(sv_actor *actor, double seconds) {
  sv_outbox_look_for_fork(&actor->outbox);
  long long begun = actor->service ? sv_service_begun(actor->service) : 0;
  if (!begun || sv_service_busy(actor->service) <= 0) {
    return false; /* it is not silent */
  }
  if (atomic_exchange(&actor->is_watched, true)) {
    return true;
  }
  bool started = start_watch(actor, begun, seconds);
  if (!started) {
    actor->is_watched = false;
  }
  return started;
}

double sv_actor_busy_seconds(sv_actor *actor) {
  sv_outbox_look_for_fork(&actor->outbox);
  return actor->service ? sv_service_busy(actor->service) : 0;
}
