#include "thread/outbox.h"

#include <stddef.h>

#include "rules/visibility.h"

void sv_outbox_add(sv_outbox *outbox, sv_item *item) {
  item->number = ++outbox->last_number;
  item->before = outbox->last;
  item->after = NULL;
  *(outbox->last ? &outbox->last->after : &outbox->first) = item;
  outbox->last = item;
  outbox->count++;
}

bool sv_outbox_is_ready(const sv_outbox *outbox, const sv_list *ended) {
  return outbox->ended || (ended && !sv_list_is_empty(ended));
}

sv_item *sv_outbox_take(sv_outbox *outbox, sv_list *ended) {
  if (!outbox->ended && ended) {
    outbox->ended = sv_list_take(ended);
  }
  sv_item *item = (sv_item *)outbox->ended;
  if (item) {
    outbox->ended = item->link.next;
    *(item->before ? &item->before->after : &outbox->first) = item->after;
    *(item->after ? &item->after->before : &outbox->last) = item->before;
    outbox->count--;
  }
  return item;
}

void sv_outbox_end_all(sv_outbox *outbox) {
  outbox->ended = NULL;
  for (sv_item *item = outbox->last; item; item = item->before) {
    item->link.next = outbox->ended;
    outbox->ended = &item->link;
  }
}
