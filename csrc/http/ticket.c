#include "http/ticket.h"

#include <stddef.h>
#include <stdlib.h>

#include "rules/visibility.h"

sv_ticket *sv_ticket_of_cancel(sv_link *link) {
  return (sv_ticket *)((char *)link - offsetof(sv_ticket, cancel));
}

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
  return ticket->item.number;
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

/* The parent may yet send what it has queued. */
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
