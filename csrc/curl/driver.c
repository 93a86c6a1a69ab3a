#include "curl/driver.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "curl/outcome.h"
#include "curl/worker.h"
#include "platform/atfork.h"
#include "platform/process.h"
#include "platform/thread.h"

#include "core/hidden.h"

/* A TLS handshake of libcurl with OpenSSL takes less than 64 KiB; name
** look-ups have threads of libcurl's. */
enum { STACK_BYTES = 512 * 1024 };

struct sv_driver {
  int owners; /* the caller, and every ticket */
  bool closed;
  unsigned forks; /* as counted when its thread was this process's */
  sv_worker *worker; /* NULL until the first ticket */
  sv_notifier *notifier;
  char *ca_file;
  int max_in_flight;
  sv_pending pending; /* tickets */
};

/* --- start and end ----------------------------------------------------- */

sv_driver *sv_driver_new(const char *ca_file, int max_in_flight) {
  sv_driver *driver = calloc(1, sizeof *driver);
  if (!driver) {
    return NULL;
  }
  driver->owners = 1;
  driver->max_in_flight = max_in_flight;
  driver->forks = sv_atfork_count();
  driver->ca_file = ca_file ? strdup(ca_file) : NULL;
  driver->notifier = ca_file && !driver->ca_file ? NULL : sv_notifier_new();
  if (!driver->notifier) {
    int problem = errno;
    free(driver->ca_file);
    free(driver);
    errno = problem;
    return NULL;
  }
  return driver;
}

static void free_worker(sv_worker *worker) {
  sv_semaphore_free(worker->woken);
  if (worker->engine) {
    sv_engine_close(worker->engine);
    sv_engine_release(worker->engine);
  }
  free(worker);
}

static int need_worker(sv_driver *driver) {
  if (driver->worker) {
    return 0;
  }
  sv_worker *worker = calloc(1, sizeof *worker);
  if (!worker) {
    return ENOMEM;
  }
  worker->notifier = driver->notifier;
  worker->woken = sv_semaphore_new();
  worker->engine = sv_engine_new(driver->ca_file, driver->max_in_flight);
  if (!worker->engine || !worker->woken) {
    free_worker(worker);
    return ENOMEM;
  }
  driver->worker = worker;
  return 0;
}

static int start_network(sv_driver *driver) {
  int problem = need_worker(driver);
  sv_worker *worker = driver->worker;
  if (problem || worker->has_network) {
    return problem;
  }
  problem = sv_thread_start(&worker->network, STACK_BYTES, sv_worker_run,
                            worker);
  worker->has_network = !problem;
  return problem;
}

static int start_disk(sv_driver *driver) {
  int problem = need_worker(driver);
  sv_worker *worker = driver->worker;
  if (problem || worker->disk) {
    return problem;
  }
  worker->disk = sv_disk_thread_new(sv_worker_finish, worker);
  return worker->disk ? 0 : errno;
}

/* Of what a ticket points to only the file is closed, whose lock would
** otherwise outlive the parent in the child. After an exit a thread of this
** process may still use it, so it is left open. */
static void lose(sv_ticket *ticket) {
  if (ticket->lost || __atomic_load_n(&ticket->done, __ATOMIC_ACQUIRE)) {
    return;
  }
  ticket->lost = true;
  ticket->done = 1;
  if (ticket->transfer && ticket->transfer->sink.process != sv_process_id()) {
    sv_sink_close(&ticket->transfer->sink);
  }
}

/* At the fork the parent's threads were in no library (see atfork.h), but at
** an unknown place of our own code: so what they work on counts as lost. What
** had ended by then has ended in the child as well. */
static void notice_fork(sv_driver *driver) {
  if (driver->forks == sv_atfork_count() || driver->closed) {
    return;
  }
  driver->forks = sv_atfork_count();
  driver->worker = NULL;
  sv_notifier_reopen(driver->notifier);
  for (sv_item *item = driver->pending.first; item; item = item->after) {
    lose((sv_ticket *)item);
  }
  sv_pending_end_all(&driver->pending);
  if (driver->pending.ended) {
    sv_notifier_notify(driver->notifier);
  }
}

void sv_driver_release(sv_driver *driver) {
  if (--driver->owners == 0) {
    free(driver->ca_file);
    free(driver);
  }
}

/* To be called after a post; a system call only where the thread sleeps. */
static void wake(sv_worker *worker) {
  int asleep = __atomic_exchange_n(&worker->asleep, SV_AWAKE, __ATOMIC_SEQ_CST);
  if (asleep == SV_POLLING) {
    sv_engine_wake(worker->engine);
  } else if (asleep == SV_IDLE) {
    sv_semaphore_post(worker->woken);
  }
}

