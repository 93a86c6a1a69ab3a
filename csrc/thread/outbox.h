/*
** What was handed to a thread and has not been taken back by its sender:
** numbered, in the order in which it was sent. All of this is the sender's,
** on one thread; only the list of what has ended is shared.
*/
#ifndef SV_THREAD_OUTBOX_H
#define SV_THREAD_OUTBOX_H

#include "thread/list.h"

/* The first member of what is sent. */
typedef struct sv_item {
  sv_link link; /* in the list that the item is in, the thread's or this */
  long long number;
  struct sv_item *before, *after;
} sv_item;

/* All zero: empty. */
typedef struct sv_outbox {
  sv_item *first, *last;
  int count;
  long long last_number;
  sv_link *ended; /* taken from the list of what has ended */
} sv_outbox;

/* Gives it the next number, from 1 on. To be called before the thread gets
** it. */
void sv_outbox_add(sv_outbox *outbox, sv_item *item);

/* Whether sv_outbox_take has something, in the thread's list or NULL: one
** atomic load. */
bool sv_outbox_is_ready(const sv_outbox *outbox, const sv_list *ended);

/* The next that has ended, no longer pending; or NULL. */
sv_item *sv_outbox_take(sv_outbox *outbox, sv_list *ended);

/* Where there is no thread any more: all that is pending has ended. */
void sv_outbox_end_all(sv_outbox *outbox);

#endif
