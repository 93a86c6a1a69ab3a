#include "thread/mailbox.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "thread/activity.h"
#include "system/fork.h"
#include "system/clock.h"
#include "system/thread.h"

#include "rules/visibility.h"

/* For Lua, a network of a database, a name look-up and a TLS handshake. */
enum { STACK_BYTES = 1024 * 1024 };

struct sv_mailbox {
  int owners;           /* atomic */
  sv_list inbox;        /* messages, by their items */
  int stop;             /* atomic */
  int is_watched;       /* atomic: a thread sees to disconnect it */
  sv_activity activity; /* the thread's */
  sv_semaphore *posted; /* for each message, and for the stop */
  sv_semaphore *over;   /* posted by the thread at its end */
  const sv_handler *handler;
  sv_buffer setup;
  sv_outbox *outbox;
  sv_thread thread;
};

static void drop(sv_mailbox *mailbox) {
  if (__atomic_sub_fetch(&mailbox->owners, 1, __ATOMIC_ACQ_REL) > 0) {
    return;
  }
  sv_semaphore_free(mailbox->posted);
  sv_semaphore_free(mailbox->over);
  sv_buffer_free(&mailbox->setup);
  sv_outbox_drop(mailbox->outbox);
  free(mailbox);
}

/* --- on the thread ------------------------------------------------------- */

/* An answer that nobody waits for any more is undone at once, before any other
** message. Where memory is short the answer stays empty. After an exit the
** message may be gone: nobody tells of its end then. */
static void answer(sv_mailbox *mailbox, void *self, sv_message *message) {
  const sv_handler *handler = mailbox->handler;
  bool is_undone = false;
  sv_fork_hold();
  sv_activity_begin(&mailbox->activity);
  if (self && (message->kept || atomic_load(&message->item.fate) == SV_OPEN)) {
    handler->answer(self, &message->question, &message->answer);
    is_undone = !sv_item_settle(&message->item, SV_DONE) && !message->kept;
  }
  if (is_undone) {
    handler->undo(self);
  }
  sv_activity_end(&mailbox->activity);
  sv_outbox_end(mailbox->outbox, &message->item);
  sv_fork_release();
}

/* When to do so again. */
static double idle(sv_mailbox *mailbox, void *self) {
  sv_fork_hold();
  sv_activity_begin(&mailbox->activity);
  double seconds = self ? mailbox->handler->idle(self) : -1;
  sv_activity_end(&mailbox->activity);
  sv_fork_release();
  return seconds < 0 ? (double)INFINITY : sv_now() + seconds;
}

/* What the libraries do at exit they have asked for by now. */
static void guard_exit(void) {
  static int is_guarded; /* atomic */
  sv_thread_once(&is_guarded, sv_fork_guard_exit);
}

static bool work(sv_mailbox *mailbox, void **self) {
  sv_link *inbox = sv_list_take(&mailbox->inbox), *link;
  bool any = inbox != NULL;
  while ((link = inbox)) {
    inbox = link->next;
    if (!*self) {
      *self = mailbox->handler->begin(&mailbox->setup);
    }
    answer(mailbox, *self, (sv_message *)link);
    guard_exit();
  }
  return any;
}

static void end(sv_mailbox *mailbox, void *self) {
  if (self) {
    sv_fork_hold();
    mailbox->handler->end(self);
    sv_fork_release();
  }
  sv_semaphore_post(mailbox->over);
  drop(mailbox);
}

static void run(void *argument) {
  sv_mailbox *mailbox = argument;
  void *self = NULL;
  double due = INFINITY;
  sv_activity_enter(&mailbox->activity);
  for (;;) {
    /* First: what was posted before it is done. */
    bool stopping = __atomic_load_n(&mailbox->stop, __ATOMIC_SEQ_CST);
    bool any = work(mailbox, &self);
    if (stopping) {
      break;
    }
    due = any || sv_now() >= due ? idle(mailbox, self) : due;
    sv_semaphore_wait(mailbox->posted, due - sv_now());
  }
  end(mailbox, self);
}

/* --- start and end ------------------------------------------------------- */

int sv_mailbox_open(sv_mailbox **opened, const sv_handler *handler,
                    const sv_buffer *setup, sv_outbox *outbox) {
  sv_mailbox *mailbox = calloc(1, sizeof *mailbox);
  if (!mailbox || !sv_buffer_add(&mailbox->setup, setup->data, setup->size)) {
    free(mailbox);
    return ENOMEM;
  }
  mailbox->owners = 2;
  mailbox->handler = handler;
  mailbox->outbox = outbox;
  sv_outbox_share(outbox);
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
  *opened = mailbox;
  return 0;
}

void sv_mailbox_leave(sv_mailbox *mailbox, double seconds) {
  double left = seconds - sv_mailbox_busy_seconds(mailbox);
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
  sv_list_push(&mailbox->inbox, &message->item.link);
  sv_semaphore_post(mailbox->posted);
}

double sv_mailbox_busy_seconds(sv_mailbox *mailbox) {
  return sv_activity_seconds(sv_activity_begun(&mailbox->activity));
}

/* --- the end of a connection --------------------------------------------- */

typedef struct silence {
  sv_mailbox *mailbox;
  long long begun;
  double seconds;
} silence;

/* Most likely it is over by then. */
static void watch(void *self) {
  const silence s = *(silence *)self;
  free(self);
  double left = (double)s.begun / 1e6 + s.seconds - sv_now();
  sv_sleep(left > 0 ? floor(left) + 1 : 0);
  sv_activity_disconnect(&s.mailbox->activity, s.begun);
  __atomic_store_n(&s.mailbox->is_watched, 0, __ATOMIC_RELEASE);
  drop(s.mailbox);
}

static bool start_watch(sv_mailbox *mailbox, long long begun, double seconds) {
  sv_thread thread;
  silence *s = malloc(sizeof *s);
  if (!s) {
    return false;
  }
  *s = (silence){mailbox, begun, seconds};
  __atomic_add_fetch(&mailbox->owners, 1, __ATOMIC_RELAXED);
  if (sv_thread_start(&thread, STACK_BYTES, watch, s) != 0) {
    __atomic_sub_fetch(&mailbox->owners, 1, __ATOMIC_RELAXED);
    free(s);
    return false;
  }
  sv_thread_detach(thread);
  return true;
}

bool sv_mailbox_disconnect(sv_mailbox *mailbox, double seconds) {
  long long begun = sv_activity_begun(&mailbox->activity);
  if (sv_activity_seconds(begun) <= 0) {
    return false; /* it is not silent */
  }
  if (__atomic_exchange_n(&mailbox->is_watched, 1, __ATOMIC_ACQ_REL)) {
    return true;
  }
  bool started = start_watch(mailbox, begun, seconds);
  if (!started) {
    __atomic_store_n(&mailbox->is_watched, 0, __ATOMIC_RELEASE);
  }
  return started;
}
