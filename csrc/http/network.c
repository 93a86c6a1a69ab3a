#define _GNU_SOURCE /* strdup */

#include "http/network.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "system/clock.h"
#include "system/process.h"
#include "system/signals.h"

#include "rules/visibility.h"

/* A TLS handshake of libcurl with OpenSSL takes less than 64 KiB; name
** look-ups have threads of libcurl's. */
enum { WIRE_STACK = 512 * 1024, DISK_STACK = 256 * 1024 };

static const double PROGRESS_SECONDS = 0.02;
static const double LONG_SECONDS = 3600;
static const double LOOK_SECONDS = 0.002;

/* What the network's thread has. */
typedef struct wire {
  sv_engine *engine;
  sv_outbox *outbox;
  double published; /* when the progress was */
} wire;

struct sv_network {
  sv_outbox outbox; /* tickets */
  char *ca_file;
  int max_in_flight;
  bool is_inline;
  wire *wire;           /* NULL until the first request, like: */
  sv_service *requests; /* NULL if inline */
  sv_service *disk;     /* NULL if inline, and until something needs it */
};

/* --- as an outbox ------------------------------------------------------- */

static void forget_threads(sv_outbox *outbox) {
  sv_network *network = (sv_network *)outbox;
  network->wire = NULL;
  network->requests = network->disk = NULL;
}

/* The file's lock would otherwise outlive the parent in the child. After an
** exit a thread of this process may still use it, so it is left open. */
static void mark_lost(sv_item *item) {
  sv_ticket *ticket = (sv_ticket *)item;
  if (!ticket->job && ticket->transfer.sink.process != sv_process_id()) {
    sv_sink_close(&ticket->transfer.sink);
  }
}

