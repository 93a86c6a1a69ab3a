#include "curl/worker.h"

#include <math.h>
#include <stdlib.h>

#include "platform/clock.h"
#include "platform/atfork.h"

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

void sv_list_push(sv_ticket **list, sv_ticket **link, sv_ticket *ticket) {
  sv_ticket *top = __atomic_load_n(list, __ATOMIC_RELAXED);
  do {
    *link = top;
  } while (!__atomic_compare_exchange_n(list, &top, ticket, true,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

sv_ticket *sv_list_take(sv_ticket **list) {
  sv_ticket *ticket = __atomic_exchange_n(list, NULL, __ATOMIC_ACQUIRE);
  sv_ticket *turned = NULL;
  while (ticket) {
    sv_ticket *next = ticket->next;
    ticket->next = turned;
    turned = ticket;
    ticket = next;
  }
  return turned;
}

void sv_ticket_drop(sv_ticket *ticket) {
  if (__atomic_sub_fetch(&ticket->owners, 1, __ATOMIC_ACQ_REL) > 0 ||
      ticket->lost) {
    return;
  }
  if (ticket->transfer) {
    sv_transfer_release(ticket->transfer);
  }
  if (ticket->errand) {
    sv_disk_job_free(ticket->errand);
  }
  free(ticket);
}

/* --- on both threads ---------------------------------------------------- */

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

/* Once it is in the list it may be taken out, and be gone. */
static void end(sv_worker *shared, sv_ticket *ticket) {
  __atomic_store_n(&ticket->done, 1, __ATOMIC_RELEASE);
  sv_list_push(&shared->ended, &ticket->next, ticket);
  sv_notifier_raise(shared->notifier);
}

/* --- on the disk's thread ------------------------------------------------ */

/* After an exit the ticket may be gone: nobody tells of its end then. */
void sv_worker_work(sv_ticket *ticket, void *shared, const int *stop) {
  if (ticket->errand) {
    sv_disk_job_run(ticket->errand, stop);
  } else {
    sv_transfer_settle(ticket->transfer, stop);
  }
  sv_atfork_hold();
  end(shared, ticket);
  sv_atfork_let();
}

/* --- on the network's thread --------------------------------------------- */

/* What is left to do with a whole file may take its time. */
static void end_transfer(sv_worker *shared, sv_ticket *ticket) {
  publish_status(ticket);
  publish_progress(ticket);
  if (sv_transfer_is_settled(ticket->transfer)) {
    end(shared, ticket);
  } else {
    sv_disk_thread_post(shared->disk, ticket);
  }
}

static void on_end(sv_transfer *transfer, void *self) {
  sv_transfer_detach(transfer);
  end_transfer(self, transfer->ticket);
}

static bool must_stop(const sv_worker *shared) {
  return __atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST);
}

static void begin(sv_worker *shared, sv_ticket *ticket) {
  if (must_stop(shared) || !sv_transfer_check(ticket->transfer)) {
    sv_transfer_abandon(ticket->transfer, false);
    end_transfer(shared, ticket);
  } else {
    sv_engine_enqueue(shared->engine, ticket->transfer);
  }
}

/* One that has ended, or is being settled, is the engine's no more. */
static void cancel(sv_ticket *ticket) {
  if (ticket->transfer->engine) {
    sv_transfer_cancel(ticket->transfer);
  }
  sv_ticket_drop(ticket);
}

/* A ticket was put into the inbox before it was cancelled: of those that are
** cancelled here none is still to be begun. */
static void do_work(sv_worker *shared) {
  sv_ticket *cancels =
      __atomic_exchange_n(&shared->cancels, NULL, __ATOMIC_ACQUIRE);
  sv_ticket *begins = sv_list_take(&shared->inbox), *ticket;
  while ((ticket = begins)) {
    begins = ticket->next;
    begin(shared, ticket);
  }
  while ((ticket = cancels)) {
    cancels = ticket->next_cancel;
    cancel(ticket);
  }
}

/* Tells how far the running ones have come; lowers `next` to when that must
** be told again. */
static void publish(sv_worker *shared, double *published, double *next) {
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
static bool turn(sv_worker *shared, double *published, double *next) {
  bool more = false;
  sv_atfork_hold();
  sv_engine_begin(shared->engine);
  do_work(shared);
  if (sv_engine_in_flight(shared->engine) > 0) {
    more = sv_engine_perform(shared->engine, next);
    publish(shared, published, next);
  }
  sv_atfork_let();
  return more;
}

/* First the flag, then a look: who posts does it the other way round, so that
** one of both sees the other. */
static void rest(sv_worker *shared, double until) {
  if (!sv_engine_begin(shared->engine)) {
    sv_sleep(0.01); /* there may be room then */
    return;
  }
  __atomic_store_n(&shared->asleep, 1, __ATOMIC_SEQ_CST);
  if (!__atomic_load_n(&shared->inbox, __ATOMIC_SEQ_CST) &&
      !__atomic_load_n(&shared->cancels, __ATOMIC_SEQ_CST) &&
      !must_stop(shared)) {
    sv_engine_poll(shared->engine, until);
  }
  __atomic_store_n(&shared->asleep, 0, __ATOMIC_SEQ_CST);
}

/* What wakes the thread goes away with the engine: not before who has told it
** to stop has woken it, too. */
static void leave(sv_worker *shared) {
  sv_semaphore_wait(shared->stopped, (double)INFINITY);
  sv_atfork_hold();
  do_work(shared);
  sv_engine_close(shared->engine);
  sv_atfork_let();
}

void sv_worker_run(void *self) {
  sv_worker *shared = self;
  double published = 0;
  sv_engine_listen(shared->engine, on_end, shared);
  while (!must_stop(shared)) {
    double next = sv_now() + LONG_SECONDS;
    if (!turn(shared, &published, &next)) {
      rest(shared, next);
    }
  }
  leave(shared);
}
