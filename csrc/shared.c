#define _GNU_SOURCE /* SCHED_BATCH */

#include "shared.h"

#include <sched.h>
#include <stdlib.h>

#include "forks.h"

static const double PROGRESS_SECONDS = 0.02;
static const double LONG_SECONDS = 3600;

void sv_queue_put(sv_queue *queue, sv_ticket *ticket) {
  ticket->next = NULL;
  *(queue->last ? &queue->last->next : &queue->first) = ticket;
  queue->last = ticket;
}

sv_ticket *sv_queue_take(sv_queue *queue) {
  sv_ticket *ticket = queue->first;
  if (ticket) {
    queue->first = ticket->next;
    queue->last = queue->first ? queue->last : NULL;
  }
  return ticket;
}

void sv_ticket_drop(sv_ticket *ticket) {
  if (__atomic_sub_fetch(&ticket->owners, 1, __ATOMIC_ACQ_REL) > 0) {
    return;
  }
  if (ticket->transfer && !ticket->lost) {
    sv_transfer_release(ticket->transfer);
  }
  if (ticket->errand && !ticket->lost) {
    sv_errand_free(ticket->errand);
  }
  free(ticket);
}

/* --- on the thread ----------------------------------------------------- */

static void publish_status(sv_ticket *ticket) {
  long status = sv_transfer_status(ticket->transfer);
  __atomic_store_n(&ticket->status, status, __ATOMIC_RELEASE);
}

static void publish_progress(sv_ticket *ticket) {
  sv_progress progress = sv_transfer_progress(ticket->transfer);
  __atomic_store_n(&ticket->received, progress.received, __ATOMIC_RELAXED);
  __atomic_store_n(&ticket->total, progress.total, __ATOMIC_RELAXED);
  __atomic_store_n(&ticket->sent, progress.sent, __ATOMIC_RELAXED);
}

/* Under the lock, so that who is told finds it in the queue. */
static void end(sv_shared *shared, sv_ticket *ticket) {
  pthread_mutex_lock(&shared->lock);
  sv_queue_put(&shared->ended, ticket);
  __atomic_store_n(&ticket->done, 1, __ATOMIC_RELEASE);
  __atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&shared->lock);
  sv_alarm_raise(shared->alarm);
}

static void end_transfer(sv_shared *shared, sv_ticket *ticket) {
  publish_status(ticket);
  publish_progress(ticket);
  end(shared, ticket);
}

static void on_end(sv_transfer *transfer, void *self) {
  sv_transfer_detach(transfer);
  end_transfer(self, transfer->ticket);
}

static void begin(sv_shared *shared, sv_ticket *ticket, bool stop) {
  if (ticket->errand) {
    sv_errand_run(ticket->errand);
    end(shared, ticket);
  } else if (stop || !sv_transfer_check(ticket->transfer)) {
    sv_transfer_abandon(ticket->transfer, false);
    end_transfer(shared, ticket);
  } else {
    sv_engine_enqueue(shared->engine, ticket->transfer);
  }
}

static void cancel(sv_ticket *ticket) {
  if (ticket->transfer && !__atomic_load_n(&ticket->done, __ATOMIC_RELAXED)) {
    sv_transfer_cancel(ticket->transfer);
  }
  sv_ticket_drop(ticket);
}

/* What was posted, taken out of the shared queues at once. */
typedef struct work {
  sv_ticket *begins, *cancels;
  bool stop;
} work;

static bool is_posted(const sv_shared *shared) {
  return shared->inbox.first || shared->cancels || shared->stop;
}

/* Waits for some where there is nothing else to do. */
static work take_work(sv_shared *shared, bool busy) {
  work found;
  pthread_mutex_lock(&shared->lock);
  while (!busy && !is_posted(shared)) {
    shared->rest = SV_IDLE;
    pthread_cond_wait(&shared->posted, &shared->lock);
  }
  shared->rest = SV_AWAKE;
  found.begins = shared->inbox.first;
  found.cancels = shared->cancels;
  found.stop = shared->stop;
  shared->inbox.first = shared->inbox.last = NULL;
  shared->cancels = NULL;
  pthread_mutex_unlock(&shared->lock);
  return found;
}

/* Whether nothing was posted meanwhile; if so, who posts will wake. */
static bool may_poll(sv_shared *shared) {
  pthread_mutex_lock(&shared->lock);
  bool may = !is_posted(shared);
  shared->rest = may ? SV_POLLING : SV_AWAKE;
  pthread_mutex_unlock(&shared->lock);
  return may;
}

static void do_work(sv_shared *shared, work found) {
  sv_ticket *ticket;
  while ((ticket = found.begins)) {
    found.begins = ticket->next;
    begin(shared, ticket, found.stop);
  }
  while ((ticket = found.cancels)) {
    found.cancels = ticket->next_cancel;
    cancel(ticket);
  }
}

/* Tells how far the running ones have come; lowers `next` to when that must
** be told again. */
static void publish(sv_shared *shared, double *published, double *next) {
  double now = sv_now(), due = *published + PROGRESS_SECONDS;
  sv_transfer *t = sv_engine_running(shared->engine);
  for (sv_transfer *each = t; each; each = each->next) {
    publish_status(each->ticket);
    if (now >= due) {
      publish_progress(each->ticket);
    }
  }
  if (now >= due) {
    *published = now;
  } else if (t && due < *next) {
    *next = due;
  }
}

/* All but the waiting. What is told in the end is all that is known by then,
** so that nothing stays untold for as long as nothing more comes. True where
** there is more to be done at once. */
static bool turn(sv_shared *shared, work found, double *published,
                 double *next) {
  bool more = false;
  sv_forks_hold();
  do_work(shared, found);
  if (found.stop) {
    sv_engine_close(shared->engine);
  } else if (sv_engine_in_flight(shared->engine) > 0) {
    more = sv_engine_perform(shared->engine, next);
    publish(shared, published, next);
  }
  sv_forks_let();
  return more;
}

static void start(sv_shared *shared) {
#ifdef SCHED_BATCH
  /* A thread that wakes up would else push the host's off its processor in the
  ** midst of a frame. */
  const struct sched_param none = {0};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
#endif
  sv_forks_hold();
  sv_engine_begin(shared->engine);
  sv_forks_let();
  sv_engine_listen(shared->engine, on_end, shared);
}

void *sv_shared_run(void *self) {
  sv_shared *shared = self;
  work found;
  double published = 0;
  start(shared);
  do {
    found = take_work(shared, sv_engine_in_flight(shared->engine) > 0);
    double next = sv_now() + LONG_SECONDS;
    bool more = turn(shared, found, &published, &next);
    if (!more && sv_engine_in_flight(shared->engine) > 0 && may_poll(shared)) {
      sv_engine_poll(shared->engine, next);
    }
  } while (!found.stop);
  return NULL;
}
