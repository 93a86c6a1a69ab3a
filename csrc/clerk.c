#include "clerk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "desk.h"
#include "forks.h"

static const double EXIT_SECONDS = 0.25;

struct sv_clerk {
  int owners; /* the caller, and every letter of his */
  bool closed;
  unsigned forks; /* of sv_forks, when its thread was this process's */
  sv_desk *desk;  /* NULL until the first letter */
  sv_alarm *alarm;
  bool has_own_alarm;
  const sv_trade *trade;
  sv_buffer setup;
  double fork_seconds;
  long long last_number;
  sv_letter *first, *last; /* not taken out */
  int in_flight;
  sv_letter *ended; /* to be taken out */
};

/* --- start and end ------------------------------------------------------- */

sv_clerk *sv_clerk_new(const sv_trade *trade, const sv_buffer *setup,
                       double fork_seconds, sv_alarm *alarm) {
  sv_clerk *clerk = calloc(1, sizeof *clerk);
  if (!clerk || !sv_buffer_add(&clerk->setup, setup->data, setup->size)) {
    free(clerk);
    errno = ENOMEM;
    return NULL;
  }
  clerk->owners = 1;
  clerk->trade = trade;
  clerk->fork_seconds = fork_seconds;
  clerk->forks = sv_forks();
  clerk->has_own_alarm = !alarm;
  clerk->alarm = alarm ? sv_alarm_share(alarm) : sv_alarm_new();
  if (!clerk->alarm) {
    int problem = errno;
    sv_buffer_free(&clerk->setup);
    free(clerk);
    errno = problem;
    return NULL;
  }
  return clerk;
}

static int start(sv_clerk *clerk) {
  if (clerk->desk) {
    return 0;
  }
  sv_forks_limit(clerk->fork_seconds, EXIT_SECONDS);
  return sv_desk_open(&clerk->desk, clerk->trade, &clerk->setup, clerk->alarm);
}

static void take_out(sv_letter *letter) {
  sv_clerk *clerk = letter->clerk;
  *(letter->before ? &letter->before->after : &clerk->first) = letter->after;
  *(letter->after ? &letter->after->before : &clerk->last) = letter->before;
  clerk->in_flight -= !letter->given_up;
  sv_letter_drop(letter);
}

/* The parent's thread may be anywhere: what it has is left to it. */
static void lose(sv_letter *letter) {
  if (sv_letter_fate(letter) == SV_ANSWERED) {
    return;
  }
  letter->lost = true;
  letter->fate = SV_ANSWERED;
}

static void notice_fork(sv_clerk *clerk) {
  if (clerk->forks == sv_forks() || clerk->closed) {
    return;
  }
  clerk->forks = sv_forks();
  clerk->desk = NULL;
  clerk->ended = NULL;
  sv_alarm_renew(clerk->alarm);
  for (sv_letter *letter = clerk->last; letter; letter = letter->before) {
    lose(letter);
    letter->next = clerk->ended;
    clerk->ended = letter;
  }
  if (clerk->ended) {
    sv_alarm_raise(clerk->alarm);
  }
}

void sv_clerk_close(sv_clerk *clerk, double seconds) {
  if (clerk->closed) {
    return;
  }
  notice_fork(clerk);
  for (sv_letter *letter = clerk->first; letter; letter = letter->after) {
    sv_letter_settle(letter, SV_GIVEN_UP);
  }
  clerk->closed = true;
  /* Those that had ended are in no list of the desk's any more. */
  while (clerk->ended) {
    sv_letter *letter = clerk->ended;
    clerk->ended = letter->next;
    take_out(letter);
  }
  if (clerk->desk) {
    sv_desk_leave(clerk->desk, seconds);
    clerk->desk = NULL;
  }
  clerk->first = clerk->last = NULL;
  clerk->in_flight = 0;
  if (clerk->has_own_alarm) {
    sv_alarm_shut(clerk->alarm);
  }
  sv_alarm_drop(clerk->alarm);
  clerk->alarm = NULL;
}

void sv_clerk_release(sv_clerk *clerk) {
  if (--clerk->owners == 0) {
    sv_buffer_free(&clerk->setup);
    free(clerk);
  }
}

