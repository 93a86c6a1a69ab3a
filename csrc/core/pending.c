#include "core/pending.h"

#include <stddef.h>

#include "core/hidden.h"

void sv_pending_add(sv_pending *pending, sv_item *item) {
  item->number = ++pending->last_number;
  item->before = pending->last;
  item->after = NULL;
  *(pending->last ? &pending->last->after : &pending->first) = item;
  pending->last = item;
  pending->count++;
}

bool sv_pending_is_ready(const sv_pending *pending, const sv_list *ended) {
  return pending->ended || (ended && !sv_list_is_empty(ended));
}

sv_item *sv_pending_take(sv_pending *pending, sv_list *ended) {
  if (!pending->ended && ended) {
    pending->ended = sv_list_take(ended);
  }
  sv_item *item = (sv_item *)pending->ended;
  if (item) {
    pending->ended = item->link.next;
    *(item->before ? &item->before->after : &pending->first) = item->after;
    *(item->after ? &item->after->before : &pending->last) = item->before;
    pending->count--;
  }
  return item;
}

void sv_pending_end_all(sv_pending *pending) {
  pending->ended = NULL;
  for (sv_item *item = pending->last; item; item = item->before) {
    item->link.next = pending->ended;
    pending->ended = &item->link;
  }
}
