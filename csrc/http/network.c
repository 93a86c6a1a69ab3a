#include "http/network.h"

#include <errno.h>
#include <math.h>
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
  sv_outbox outbox;  /* tickets */
  sv_worker *worker; /* NULL until the first of these */
  char *ca_file;
  int max_in_flight;
};

/* --- as an outbox ------------------------------------------------------- */

static void forget_threads(sv_outbox *outbox) {
  ((sv_network *)outbox)->worker = NULL;
}

/* The file's lock would otherwise outlive the parent in the child. After an
** exit a thread of this process may still use it, so it is left open. */
static void mark_lost(sv_item *item) {
  sv_transfer *transfer = ((sv_ticket *)item)->transfer;
  if (transfer && transfer->sink.process != sv_process_id()) {
    sv_sink_close(&transfer->sink);
  }
}

static void free_ticket(sv_item *item) {
  sv_ticket *ticket = (sv_ticket *)item;
  if (ticket->transfer) {
    sv_transfer_release(ticket->transfer);
  }
  if (ticket->job) {
    sv_disk_job_free(ticket->job);
  }
  free(ticket);
}

static void free_network(sv_outbox *outbox) {
  sv_network *network = (sv_network *)outbox;
  free(network->ca_file);
  free(network);
}

static const sv_outbox_class tickets = {forget_threads, mark_lost, free_ticket,
                                        free_network};

sv_outbox *sv_network_outbox(sv_network *network) {
  return &network->outbox;
}

/* --- start and end ----------------------------------------------------- */

sv_network *sv_network_new(const char *ca_file, int max_in_flight) {
  sv_network *network = calloc(1, sizeof *network);
  int problem = ENOMEM;
  if (network) {
    network->max_in_flight = max_in_flight;
    network->ca_file = ca_file ? strdup(ca_file) : NULL;
    if (network->ca_file || !ca_file) {
      problem = sv_outbox_open(&network->outbox, &tickets, NULL);
    }
  }
  if (problem && network) {
    free_network(&network->outbox);
  }
  errno = problem;
  return problem ? NULL : network;
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
  worker->outbox = &network->outbox;
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
  return sv_service_start(&worker->disk, &sv_disk_duty, NULL, &network->outbox);
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
    sv_service_stop(worker->disk, (double)INFINITY);
  }
  free_worker(worker);
}

void sv_network_close(sv_network *network) {
  sv_outbox_look_for_fork(&network->outbox);
  if (network->worker) {
    stop(network->worker);
    network->worker = NULL;
  }
  sv_outbox_close(&network->outbox);
}

void sv_network_release(sv_network *network) {
  sv_outbox_release(&network->outbox);
}

/* --- tickets ----------------------------------------------------------- */

static sv_ticket *new_ticket(void) {
  sv_ticket *ticket = calloc(1, sizeof *ticket);
  if (ticket) {
    ticket->total = -1;
  }
  return ticket;
}

sv_ticket *sv_network_submit(sv_network *network, const sv_request *request,
                            sv_outcome *failure) {
  sv_outbox_look_for_fork(&network->outbox);
  sv_transfer *transfer = sv_transfer_copy(request);
  sv_ticket *ticket = transfer ? new_ticket() : NULL;
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
  sv_outbox_add(&network->outbox, &ticket->item);
  sv_list_push(&network->worker->inbox, &ticket->item.link);
  wake(network->worker);
  return ticket;
}

sv_ticket *sv_network_disk(sv_network *network, sv_disk_job *job) {
  sv_outbox_look_for_fork(&network->outbox);
  sv_ticket *ticket = new_ticket();
  int problem = ticket ? start_disk(network) : ENOMEM;
  if (problem) {
    free(ticket);
    sv_disk_job_free(job);
    errno = problem;
    return NULL;
  }
  ticket->job = job;
  sv_outbox_add(&network->outbox, &ticket->item);
  sv_service_post(network->worker->disk, &ticket->item);
  return ticket;
}

/* --- looking at tickets ------------------------------------------------ */

void sv_ticket_cancel(sv_ticket *ticket) {
  bool is_done = sv_item_done(&ticket->item);
  sv_worker *worker = ((sv_network *)ticket->item.outbox)->worker;
  if (is_done || ticket->is_cancelled || ticket->job || !worker) {
    return;
  }
  ticket->is_cancelled = true;
  atomic_fetch_add(&ticket->item.owners, 1);
  sv_list_push(&worker->cancels, &ticket->item.cancel);
  wake(worker);
}

long sv_ticket_status(sv_ticket *ticket) {
  sv_outbox_look_for_fork(ticket->item.outbox);
  return ticket->item.lost ? 0 : atomic_load(&ticket->status);
}
