#include "actor/mailbox.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "platform/atfork.h"
#include "platform/clock.h"
#include "platform/semaphore.h"
#include "platform/socket_mark.h"
#include "platform/thread.h"

/* For Lua, a driver of a database, a name look-up and a TLS handshake. */
enum { STACK_BYTES = 1024 * 1024 };

/* No lock lies between the two, for whoever held it could lose its processor;
** the lists have the last first. */
struct sv_mailbox {
  int owners;       /* atomic */
  sv_message *inbox; /* atomic */
  sv_message *ended; /* atomic */
  int stop;         /* atomic */
  long long begun;  /* atomic: microseconds; of a message, or its last beat */
  int mark;         /* atomic; of its connection, 0: none */
  int cutting;      /* atomic: a thread sees to that */
  sv_semaphore *posted; /* for each message, and for the stop */
  sv_semaphore *over;   /* posted by the thread at its end */
  const sv_handler *handler;
  sv_buffer setup;
  sv_notifier *notifier;
  sv_thread thread;
};

/* --- messages, and lists of them ------------------------------------------- */

static void push(sv_message **list, sv_message *message) {
  sv_message *top = __atomic_load_n(list, __ATOMIC_RELAXED);
  do {
    message->next = top;
  } while (!__atomic_compare_exchange_n(list, &top, message, true,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

/* All of a list, in the order in which it came. */
static sv_message *take_all(sv_message **list) {
  sv_message *message = __atomic_exchange_n(list, NULL, __ATOMIC_SEQ_CST);
  sv_message *turned = NULL;
  while (message) {
    sv_message *next = message->next;
    message->next = turned;
    turned = message;
    message = next;
  }
  return turned;
}

void sv_message_drop(sv_message *message) {
  if (__atomic_sub_fetch(&message->owners, 1, __ATOMIC_ACQ_REL) > 0 ||
      message->lost) {
    return;
  }
  sv_buffer_free(&message->question);
  sv_buffer_free(&message->answer);
  free(message);
}

int sv_message_fate(const sv_message *message) {
  return __atomic_load_n(&message->fate, __ATOMIC_ACQUIRE);
}

bool sv_message_settle(sv_message *message, int fate) {
  int open = SV_OPEN;
  return __atomic_compare_exchange_n(&message->fate, &open, fate, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void drop(sv_mailbox *mailbox) {
  if (__atomic_sub_fetch(&mailbox->owners, 1, __ATOMIC_ACQ_REL) > 0) {
    return;
  }
  sv_message *message = take_all(&mailbox->ended);
  while (message) {
    sv_message *next = message->next;
    sv_message_drop(message);
    message = next;
  }
  sv_semaphore_free(mailbox->posted);
  sv_semaphore_free(mailbox->over);
  sv_buffer_free(&mailbox->setup);
  sv_notifier_drop(mailbox->notifier);
  free(mailbox);
}

/* --- on the thread --------------------------------------------------------- */

/* The mailbox of a actor's thread. */
static __thread sv_mailbox *own;

static void note_begun(sv_mailbox *mailbox, double now) {
  __atomic_store_n(&mailbox->begun, (long long)(now * 1e6), __ATOMIC_RELAXED);
}

static long long when_begun(sv_mailbox *mailbox) {
  return __atomic_load_n(&mailbox->begun, __ATOMIC_RELAXED);
}

void sv_actor_beat(double seconds) {
  if (own && when_begun(own)) {
    note_begun(own, sv_now() + seconds);
  }
}

int sv_actor_mark(void) {
  int mark = sv_socket_mark_new();
  if (own) {
    __atomic_store_n(&own->mark, mark, __ATOMIC_RELAXED);
  }
  return mark;
}

/* An answer that nobody waits for any more is undone at once, before any other
** message. Where memory is short the answer stays empty. After an exit the message
** may be gone: nobody tells of its end then. */
static void attend(sv_mailbox *mailbox, void *self, sv_message *message) {
  const sv_handler *handler = mailbox->handler;
  bool heard = true;
  sv_atfork_hold();
  note_begun(mailbox, sv_now());
  if (self && (message->kept || sv_message_fate(message) == SV_OPEN)) {
    handler->answer(self, &message->question, &message->answer);
    heard = sv_message_settle(message, SV_ANSWERED) || message->kept;
  }
  if (!heard) {
    handler->undo(self);
  }
  note_begun(mailbox, 0);
  sv_message_settle(message, SV_ANSWERED);
  push(&mailbox->ended, message);
  sv_notifier_notify(mailbox->notifier);
  sv_atfork_let();
}

/* When to rest again. */
static double rest(sv_mailbox *mailbox, void *self) {
  sv_atfork_hold();
  note_begun(mailbox, sv_now());
  double seconds = self ? mailbox->handler->rest(self) : -1;
  note_begun(mailbox, 0);
  sv_atfork_let();
  return seconds < 0 ? HUGE_VAL : sv_now() + seconds;
}

/* What the libraries do at exit they have asked for by now. */
static void guard_exit(void) {
  static int is_guarded; /* atomic */
  sv_thread_once(&is_guarded, sv_atfork_guard_exit);
}

static bool work(sv_mailbox *mailbox, void **self) {
  sv_message *message = take_all(&mailbox->inbox);
  bool any = message != NULL;
  while (message) {
    sv_message *next = message->next;
    if (!*self) {
      *self = mailbox->handler->begin(&mailbox->setup);
    }
    attend(mailbox, *self, message);
    guard_exit();
    message = next;
  }
  return any;
}

static void end(sv_mailbox *mailbox, void *self) {
  if (self) {
    sv_atfork_hold();
    mailbox->handler->end(self);
    sv_atfork_let();
  }
  sv_semaphore_post(mailbox->over);
  drop(mailbox);
}

static void run(void *argument) {
  sv_mailbox *mailbox = argument;
  void *self = NULL;
  double due = HUGE_VAL;
  own = mailbox;
  for (;;) {
    /* First: what was posted before it is done. */
    bool stopping = __atomic_load_n(&mailbox->stop, __ATOMIC_SEQ_CST);
    bool any = work(mailbox, &self);
    if (stopping) {
      break;
    }
    due = any || sv_now() >= due ? rest(mailbox, self) : due;
    sv_semaphore_wait(mailbox->posted, due - sv_now());
  }
  end(mailbox, self);
}

/* --- start and end --------------------------------------------------------- */

int sv_mailbox_open(sv_mailbox **box, const sv_handler *handler, const sv_buffer *setup,
                 sv_notifier *notifier) {
  sv_mailbox *mailbox = calloc(1, sizeof *mailbox);
  if (!mailbox || !sv_buffer_add(&mailbox->setup, setup->data, setup->size)) {
    free(mailbox);
    return ENOMEM;
  }
  mailbox->owners = 2;
  mailbox->handler = handler;
  mailbox->notifier = sv_notifier_share(notifier);
  mailbox->posted = sv_semaphore_new();
  mailbox->over = sv_semaphore_new();
  int problem = ENOMEM;
  if (mailbox->posted && mailbox->over) {
    problem = sv_thread_start(&mailbox->thread, STACK_BYTES, run, mailbox);
  }
  if (problem) {
    mailbox->owners = 1;
    drop(mailbox);
    return problem;
  }
  *box = mailbox;
  return 0;
}

void sv_mailbox_leave(sv_mailbox *mailbox, double seconds) {
  double left = seconds - sv_mailbox_busy(mailbox);
  __atomic_store_n(&mailbox->stop, 1, __ATOMIC_SEQ_CST);
  sv_semaphore_post(mailbox->posted);
  if (sv_semaphore_wait(mailbox->over, left)) {
    sv_thread_join(mailbox->thread);
  } else {
    sv_thread_detach(mailbox->thread);
  }
  drop(mailbox);
}

void sv_mailbox_post(sv_mailbox *mailbox, sv_message *message) {
  push(&mailbox->inbox, message);
  sv_semaphore_post(mailbox->posted);
}

bool sv_mailbox_ready(sv_mailbox *mailbox) {
  return __atomic_load_n(&mailbox->ended, __ATOMIC_ACQUIRE) != NULL;
}

sv_message *sv_mailbox_take(sv_mailbox *mailbox) {
  return take_all(&mailbox->ended);
}

/* 0 of nothing, and until what is in no hurry should have ended. */
static double seconds_since(long long begun) {
  double seconds = begun ? sv_now() - (double)begun / 1e6 : 0;
  return seconds > 0 ? seconds : 0;
}

double sv_mailbox_busy(sv_mailbox *mailbox) {
  return seconds_since(when_begun(mailbox));
}

/* --- the end of a connection ------------------------------------------------ */

typedef struct silence {
  sv_mailbox *mailbox;
  long long begun;
  double seconds;
} silence;

/* Most likely it is over by then. */
static void see_to_cut(void *self) {
  const silence s = *(silence *)self;
  free(self);
  double left = (double)s.begun / 1e6 + s.seconds - sv_now();
  sv_sleep(left > 0 ? floor(left) + 1 : 0);
  int mark = __atomic_load_n(&s.mailbox->mark, __ATOMIC_RELAXED);
  if (mark && when_begun(s.mailbox) == s.begun) {
    sv_socket_mark_shut_down(mark);
  }
  __atomic_store_n(&s.mailbox->cutting, 0, __ATOMIC_RELEASE);
  drop(s.mailbox);
}

static bool start_cut(sv_mailbox *mailbox, long long begun, double seconds) {
  sv_thread thread;
  silence *s = malloc(sizeof *s);
  if (!s) {
    return false;
  }
  *s = (silence){mailbox, begun, seconds};
  __atomic_add_fetch(&mailbox->owners, 1, __ATOMIC_RELAXED);
  if (sv_thread_start(&thread, STACK_BYTES, see_to_cut, s) != 0) {
    __atomic_sub_fetch(&mailbox->owners, 1, __ATOMIC_RELAXED);
    free(s);
    return false;
  }
  sv_thread_detach(thread);
  return true;
}

bool sv_mailbox_cut(sv_mailbox *mailbox, double seconds) {
  long long begun = when_begun(mailbox);
  if (seconds_since(begun) <= 0) {
    return false; /* its connection is well */
  }
  if (__atomic_exchange_n(&mailbox->cutting, 1, __ATOMIC_ACQ_REL)) {
    return true;
  }
  bool started = start_cut(mailbox, begun, seconds);
  if (!started) {
    __atomic_store_n(&mailbox->cutting, 0, __ATOMIC_RELEASE);
  }
  return started;
}