static void free_ticket(sv_item *item) {
  sv_ticket *ticket = (sv_ticket *)item;
  if (ticket->job) {
    sv_disk_job_free(ticket->job);
  } else {
    sv_transfer_clear(&ticket->transfer);
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

/* --- on the disk's thread ------------------------------------------------ */

static bool finish(void *self, sv_item *item, const _Atomic int *stop) {
  sv_ticket *ticket = (sv_ticket *)item;
  (void)self;
  if (ticket->job) {
    sv_disk_job_run(ticket->job, sv_digest_file, stop);
  } else {
    sv_transfer_settle(&ticket->transfer, stop);
  }
  return true;
}

/* No fork waits for the disk. */
static const sv_duty on_disk = {.stack_bytes = DISK_STACK, .take = finish};

/* --- on the network's thread --------------------------------------------- */

static void publish_status(sv_ticket *ticket) {
  ticket->status = sv_transfer_status(&ticket->transfer);
}

static void publish_progress(sv_ticket *ticket) {
  sv_progress progress = sv_transfer_progress(&ticket->transfer);
  ticket->received = progress.received;
  ticket->total = progress.total;
  ticket->sent = progress.sent;
}

static sv_ticket *ticket_of(sv_transfer *transfer) {
  return (sv_ticket *)((char *)transfer - offsetof(sv_ticket, transfer));
}

static void on_end(sv_transfer *transfer, void *self) {
  sv_ticket *ticket = ticket_of(transfer);
  bool is_settled = sv_transfer_is_settled(transfer);
  if (!is_settled && !ticket->disk) { /* inline */
    sv_transfer_settle(transfer, NULL);
    is_settled = true;
  }
  publish_status(ticket);
  publish_progress(ticket);
  if (is_settled) {
    sv_outbox_end(((wire *)self)->outbox, &ticket->item);
  } else {
    sv_service_post(ticket->disk, &ticket->item);
  }
}

static bool take(void *self, sv_item *item, const _Atomic int *stop) {
  sv_engine *engine = ((wire *)self)->engine;
  sv_transfer *transfer = &((sv_ticket *)item)->transfer;
  if (!*stop && sv_transfer_check(transfer)) {
    sv_engine_enqueue(engine, transfer);
    return false;
  }
  sv_transfer_abandon(transfer, false);
  return true;
}

static void cancel(void *self, sv_item *item) {
  (void)self;
  sv_transfer_cancel(&((sv_ticket *)item)->transfer);
}

/* Publishes how far the running transfers have come; lowers `next` to when
** that is due again. */
static void publish(wire *w, double now, double *next) {
  double due = w->published + PROGRESS_SECONDS;
  bool is_due = now >= due;
  sv_transfer *first = sv_engine_running(w->engine);
  for (sv_transfer *each = first; each; each = each->next) {
    publish_status(ticket_of(each));
    if (is_due) {
      publish_progress(ticket_of(each));
    }
  }
  if (is_due) {
    w->published = now;
  } else if (first && due < *next) {
    *next = due;
  }
}

/* The progress is published last, so that it is up to date for as long as
** nothing more comes. */
static double perform(void *self) {
  wire *w = self;
  double next = sv_now() + LONG_SECONDS;
  if (sv_engine_in_flight(w->engine) == 0) {
    return -1;
  }
  sv_engine_begin(w->engine);
  bool more = sv_engine_perform(w->engine, &next);
  double now = sv_now();
  publish(w, now, &next);
  if (sv_engine_in_flight(w->engine) == 0) {
    return -1;
  }
  return more || next <= now ? 0 : next - now;
}

static void wait_for_work(void *self, double seconds) {
  sv_engine *engine = ((wire *)self)->engine;
  if (sv_engine_begin(engine)) {
    sv_engine_poll(engine, sv_now() + seconds);
  } else {
    sv_sleep(0.01); /* there may be memory or descriptors then */
  }
}

static void wake(void *self) {
  sv_engine_wake(((wire *)self)->engine);
}

static void end(void *self) {
  sv_engine_close(((wire *)self)->engine);
}

static const sv_duty on_wire = {
    .stack_bytes = WIRE_STACK,
    .holds = true,
    .take = take,
    .cancel = cancel,
    .rest = perform,
    .wait = wait_for_work, /* while nothing is on the wire it needs no
                              descriptor, which the host could close */
    .wake = wake,
    .end = end,
};

/* --- start and end ----------------------------------------------------- */

sv_network *sv_network_new(const char *ca_file, int max_in_flight,
                           bool is_inline) {
  sv_network *network = calloc(1, sizeof *network);
  sv_wakeup *wakeup = NULL;
  if (!network || (ca_file && !(network->ca_file = strdup(ca_file)))) {
    free(network);
    errno = ENOMEM;
    return NULL;
  }
  network->max_in_flight = max_in_flight;
  network->is_inline = is_inline;
  if (!is_inline && !(wakeup = sv_wakeup_new())) {
    int problem = errno;
    free_network(&network->outbox);
    errno = problem;
    return NULL;
  }
  sv_outbox_open(&network->outbox, &tickets, wakeup, true);
  return network;
}

static void free_wire(wire *w) {
  sv_engine_close(w->engine);
  sv_engine_free(w->engine);
  free(w);
}

static int start_requests(sv_network *network) {
  if (network->wire) {
    return 0;
  }
  wire *w = calloc(1, sizeof *w);
  sv_engine *engine = w ? sv_engine_new(network->ca_file,
                                        network->max_in_flight, on_end, w)
                        : NULL;
  if (!engine) {
    free(w);
    return ENOMEM;
  }
  w->engine = engine;
  w->outbox = &network->outbox;
  int problem = network->is_inline
                    ? 0
                    : sv_service_start(&network->requests, &on_wire, w,
                                       w->outbox);
  if (problem) {
    free_wire(w);
  } else {
    network->wire = w;
  }
  return problem;
}

static int start_disk(sv_network *network) {
  return network->disk || network->is_inline
             ? 0
             : sv_service_start(&network->disk, &on_disk, NULL, &network->outbox);
}

/* The network's thread ends first: it may post something for the disk's. */
void sv_network_close(sv_network *network) {
  sv_outbox_look_for_fork(&network->outbox);
  if (network->requests) {
    sv_service_stop(network->requests, (double)INFINITY);
  }
  if (network->disk) {
    sv_service_stop(network->disk, (double)INFINITY);
  }
  if (network->wire) {
    free_wire(network->wire);
  }
  forget_threads(&network->outbox);
  sv_outbox_close(&network->outbox);
}

/* --- tickets ----------------------------------------------------------- */

static sv_ticket *new_ticket(void) {
  sv_ticket *ticket = calloc(1, sizeof *ticket);
  if (ticket) {
    ticket->total = -1;
  }
  return ticket;
}

static sv_ticket *refuse(sv_network *network, int problem,
                         sv_outcome *failure) {
  memset(failure, 0, sizeof *failure);
  if (network->is_inline) {
    sv_outcome_say(failure, SV_REASON_IO, "out of memory");
  } else {
    sv_outcome_say(failure, SV_REASON_IO, "no thread for the engine: %s",
                   strerror(problem));
  }
  failure->system_error = problem;
  return NULL;
}

static void hand_over(sv_network *network, sv_service *service,
                      const sv_duty *duty, sv_ticket *ticket) {
  static const _Atomic int goes_on = 0;
  sv_outbox_add(&network->outbox, &ticket->item);
  if (service) {
    sv_service_post(service, &ticket->item);
  } else if (duty->take(network->wire, &ticket->item, &goes_on)) {
    sv_outbox_end(&network->outbox, &ticket->item);
  }
}

sv_ticket *sv_network_submit(sv_network *network, const sv_request *request,
                             sv_outcome *failure) {
  sv_outbox_look_for_fork(&network->outbox);
  sv_ticket *ticket = new_ticket();
  int problem = ticket && sv_transfer_init(&ticket->transfer, request)
                    ? start_requests(network)
                    : ENOMEM;
  if (!problem && request->sink_path) {
    problem = start_disk(network);
  }
  if (problem) {
    if (ticket) {
      free_ticket(&ticket->item);
    }
    return refuse(network, problem, failure);
  }
  ticket->disk = network->disk;
  hand_over(network, network->requests, &on_wire, ticket);
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
  hand_over(network, network->disk, &on_disk, ticket);
  return ticket;
}

bool sv_network_step(sv_network *network, double seconds) {
  bool has_ended = sv_outbox_is_ready(&network->outbox);
  if (network->wire) {
    return sv_engine_step(network->wire->engine, seconds);
  }
  sv_sleep(has_ended ? 0 : sv_interrupt_limit(seconds));
  return has_ended; /* in a fork */
}

bool sv_ticket_wait(sv_ticket *ticket, double seconds) {
  sv_network *network = (sv_network *)ticket->item.outbox;
  double until = sv_now() + seconds;
  if (network->is_inline && !sv_item_done(&ticket->item)) {
    sv_network_step(network, seconds);
    return sv_item_done(&ticket->item);
  }
  while (!sv_item_done(&ticket->item) && sv_now() < until) {
    sv_sleep(LOOK_SECONDS);
  }
  return sv_item_done(&ticket->item);
}

void sv_ticket_cancel(sv_ticket *ticket) {
  bool is_done = sv_item_done(&ticket->item);
  sv_network *network = (sv_network *)ticket->item.outbox;
  if (is_done || ticket->is_cancelled || ticket->job) {
    return;
  }
  ticket->is_cancelled = true;
  if (network->requests) {
    sv_service_cancel(network->requests, &ticket->item);
  } else {
    sv_transfer_cancel(&ticket->transfer);
  }
}

/* Of an inline network nobody else does. */
static void look(sv_ticket *ticket) {
  const sv_network *network = (sv_network *)ticket->item.outbox;
  sv_outbox_look_for_fork(ticket->item.outbox);
  if (network->is_inline && !ticket->item.lost && !ticket->job) {
    publish_status(ticket);
    publish_progress(ticket);
  }
}

long sv_ticket_status(sv_ticket *ticket) {
  look(ticket);
  return ticket->item.lost ? 0 : ticket->status;
}

sv_progress sv_ticket_progress(sv_ticket *ticket) {
  look(ticket);
  return (sv_progress){ticket->received, ticket->total, ticket->sent};
}

/* The parent may yet send what it has queued. */
static const sv_outcome lost = {
    .reason = SV_REASON_CANCELLED,
    .phase = SV_PHASE_ANSWER,
    .message = "cancelled by a fork",
    .sent = true,
};

const sv_outcome *sv_ticket_outcome(const sv_ticket *ticket) {
  return ticket->item.lost ? &lost : &ticket->transfer.outcome;
}
