#include "curl/ticket.h"

#include <stdlib.h>

/* --- lists ------------------------------------------------------------- */

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

/* --- tickets ----------------------------------------------------------- */

void sv_ticket_drop(sv_ticket *ticket) {
  if (__atomic_sub_fetch(&ticket->owners, 1, __ATOMIC_ACQ_REL) > 0 ||
      ticket->lost) {
    return;
  }
  if (ticket->transfer) {
    sv_transfer_release(ticket->transfer);
  }
  if (ticket->job) {
    sv_disk_job_free(ticket->job);
  }
  free(ticket);
}

long long sv_ticket_number(const sv_ticket *ticket) {
  return ticket->number;
}

sv_progress sv_ticket_progress(const sv_ticket *ticket) {
  sv_progress progress = {
      __atomic_load_n(&ticket->received, __ATOMIC_RELAXED),
      __atomic_load_n(&ticket->total, __ATOMIC_RELAXED),
      __atomic_load_n(&ticket->sent, __ATOMIC_RELAXED)};
  return progress;
}

const sv_transfer *sv_ticket_transfer(const sv_ticket *ticket) {
  return ticket->transfer;
}

/* What the parent had queued it may yet send. */
static const sv_outcome lost = {
    .reason = SV_REASON_CANCELLED,
    .phase = SV_PHASE_ANSWER,
    .message = "cancelled by a fork",
    .sent = true,
};

const sv_outcome *sv_ticket_outcome(const sv_ticket *ticket) {
  return ticket->lost ? &lost : sv_transfer_outcome(ticket->transfer);
}

sv_disk_job *sv_ticket_disk_job(const sv_ticket *ticket) {
  return ticket->lost ? NULL : ticket->job;
}

bool sv_ticket_is_disk_job(const sv_ticket *ticket) {
  return ticket->job != NULL;
}
