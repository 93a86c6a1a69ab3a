/*
** What a clerk and its thread share: letters that come and letters that have
** ended. It outlives the clerk where the thread is stuck. Not for others.
**
** The question and the answer of a letter are the thread's until it has ended.
** Fields that several threads touch are named `atomic`.
*/
#ifndef SV_DESK_H
#define SV_DESK_H

#include "clerk.h"

/* What becomes of a letter; OPEN is left once. */
enum { SV_OPEN, SV_ANSWERED, SV_GIVEN_UP };

struct sv_letter {
  int owners; /* atomic: who sent it, and until it is taken the clerk */
  int fate;   /* atomic */
  sv_buffer question, answer;
  bool kept;
  sv_letter *next; /* in a list */

  /* The clerk's owner's alone. */
  sv_clerk *clerk;
  long long number;
  sv_letter *before, *after; /* of those not taken out */
  bool given_up;
  bool lost; /* in a fork: it is not touched any more, and a thread that an exit
                overtook may still be at it */
};

void sv_letter_drop(sv_letter *letter);
int sv_letter_fate(const sv_letter *letter);

/* Whether it was still open. */
bool sv_letter_settle(sv_letter *letter, int fate);

typedef struct sv_desk sv_desk;

/* Starts a thread. 0 or an errno. Of setup and alarm as of sv_clerk_new. */
int sv_desk_open(sv_desk **desk, const sv_trade *trade, const sv_buffer *setup,
                 sv_alarm *alarm);

/* As of sv_clerk_close; the desk is the thread's from now on. */
void sv_desk_leave(sv_desk *desk, double seconds);

void sv_desk_post(sv_desk *desk, sv_letter *letter);

/* What has ended, linked by `next`, in that order. */
bool sv_desk_ready(sv_desk *desk);
sv_letter *sv_desk_take(sv_desk *desk);

/* See sv_clerk_busy and sv_clerk_cut. */
double sv_desk_busy(sv_desk *desk);
bool sv_desk_cut(sv_desk *desk, double seconds);

#endif
