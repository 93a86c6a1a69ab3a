/*
** Lists through which one thread hands things to another, without a lock:
** a thread that holds one can lose its processor, and a host would wait for it
** in the midst of a frame.
**
** A link is a member of what is in the list, which stays its owner's.
*/
#ifndef SV_THREAD_LIST_H
#define SV_THREAD_LIST_H

#include <stdbool.h>

typedef struct sv_link {
  struct sv_link *next;
} sv_link;

/* All zero: empty. */
typedef struct sv_list {
  sv_link *last; /* atomic; `next` leads to what came before */
} sv_list;

/* On any thread. From then on the link is for the thread that takes the
** list. */
void sv_list_push(sv_list *list, sv_link *link);

/* On any thread: all there is, in the order in which it came, linked by
** `next`; or NULL. */
sv_link *sv_list_take(sv_list *list);

/* On any thread; one atomic load. */
bool sv_list_is_empty(const sv_list *list);

#endif