/* --- letters --------------------------------------------------------------- */

static void hand_over(sv_clerk *clerk, sv_letter *letter) {
  letter->number = ++clerk->last_number;
  letter->before = clerk->last;
  *(clerk->last ? &clerk->last->after : &clerk->first) = letter;
  clerk->last = letter;
  clerk->in_flight++;
  clerk->owners++;
  sv_desk_post(clerk->desk, letter);
}

sv_letter *sv_clerk_post(sv_clerk *clerk, sv_buffer *question, bool kept) {
  notice_fork(clerk);
  sv_letter *letter = calloc(1, sizeof *letter);
  int problem = letter ? start(clerk) : ENOMEM;
  if (problem) {
    free(letter);
    errno = problem;
    return NULL;
  }
  letter->owners = 2;
  letter->clerk = clerk;
  letter->kept = kept;
  letter->question = *question;
  memset(question, 0, sizeof *question);
  hand_over(clerk, letter);
  return letter;
}

bool sv_clerk_ready(sv_clerk *clerk) {
  notice_fork(clerk);
  return clerk->ended || (clerk->desk && sv_desk_ready(clerk->desk));
}

long long sv_clerk_take(sv_clerk *clerk) {
  if (!sv_clerk_ready(clerk)) {
    return 0;
  }
  if (!clerk->ended) {
    clerk->ended = sv_desk_take(clerk->desk);
  }
  sv_letter *letter = clerk->ended;
  long long number = letter->number;
  clerk->ended = letter->next;
  take_out(letter);
  return number;
}

int sv_clerk_in_flight(const sv_clerk *clerk) {
  return clerk->in_flight;
}

double sv_clerk_busy(sv_clerk *clerk) {
  notice_fork(clerk);
  return clerk->desk ? sv_desk_busy(clerk->desk) : 0;
}

bool sv_clerk_cut(sv_clerk *clerk, double seconds) {
  notice_fork(clerk);
  return clerk->desk && sv_desk_cut(clerk->desk, seconds);
}

long long sv_letter_number(const sv_letter *letter) {
  return letter->number;
}

bool sv_letter_done(sv_letter *letter) {
  notice_fork(letter->clerk);
  return sv_letter_fate(letter) != SV_OPEN;
}

bool sv_letter_give_up(sv_letter *letter) {
  notice_fork(letter->clerk);
  bool was_open = sv_letter_settle(letter, SV_GIVEN_UP);
  if (was_open) {
    letter->given_up = true;
    letter->clerk->in_flight -= !letter->clerk->closed;
  }
  return was_open;
}

const sv_buffer *sv_letter_answer(const sv_letter *letter) {
  bool there = !letter->lost && sv_letter_fate(letter) == SV_ANSWERED;
  return there ? &letter->answer : NULL;
}

bool sv_letter_is_lost(const sv_letter *letter) {
  return letter->lost;
}

void sv_letter_release(sv_letter *letter) {
  sv_clerk *clerk = letter->clerk;
  sv_letter_give_up(letter);
  sv_letter_drop(letter);
  sv_clerk_release(clerk);
}

/* --- the alarm --------------------------------------------------------- */

int sv_clerk_pollfd(sv_clerk *clerk) {
  notice_fork(clerk);
  return clerk->alarm->file.number;
}

void sv_clerk_calm(sv_clerk *clerk) {
  notice_fork(clerk);
  sv_alarm_calm(clerk->alarm);
}

void sv_clerk_wait(sv_clerk *clerk, double seconds) {
  sv_clerk_calm(clerk);
  if (!sv_clerk_ready(clerk) && seconds > 0) {
    sv_alarm_wait(clerk->alarm, seconds);
  }
}

int sv_clerk_listen(sv_clerk *clerk, const char **path) {
  notice_fork(clerk);
  *path = clerk->alarm->path;
  return sv_alarm_listen(clerk->alarm);
}

int sv_clerk_accept(sv_clerk *clerk) {
  notice_fork(clerk);
  return sv_alarm_accept(clerk->alarm);
}
