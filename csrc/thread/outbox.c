#include "thread/outbox.h"

#include <stddef.h>

#include "system/fork.h"
#include "system/process.h"

#include "rules/visibility.h"

/* --- lists ---------------------------------------------------------------- */

void sv_list_push(sv_list *list, sv_link *link) {
  sv_link *last = atomic_load_explicit(&list->last, memory_order_relaxed);
  do {
    link->next = last;
  } while (!atomic_compare_exchange_weak(&list->last, &last, link));
}

sv_link *sv_list_take(sv_list *list) {
  sv_link *link = atomic_exchange(&list->last, NULL);
  sv_link *turned = NULL;
  while (link) {
    sv_link *next = link->next;
    link->next = turned;
    turned = link;
    link = next;
  }
  return turned;
}

bool sv_list_is_empty(const sv_list *list) {
  return !atomic_load(&list->last);
}

/* --- items ---------------------------------------------------------------- */

bool sv_item_settle(sv_item *item, int fate) {
  int open = SV_OPEN;
  return atomic_compare_exchange_strong(&item->fate, &open, fate);
}

void sv_item_drop(sv_item *item) {
  if (atomic_fetch_sub(&item->owners, 1) == 1 && !item->lost) {
    item->outbox->class->free_item(item);
  }
}

/* What a thread gave back after the close is freed here. */
static void drop(sv_outbox *outbox) {
  if (atomic_fetch_sub(&outbox->shares, 1) > 1) {
    return;
  }
  sv_link *ended = sv_list_take(&outbox->ended), *link;
  while ((link = ended)) {
    ended = link->next;
    sv_item_drop((sv_item *)link);
  }
  outbox->class->free(outbox);
}

static void release(sv_outbox *outbox) {
  if (--outbox->owners == 0) {
    drop(outbox);
  }
}

bool sv_item_done(sv_item *item) {
  sv_outbox_look_for_fork(item->outbox);
  return atomic_load(&item->fate) != SV_OPEN;
}

bool sv_item_give_up(sv_item *item) {
  sv_outbox *outbox = item->outbox;
  sv_outbox_look_for_fork(outbox);
  bool was_open = sv_item_settle(item, SV_GIVEN_UP);
  outbox->given_up += was_open && !outbox->is_closed;
  return was_open;
}

void sv_item_release(sv_item *item) {
  sv_outbox *outbox = item->outbox;
  sv_outbox_look_for_fork(outbox);
  sv_item_drop(item);
  release(outbox);
}

/* --- start and end --------------------------------------------------------- */

void sv_outbox_open(sv_outbox *outbox, const sv_outbox_class *class,
                    sv_wakeup *wakeup, bool is_own) {
  outbox->class = class;
  outbox->owners = 1;
  outbox->shares = 1;
  outbox->process = sv_process_id();
  outbox->forks = sv_fork_count();
  outbox->wakeup = wakeup;
  outbox->has_own_wakeup = wakeup && is_own;
}

void sv_outbox_share(sv_outbox *outbox) {
  atomic_fetch_add(&outbox->shares, 1);
  sv_wakeup_share(outbox->wakeup);
}

void sv_outbox_drop(sv_outbox *outbox) {
  sv_wakeup_drop(outbox->wakeup);
  drop(outbox);
}

/* --- what was sent --------------------------------------------------------- */

/* At the fork the parent's threads were in no library (see fork.h), but at an
** unknown place of our own code: so what they worked on counts as lost, and
** what they share with this one is not read. What was done by then is so in
** the child as well. */
void sv_outbox_look_for_fork(sv_outbox *outbox) {
  if (outbox->forks == sv_fork_count() || outbox->is_closed) {
    return;
  }
  outbox->forks = sv_fork_count();
  if (outbox->process != sv_process_id()) {
    outbox->process = sv_process_id();
    outbox->shares = 1;
  }
  outbox->class->forget_threads(outbox);
  if (outbox->wakeup) {
    sv_wakeup_reopen(outbox->wakeup);
  }
  outbox->taken = NULL;
  atomic_store(&outbox->ended.last, NULL);
  outbox->last_lost = outbox->last_number;
  for (sv_item *item = outbox->first; item; item = item->after) {
    if (!item->lost && atomic_load(&item->fate) != SV_DONE) {
      item->lost = true;
      sv_item_settle(item, SV_DONE);
      if (outbox->class->mark_lost) {
        outbox->class->mark_lost(item);
      }
    }
  }
  if (outbox->first && outbox->wakeup) {
    sv_wakeup_notify(outbox->wakeup);
  }
}

void sv_outbox_add(sv_outbox *outbox, sv_item *item) {
  item->outbox = outbox;
  item->owners = 2;
  item->number = ++outbox->last_number;
  item->before = outbox->last;
  item->after = NULL;
  *(outbox->last ? &outbox->last->after : &outbox->first) = item;
  outbox->last = item;
  outbox->count++;
  outbox->owners++;
}

static bool has_lost(const sv_outbox *outbox) {
  return outbox->first && outbox->first->number <= outbox->last_lost;
}

static sv_item *next_ended(sv_outbox *outbox) {
  if (has_lost(outbox)) {
    return outbox->first;
  }
  if (!outbox->taken) {
    outbox->taken = sv_list_take(&outbox->ended);
  }
  sv_link *link = outbox->taken;
  outbox->taken = link ? link->next : NULL;
  return (sv_item *)link;
}

/* The number of the item that was taken, or 0. */
static long long take(sv_outbox *outbox) {
  sv_item *item = next_ended(outbox);
  if (!item) {
    return 0;
  }
  long long number = item->number;
  *(item->before ? &item->before->after : &outbox->first) = item->after;
  *(item->after ? &item->after->before : &outbox->last) = item->before;
  outbox->count--;
  outbox->given_up -= atomic_load(&item->fate) == SV_GIVEN_UP;
  sv_item_drop(item);
  return number;
}

long long sv_outbox_take(sv_outbox *outbox) {
  sv_outbox_look_for_fork(outbox);
  return take(outbox);
}

bool sv_outbox_is_ready(sv_outbox *outbox) {
  sv_outbox_look_for_fork(outbox);
  return has_lost(outbox) || outbox->taken || !sv_list_is_empty(&outbox->ended);
}

int sv_outbox_in_flight(const sv_outbox *outbox) {
  return outbox->count - outbox->given_up;
}

sv_wakeup *sv_outbox_wakeup(sv_outbox *outbox) {
  sv_outbox_look_for_fork(outbox);
  return outbox->wakeup;
}

void sv_outbox_end(sv_outbox *outbox, sv_item *item) {
  sv_item_settle(item, SV_DONE);
  sv_list_push(&outbox->ended, &item->link);
  if (outbox->wakeup) {
    sv_wakeup_notify(outbox->wakeup);
  }
}

void sv_outbox_close(sv_outbox *outbox) {
  outbox->is_closed = true;
  while (take(outbox)) {
  }
  outbox->first = outbox->last = NULL;
  outbox->count = outbox->given_up = 0;
  if (outbox->has_own_wakeup) {
    sv_wakeup_disconnect(outbox->wakeup);
  }
  if (outbox->wakeup) {
    sv_wakeup_drop(outbox->wakeup);
  }
  release(outbox);
}
