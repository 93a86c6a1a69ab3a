#include "http/network.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "http/outcome.h"
#include "http/worker.h"
#include "system/fork.h"
#include "system/process.h"
#include "system/thread.h"

#include "rules/visibility.h"

/* A TLS handshake of libcurl with OpenSSL takes less than 64 KiB; name
** look-ups have threads of libcurl's. */
enum { STACK_BYTES = 512 * 1024 };

struct sv_network {
  int owners; /* the caller, and every ticket */
  bool closed;
  unsigned forks; /* as counted when its thread was this process's */
  sv_worker *worker; /* NULL until the first ticket */
  sv_wakeup *wakeup;
  char *ca_file;
  int max_in_flight;
  sv_outbox outbox; /* tickets */
};

/* --- start and end ----------------------------------------------------- */

sv_network *sv_network_new(const char *ca_file, int max_in_flight) {
  sv_network *network = calloc(1, sizeof *network);
  if (!network) {
    return NULL;
  }
  network->owners = 1;
  network->max_in_flight = max_in_flight;
  network->forks = sv_fork_count();
  network->ca_file = ca_file ? strdup(ca_file) : NULL;
  network->wakeup = ca_file && !network->ca_file ? NULL : sv_wakeup_new();
  if (!network->wakeup) {
    int problem = errno;
    free(network->ca_file);
    free(network);
    errno = problem;
    return NULL;
  }
  return network;
}

static void free_worker(sv_worker *worker) {
  sv_semaphore_free(worker->woken);
  if (worker->engine) {
    sv_engine_close(worker->engine);
    sv_engine_release(worker->engine);
  }
  free(worker);
}

static int need_worker(sv_network *network) {
  if (network->worker) {
    return 0;
  }
  sv_worker *worker = calloc(1, sizeof *worker);
  if (!worker) {
    return ENOMEM;
  }
  worker->wakeup = network->wakeup;
  worker->woken = sv_semaphore_new();
  worker->engine = sv_engine_new(network->ca_file, network->max_in_flight);
  if (!worker->engine || !worker->woken) {
    free_worker(worker);
    return ENOMEM;
  }
  network->worker = worker;
  return 0;
}

static int start_network(sv_network *network) {
  int problem = need_worker(network);
  sv_worker *worker = network->worker;
  if (problem || worker->has_network) {
    return problem;
  }
  problem = sv_thread_start(&worker->network, STACK_BYTES, sv_worker_run,
                            worker);
  worker->has_network = !problem;
  return problem;
}

static int start_disk(sv_network *network) {
  int problem = need_worker(network);
  sv_worker *worker = network->worker;
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
static void notice_fork(sv_network *network) {
  if (network->forks == sv_fork_count() || network->closed) {
    return;
  }
  network->forks = sv_fork_count();
  network->worker = NULL;
  sv_wakeup_reopen(network->wakeup);
  for (sv_item *item = network->outbox.first; item; item = item->after) {
    lose((sv_ticket *)item);
  }
  sv_outbox_end_all(&network->outbox);
  if (network->outbox.ended) {
    sv_wakeup_notify(network->wakeup);
  }
}

void sv_network_release(sv_network *network) {
  if (--network->owners == 0) {
    free(network->ca_file);
    free(network);
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

void sv_network_close(sv_network *network) {
  if (network->closed) {
    return;
  }
  notice_fork(network);
  network->closed = true;
  if (network->worker) {
    stop(network->worker);
    network->worker = NULL;
  }
  sv_outbox_end_all(&network->outbox);
  sv_item *item;
  while ((item = sv_outbox_take(&network->outbox, NULL))) {
    sv_ticket_drop((sv_ticket *)item);
  }
  sv_wakeup_disconnect(network->wakeup);
  sv_wakeup_drop(network->wakeup);
}

/* --- tickets ----------------------------------------------------------- */

static sv_ticket *new_ticket(sv_network *network) {
  sv_ticket *ticket = calloc(1, sizeof *ticket);
  if (ticket) {
    ticket->owners = 2;
    ticket->total = -1;
    ticket->network = network;
  }
  return ticket;
}

static void add(sv_ticket *ticket) {
  sv_outbox_add(&ticket->network->outbox, &ticket->item);
  ticket->network->owners++;
}

sv_ticket *sv_network_submit(sv_network *network, const sv_request *request,
                            sv_outcome *failure) {
  notice_fork(network);
  sv_transfer *transfer = sv_transfer_copy(request);
  sv_ticket *ticket = transfer ? new_ticket(network) : NULL;
  int problem = ticket ? start_network(network) : ENOMEM;
  if (!problem && request->sink_path) {
    problem = start_disk(network);
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
  sv_list_push(&network->worker->inbox, &ticket->item.link);
  wake(network->worker);
  return ticket;
}

sv_ticket *sv_network_disk(sv_network *network, sv_disk_job *job) {
  notice_fork(network);
  sv_ticket *ticket = new_ticket(network);
  int problem = ticket ? start_disk(network) : ENOMEM;
  if (problem) {
    free(ticket);
    sv_disk_job_free(job);
    errno = problem;
    return NULL;
  }
  ticket->job = job;
  add(ticket);
  sv_disk_thread_post(network->worker->disk, ticket);
  return ticket;
}

static sv_list *ended_of(sv_network *network) {
  return network->worker ? &network->worker->ended : NULL;
}

long long sv_network_take(sv_network *network) {
  notice_fork(network);
  sv_item *item = sv_outbox_take(&network->outbox, ended_of(network));
  long long number = item ? item->number : 0;
  if (item) {
    sv_ticket_drop((sv_ticket *)item);
  }
  return number;
}

bool sv_network_ready(sv_network *network) {
  notice_fork(network);
  return sv_outbox_is_ready(&network->outbox, ended_of(network));
}

int sv_network_in_flight(const sv_network *network) {
  return network->outbox.count;
}

sv_wakeup *sv_network_wakeup(sv_network *network) {
  notice_fork(network);
  return network->wakeup;
}

/* --- looking at tickets ------------------------------------------------ */

bool sv_ticket_done(sv_ticket *ticket) {
  notice_fork(ticket->network);
  return __atomic_load_n(&ticket->done, __ATOMIC_ACQUIRE);
}

void sv_ticket_cancel(sv_ticket *ticket) {
  sv_worker *worker = ticket->network->worker;
  if (sv_ticket_done(ticket) || ticket->cancelled || ticket->job || !worker) {
    return;
  }
  ticket->cancelled = true;
  __atomic_add_fetch(&ticket->owners, 1, __ATOMIC_RELAXED);
  sv_list_push(&worker->cancels, &ticket->cancel);
  wake(worker);
}

void sv_ticket_release(sv_ticket *ticket) {
  sv_network *network = ticket->network;
  notice_fork(network);
  sv_ticket_drop(ticket);
  sv_network_release(network);
}

long sv_ticket_status(sv_ticket *ticket) {
  notice_fork(ticket->network);
  return ticket->lost ? 0 : __atomic_load_n(&ticket->status, __ATOMIC_ACQUIRE);
}
