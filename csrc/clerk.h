/*
** A thread that answers letters, one after another: work that may block runs
** there, and who sent the letter waits as he likes. What a letter asks for is
** the business of a trade; here it is bytes. Libc and threads alone.
**
** A clerk belongs to one thread, its owner's. Nothing starts before the first
** letter. A thread that is stuck in a letter is neither joined nor replaced:
** what comes after waits behind it.
**
** After a fork the child finds what was under way lost, and starts a thread of
** its own with the next letter. Fork and exit wait for the letter under way,
** but not for long.
*/
#ifndef SV_CLERK_H
#define SV_CLERK_H

#include <stdbool.h>

#include "alarm.h"
#include "buffer.h"

typedef struct sv_clerk sv_clerk;
typedef struct sv_letter sv_letter;

/* What a clerk does, on its thread. Each gets what `begin` gave; what waits for
** others calls sv_clerk_beat before. */
typedef struct sv_trade {
  /* NULL where memory is short; tried again with the next letter. `setup`
  ** stays where it is until `end`. */
  void *(*begin)(const sv_buffer *setup);
  void (*answer)(void *self, const sv_buffer *question, sv_buffer *answer);
  /* Undo the last answer: nobody heard it. */
  void (*undo)(void *self);
  /* There are no letters: seconds until this is to be called again, less than
  ** 0: after the next letter. */
  double (*rest)(void *self);
  void (*end)(void *self);
} sv_trade;

/* Copies the setup, and takes a share of `alarm`, which is somebody else's to
** calm, or with NULL has one of its own. A fork waits for a letter for
** `fork_seconds` at most. NULL where memory or descriptors are short; errno
** says which. */
sv_clerk *sv_clerk_new(const sv_trade *trade, const sv_buffer *setup,
                       double fork_seconds, sv_alarm *alarm);

/* Gives up all letters. Waits until the thread has done those that are kept,
** no longer than `seconds`, and not at all where it has been at one of them for
** so long already. A thread that is not done by then is left to itself. */
void sv_clerk_close(sv_clerk *clerk, double seconds);
void sv_clerk_release(sv_clerk *clerk); /* after close */

/* Takes the bytes of the question. A letter that is kept is answered though it
** was given up. NULL where memory or threads are short, which errno tells;
** then the bytes are the caller's. */
sv_letter *sv_clerk_post(sv_clerk *clerk, sv_buffer *question, bool kept);

/* Whether sv_clerk_take has something: one atomic load. */
bool sv_clerk_ready(sv_clerk *clerk);

/* The number of a letter that has ended, each once; 0: none. */
long long sv_clerk_take(sv_clerk *clerk);

/* Letters neither taken nor given up. */
int sv_clerk_in_flight(const sv_clerk *clerk);

/* Seconds since the letter under way was begun, or its last beat; 0: none is. */
double sv_clerk_busy(sv_clerk *clerk);

/* Where the thread is still at the same once it has been silent for so many
** seconds, the connection it waits for is ended: of a server that is cut off
** nothing ever comes. False where there is no thread to see to that. */
bool sv_clerk_cut(sv_clerk *clerk, double seconds);

/* Sleeps until something is ready, a signal was handled or the time is up. */
void sv_clerk_wait(sv_clerk *clerk, double seconds);

/* See alarm.h. The descriptor keeps its number through a fork. */
int sv_clerk_pollfd(sv_clerk *clerk);
void sv_clerk_calm(sv_clerk *clerk);
int sv_clerk_listen(sv_clerk *clerk, const char **path);
int sv_clerk_accept(sv_clerk *clerk);

/* On a clerk's thread: it goes on, and what comes next may take so many seconds
** without being taken for stuck. Elsewhere it does nothing. */
void sv_clerk_beat(double seconds);

/* On a clerk's thread: the mark (see cut.h) of the connection that it is about
** to make, which sv_clerk_cut is to end. Elsewhere just a mark. */
int sv_clerk_mark(void);

long long sv_letter_number(const sv_letter *letter);
bool sv_letter_done(sv_letter *letter); /* answered, given up or lost */

/* False where it is too late: its answer is there. */
bool sv_letter_give_up(sv_letter *letter);

/* Once done: the answer; NULL where it was given up, or lost in a fork. */
const sv_buffer *sv_letter_answer(const sv_letter *letter);
bool sv_letter_is_lost(const sv_letter *letter);

/* Gives it up where it is not done. */
void sv_letter_release(sv_letter *letter);

#endif
