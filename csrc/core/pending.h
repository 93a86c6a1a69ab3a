/*
** What was handed to a thread and has not been taken back by its sender:
** numbered, in the order in which it was sent. All of this is the sender's,
** on one thread; only the list of what has ended is shared.
*/
#ifndef SV_CORE_PENDING_H
#define SV_CORE_PENDING_H

#include "core/list.h"

/* The first member of what is sent. */
typedef struct sv_item {
  sv_link link; /* in the list that the item is in, the thread's or this */
  long long number;
  struct sv_item *before, *after;
} sv_item;

/* All zero: nothing is pending. */
typedef struct sv_pending {
  sv_item *first, *last;
  int count;
  long long last_number;
  sv_link *ended; /* taken from the list of what has ended */
} sv_pending;

/* Gives it the next number, from 1 on. To be called before the thread gets
** it. */
void sv_pending_add(sv_pending *pending, sv_item *item);

/* Whether sv_pending_take has something, in the thread's list or NULL: one
** atomic load. */
bool sv_pending_is_ready(const sv_pending *pending, const sv_list *ended);

/* The next that has ended, no longer pending; or NULL. */
sv_item *sv_pending_take(sv_pending *pending, sv_list *ended);

/* Where there is no thread any more: all that is pending has ended. */
void sv_pending_end_all(sv_pending *pending);

#endif
