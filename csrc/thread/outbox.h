/*
** What was handed to threads and has not been taken back by its sender:
** numbered, in the order in which it was sent; and the list of what has ended.
**
** An outbox belongs to one thread, its owner's, on which all functions are
** called that say nothing else. Each of these but sv_outbox_close looks for a
** fork first: what was under way at one is lost in the child, and has ended
** there. After an exit began the same holds, for the threads do not go on.
*/
#ifndef SV_THREAD_OUTBOX_H
#define SV_THREAD_OUTBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "system/wakeup.h"

/* --- lists, through which one thread hands things to another without a lock:
** a thread that holds one can lose its processor in the midst of the host's
** frame. All on any thread. ------------------------------------------------ */

typedef struct sv_link {
  struct sv_link *next;
} sv_link;

/* All zero: empty. */
typedef struct sv_list {
  sv_link *_Atomic last; /* `next` leads to what came before */
} sv_list;

/* From then on the link is for the thread that takes the list. */
void sv_list_push(sv_list *list, sv_link *link);

/* All there is, in the order in which it came, linked by `next`; or NULL. */
sv_link *sv_list_take(sv_list *list);
bool sv_list_is_empty(const sv_list *list);

/* --- items ---------------------------------------------------------------- */

typedef struct sv_outbox sv_outbox;

/* What becomes of an item; OPEN is left once. */
enum { SV_OPEN, SV_DONE, SV_GIVEN_UP };

/* The first member of what is sent. */
typedef struct sv_item {
  sv_link link;   /* in the list that it is in */
  sv_link cancel; /* in the list of those to be cancelled */
  long long number;
  struct sv_item *before, *after;
  sv_outbox *outbox;
  _Atomic int owners; /* who has it, and until it is taken its outbox */
  _Atomic int fate;
  bool lost; /* in a fork: it is not touched any more, nor freed, for a thread
                that an exit overtook may still be at it */
} sv_item;

bool sv_item_done(sv_item *item); /* or given up, or lost */

/* Nobody waits for it any more; false where it is too late. */
bool sv_item_give_up(sv_item *item);

/* Gives up the share of whom sv_outbox_add has given it to. */
void sv_item_release(sv_item *item);

/* On any thread: leaves SV_OPEN; false where it has been left. */
bool sv_item_settle(sv_item *item, int fate);

/* On any thread: gives up one share. */
void sv_item_drop(sv_item *item);

/* --- the outbox ------------------------------------------------------------ */

/* In what one outbox differs from another. */
typedef struct sv_outbox_class {
  void (*forget_threads)(sv_outbox *outbox); /* they are the parent's */
  void (*mark_lost)(sv_item *item); /* closes what else the child would keep
                                       open; or NULL */
  void (*free_item)(sv_item *item);
  void (*free)(sv_outbox *outbox);
} sv_outbox_class;

/* The first member of what has one. */
struct sv_outbox {
  const sv_outbox_class *class;
  int owners;         /* the caller, and whoever has an item */
  _Atomic int shares; /* theirs, and one a thread */
  bool is_closed, has_own_wakeup;
  long process;
  unsigned forks; /* as counted when its threads were this process's */
  sv_wakeup *wakeup;
  sv_item *first, *last; /* not taken */
  int count, given_up;
  long long last_number, last_lost; /* all up to this one have ended */
  sv_link *taken; /* from: */
  sv_list ended;
};

/* Zeroed before. Takes over a share of a wake-up that is its own, or else is
** somebody else's to clear; NULL: it tells nobody, and has no thread. */
void sv_outbox_open(sv_outbox *outbox, const sv_outbox_class *class,
                    sv_wakeup *wakeup, bool is_own);

/* Forgets what has not been taken, and gives up the caller's share; its threads
** have ended, or give back what they have when they do. */
void sv_outbox_close(sv_outbox *outbox);

void sv_outbox_look_for_fork(sv_outbox *outbox);

/* Gives it the next number, from 1 on, and its caller a share. To be called
** before a thread gets it. */
void sv_outbox_add(sv_outbox *outbox, sv_item *item);

/* Whether sv_outbox_take has something: one atomic load. */
bool sv_outbox_is_ready(sv_outbox *outbox);

/* The number of an item that has ended, each once; 0: none. */
long long sv_outbox_take(sv_outbox *outbox);

/* Neither taken nor given up. */
int sv_outbox_in_flight(const sv_outbox *outbox);

/* Notified of each item that ends; or NULL. To be asked for each time: after a
** fork it is reopened first. */
sv_wakeup *sv_outbox_wakeup(sv_outbox *outbox);

/* --- for its threads, which have a share ----------------------------------- */

void sv_outbox_share(sv_outbox *outbox); /* the owner's call */
void sv_outbox_drop(sv_outbox *outbox);

/* The item is the owner's from then on, who may free it. */
void sv_outbox_end(sv_outbox *outbox, sv_item *item);

#endif
