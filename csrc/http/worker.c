#include "http/worker.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "system/fork.h"
#include "system/clock.h"

#include "rules/visibility.h"

enum { DISK_STACK = 256 * 1024 };

static const double PROGRESS_SECONDS = 0.02;
static const double LONG_SECONDS = 3600;

/* --- on both threads ---------------------------------------------------- */

static void publish_status(sv_ticket *ticket) {
  long status = sv_transfer_status(ticket->transfer);
  atomic_store(&ticket->status, status);
}

static void put(_Atomic long long *place, long long number) {
  atomic_store_explicit(place, number, memory_order_relaxed);
}

static void publish_progress(sv_ticket *ticket) {
  sv_progress progress = sv_transfer_progress(ticket->transfer);
  put(&ticket->received, progress.received);
  put(&ticket->total, progress.total);
  put(&ticket->sent, progress.sent);
}

/* --- on the disk's thread ------------------------------------------------ */

/* No fork waits for the disk. */
static bool finish(void *self, sv_item *item, const int *stop) {
  sv_ticket *ticket = (sv_ticket *)item;
  (void)self;
  if (ticket->job) {
    sv_disk_job_run(ticket->job, sv_digest_file, stop);
  } else {
    sv_transfer_settle(ticket->transfer, stop);
  }
  return true;
}

const sv_duty sv_disk_duty = {.stack_bytes = DISK_STACK, .take = finish};

/* --- on the network's thread --------------------------------------------- */

/* Finishing a file that has come whole may take long: a job for the disk. */
static void end_transfer(sv_worker *worker, sv_ticket *ticket) {
  publish_status(ticket);
  publish_progress(ticket);
  if (sv_transfer_is_settled(ticket->transfer)) {
    sv_outbox_end(worker->outbox, &ticket->item);
  } else {
    sv_service_post(worker->disk, &ticket->item);
  }
}

static void on_end(sv_transfer *transfer, void *self) {
  sv_transfer_detach(transfer);
  end_transfer(self, transfer->ticket);
}

static bool must_stop(const sv_worker *worker) {
  return __atomic_load_n(&worker->stop, __ATOMIC_SEQ_CST);
}

static void begin(sv_worker *worker, sv_ticket *ticket) {
  if (must_stop(worker) ||
      !sv_transfer_check(ticket->transfer, sv_engine_known(worker->engine))) {
    sv_transfer_abandon(ticket->transfer, false);
    end_transfer(worker, ticket);
  } else {
    sv_engine_enqueue(worker->engine, ticket->transfer);
  }
}

static sv_ticket *ticket_of_cancel(sv_link *link) {
  return (sv_ticket *)((char *)link - offsetof(sv_item, cancel));
}

/* A transfer that has ended, or is being settled, has no engine any more. */
static void cancel(sv_ticket *ticket) {
  if (ticket->transfer->engine) {
    sv_transfer_cancel(ticket->transfer);
  }
  sv_item_drop(&ticket->item);
}

/* The cancels are taken first: each of their tickets was put into the inbox
** before, so that none is cancelled here that has not been begun. */
static void do_work(sv_worker *worker) {
  sv_link *cancels = sv_list_take(&worker->cancels);
  sv_link *begins = sv_list_take(&worker->inbox), *link;
  while ((link = begins)) {
    begins = link->next;
    begin(worker, (sv_ticket *)link);
  }
  while ((link = cancels)) {
    cancels = link->next;
    cancel(ticket_of_cancel(link));
  }
}

/* Publishes how far the running transfers have come; lowers `next` to when
** that is due again. */
static void publish(sv_worker *worker, double *published, double *next) {
  double now = sv_now(), due = *published + PROGRESS_SECONDS;
  sv_transfer *t = sv_engine_running(worker->engine);
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

/* All but the waiting. The progress is published last, so that it is up to
** date for as long as nothing more comes. True where there is more to do at
** once. */
static bool turn(sv_worker *worker, double *published, double *next) {
  bool more = false;
  sv_fork_hold();
  sv_engine_begin(worker->engine);
  do_work(worker);
  if (sv_engine_in_flight(worker->engine) > 0) {
    more = sv_engine_perform(worker->engine, next);
    publish(worker, published, next);
  }
  sv_fork_release();
  return more;
}

/* First sets the flag, then looks into the lists; who posts does it in the
** other order, so that one of the two sees the other. */
static void sleep_until(sv_worker *worker, double until) {
  bool polls = sv_engine_in_flight(worker->engine) > 0;
  if (polls && !sv_engine_begin(worker->engine)) {
    sv_sleep(0.01); /* there may be memory or descriptors then */
    return;
  }
  __atomic_store_n(&worker->asleep, polls ? SV_POLLING : SV_IDLE,
                   __ATOMIC_SEQ_CST);
  bool has_work = must_stop(worker) || !sv_list_is_empty(&worker->inbox) ||
                  !sv_list_is_empty(&worker->cancels);
  if (!has_work && polls) {
    sv_engine_poll(worker->engine, until);
  } else if (!has_work) {
    sv_semaphore_wait(worker->woken, (double)INFINITY);
  }
  __atomic_store_n(&worker->asleep, SV_AWAKE, __ATOMIC_SEQ_CST);
}

static void leave(sv_worker *worker) {
  sv_fork_hold();
  do_work(worker);
  sv_engine_close(worker->engine);
  sv_fork_release();
}

void sv_worker_run(void *self) {
  sv_worker *worker = self;
  double published = 0;
  sv_engine_listen(worker->engine, on_end, worker);
  while (!must_stop(worker)) {
    double next = sv_now() + LONG_SECONDS;
    if (!turn(worker, &published, &next)) {
      sleep_until(worker, next);
    }
  }
  leave(worker);
}