static void stop_network(sv_worker *worker) {
  __atomic_store_n(&worker->stop, 1, __ATOMIC_SEQ_CST);
  wake(worker);
  sv_thread_join(worker->network);
}

/* The network's thread ends first: it may post something for the disk's. */
static void stop(sv_worker *worker) {
  if (worker->has_network) {
    stop_network(worker);
  }
  if (worker->disk) {
    sv_disk_thread_close(worker->disk);
  }
  free_worker(worker);
}

void sv_driver_close(sv_driver *driver) {
  if (driver->closed) {
    return;
  }
  notice_fork(driver);
  driver->closed = true;
  if (driver->worker) {
    stop(driver->worker);
    driver->worker = NULL;
  }
  sv_pending_end_all(&driver->pending);
  sv_item *item;
  while ((item = sv_pending_take(&driver->pending, NULL))) {
    sv_ticket_drop((sv_ticket *)item);
  }
  sv_notifier_disconnect(driver->notifier);
  sv_notifier_drop(driver->notifier);
}

/* --- tickets ----------------------------------------------------------- */

static sv_ticket *new_ticket(sv_driver *driver) {
  sv_ticket *ticket = calloc(1, sizeof *ticket);
  if (ticket) {
    ticket->owners = 2;
    ticket->total = -1;
    ticket->driver = driver;
  }
  return ticket;
}

static void add(sv_ticket *ticket) {
  sv_pending_add(&ticket->driver->pending, &ticket->item);
  ticket->driver->owners++;
}

sv_ticket *sv_driver_submit(sv_driver *driver, const sv_request *request,
                            sv_outcome *failure) {
  notice_fork(driver);
  sv_transfer *transfer = sv_transfer_copy(request);
  sv_ticket *ticket = transfer ? new_ticket(driver) : NULL;
  int problem = ticket ? start_network(driver) : ENOMEM;
  if (!problem && request->sink_path) {
    problem = start_disk(driver);
  }
  if (problem) {
    memset(failure, 0, sizeof *failure);
    sv_outcome_say(failure, SV_REASON_IO, "no thread for the engine: %s",
                   strerror(problem));
    failure->system_error = problem;
    if (transfer) {
      sv_transfer_release(transfer);
    }
    free(ticket);
    return NULL;
  }
  ticket->transfer = transfer;
  transfer->ticket = ticket;
  add(ticket);
  sv_list_push(&driver->worker->inbox, &ticket->item.link);
  wake(driver->worker);
  return ticket;
}

sv_ticket *sv_driver_disk(sv_driver *driver, sv_disk_job *job) {
  notice_fork(driver);
  sv_ticket *ticket = new_ticket(driver);
  int problem = ticket ? start_disk(driver) : ENOMEM;
  if (problem) {
    free(ticket);
    sv_disk_job_free(job);
    errno = problem;
    return NULL;
  }
  ticket->job = job;
  add(ticket);
  sv_disk_thread_post(driver->worker->disk, ticket);
  return ticket;
}

static sv_list *ended_of(sv_driver *driver) {
  return driver->worker ? &driver->worker->ended : NULL;
}

long long sv_driver_take(sv_driver *driver) {
  notice_fork(driver);
  sv_item *item = sv_pending_take(&driver->pending, ended_of(driver));
  long long number = item ? item->number : 0;
  if (item) {
    sv_ticket_drop((sv_ticket *)item);
  }
  return number;
}

bool sv_driver_ready(sv_driver *driver) {
  notice_fork(driver);
  return sv_pending_is_ready(&driver->pending, ended_of(driver));
}

int sv_driver_in_flight(const sv_driver *driver) {
  return driver->pending.count;
}

sv_notifier *sv_driver_notifier(sv_driver *driver) {
  notice_fork(driver);
  return driver->notifier;
}

/* --- looking at tickets ------------------------------------------------ */

bool sv_ticket_done(sv_ticket *ticket) {
  notice_fork(ticket->driver);
  return __atomic_load_n(&ticket->done, __ATOMIC_ACQUIRE);
}

void sv_ticket_cancel(sv_ticket *ticket) {
  sv_worker *worker = ticket->driver->worker;
  if (sv_ticket_done(ticket) || ticket->cancelled || ticket->job || !worker) {
    return;
  }
  ticket->cancelled = true;
  __atomic_add_fetch(&ticket->owners, 1, __ATOMIC_RELAXED);
  sv_list_push(&worker->cancels, &ticket->cancel);
  wake(worker);
}

void sv_ticket_release(sv_ticket *ticket) {
  sv_driver *driver = ticket->driver;
  notice_fork(driver);
  sv_ticket_drop(ticket);
  sv_driver_release(driver);
}

long sv_ticket_status(sv_ticket *ticket) {
  notice_fork(ticket->driver);
  return ticket->lost ? 0 : __atomic_load_n(&ticket->status, __ATOMIC_ACQUIRE);
}
