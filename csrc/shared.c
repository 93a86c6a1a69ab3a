#include "shared.h"

#include <stdlib.h>

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

static void on_end(sv_transfer *transfer, void *self) {
  sv_ticket *ticket = transfer->ticket;
  sv_transfer_detach(transfer);
  publish_progress(ticket);
  end(self, ticket);
}

static void begin(sv_shared *shared, sv_ticket *ticket) {
  if (ticket->errand) {
    sv_errand_run(ticket->errand);
    end(shared, ticket);
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

static work take_work(sv_shared *shared, bool busy) {
  work found;
  pthread_mutex_lock(&shared->lock);
  while (!busy && !shared->inbox.first && !shared->cancels && !shared->stop) {
    shared->idle = true;
    pthread_cond_wait(&shared->posted, &shared->lock);
    shared->idle = false;
  }
  found.begins = shared->inbox.first;
  found.cancels = shared->cancels;
  found.stop = shared->stop;
  shared->inbox.first = shared->inbox.last = NULL;
  shared->cancels = NULL;
  pthread_mutex_unlock(&shared->lock);
  return found;
}

static bool do_work(sv_shared *shared) {
  work found = take_work(shared, sv_engine_in_flight(shared->engine) > 0);
  sv_ticket *ticket = found.begins;
  while (ticket) {
    sv_ticket *next = ticket->next;
    begin(shared, ticket);
    ticket = next;
  }
  while ((ticket = found.cancels)) {
    found.cancels = ticket->next_cancel;
    cancel(ticket);
  }
  return !found.stop;
}

/* How far the running ones have come: seconds until it must be told again. */
static double publish(sv_shared *shared, double *published) {
  double now = sv_now();
  bool due = now - *published >= PROGRESS_SECONDS;
  sv_transfer *t = sv_engine_running(shared->engine);
  if (!t) {
    return LONG_SECONDS;
  }
  for (; t; t = t->next) {
    sv_ticket *ticket = t->ticket;
    if (t->answered) {
      __atomic_store_n(&ticket->answered, 1, __ATOMIC_RELEASE);
    }
    if (due) {
      publish_progress(ticket);
    }
  }
  *published = due ? now : *published;
  return due ? LONG_SECONDS : *published + PROGRESS_SECONDS - now;
}

void *sv_shared_run(void *self) {
  sv_shared *shared = self;
  double published = 0;
  sv_engine_listen(shared->engine, on_end, shared);
  while (do_work(shared)) {
    if (sv_engine_in_flight(shared->engine) > 0) {
      sv_engine_step(shared->engine, publish(shared, &published));
    }
  }
  sv_engine_close(shared->engine);
  return NULL;
}
