#include "http/ticket.h"

#include <stddef.h>

#include "rules/visibility.h"

sv_progress sv_ticket_progress(const sv_ticket *ticket) {
  sv_progress progress = {
      atomic_load_explicit(&ticket->received, memory_order_relaxed),
      atomic_load_explicit(&ticket->total, memory_order_relaxed),
      atomic_load_explicit(&ticket->sent, memory_order_relaxed)};
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
  return ticket->item.lost ? &lost : sv_transfer_outcome(ticket->transfer);
}

sv_disk_job *sv_ticket_disk_job(const sv_ticket *ticket) {
  return ticket->item.lost ? NULL : ticket->job;
}

bool sv_ticket_is_disk_job(const sv_ticket *ticket) {
  return ticket->job != NULL;
}
