#include "desk.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "cut.h"
#include "forks.h"
#include "thread.h"

/* For Lua, a driver of a database, a name look-up and a TLS handshake. */
enum { STACK_BYTES = 1024 * 1024 };

/* No lock lies between the two, for whoever held it could lose its processor;
** the lists have the last first. */
struct sv_desk {
  int owners;       /* atomic */
  sv_letter *inbox; /* atomic */
  sv_letter *ended; /* atomic */
  int stop;         /* atomic */
  long long begun;  /* atomic: microseconds; of a letter, or its last beat */
  int mark;         /* atomic; of its connection, 0: none */
  int cutting;      /* atomic: a thread sees to that */
  sem_t bell;       /* rung for letters and for the stop */
  sem_t over;       /* rung by the thread as its last deed */
  const sv_trade *trade;
  sv_buffer setup;
  sv_alarm *alarm;
  pthread_t thread;
};

/* --- letters, and lists of them ------------------------------------------- */

static void push(sv_letter **list, sv_letter *letter) {
  sv_letter *top = __atomic_load_n(list, __ATOMIC_RELAXED);
  do {
    letter->next = top;
  } while (!__atomic_compare_exchange_n(list, &top, letter, true,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

/* All of a list, in the order in which it came. */
static sv_letter *take_all(sv_letter **list) {
  sv_letter *letter = __atomic_exchange_n(list, NULL, __ATOMIC_SEQ_CST);
  sv_letter *turned = NULL;
  while (letter) {
    sv_letter *next = letter->next;
    letter->next = turned;
    turned = letter;
    letter = next;
  }
  return turned;
}

void sv_letter_drop(sv_letter *letter) {
  if (__atomic_sub_fetch(&letter->owners, 1, __ATOMIC_ACQ_REL) > 0 ||
      letter->lost) {
    return;
  }
  sv_buffer_free(&letter->question);
  sv_buffer_free(&letter->answer);
  free(letter);
}

int sv_letter_fate(const sv_letter *letter) {
  return __atomic_load_n(&letter->fate, __ATOMIC_ACQUIRE);
}

bool sv_letter_settle(sv_letter *letter, int fate) {
  int open = SV_OPEN;
  return __atomic_compare_exchange_n(&letter->fate, &open, fate, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void drop(sv_desk *desk) {
  if (__atomic_sub_fetch(&desk->owners, 1, __ATOMIC_ACQ_REL) > 0) {
    return;
  }
  sv_letter *letter = take_all(&desk->ended);
  while (letter) {
    sv_letter *next = letter->next;
    sv_letter_drop(letter);
    letter = next;
  }
  sem_destroy(&desk->bell);
  sem_destroy(&desk->over);
  sv_buffer_free(&desk->setup);
  sv_alarm_drop(desk->alarm);
  free(desk);
}

/* --- on the thread --------------------------------------------------------- */

/* The desk of a clerk's thread. */
static __thread sv_desk *own;

static void note_begun(sv_desk *desk, double now) {
  __atomic_store_n(&desk->begun, (long long)(now * 1e6), __ATOMIC_RELAXED);
}

static long long when_begun(sv_desk *desk) {
  return __atomic_load_n(&desk->begun, __ATOMIC_RELAXED);
}

void sv_clerk_beat(double seconds) {
  if (own && when_begun(own)) {
    note_begun(own, sv_now() + seconds);
  }
}

int sv_clerk_mark(void) {
  int mark = sv_cut_mark();
  if (own) {
    __atomic_store_n(&own->mark, mark, __ATOMIC_RELAXED);
  }
  return mark;
}

/* An answer that nobody waits for any more is undone at once, before any other
** letter. Where memory is short the answer stays empty. After an exit the letter
** may be gone: nobody tells of its end then. */
static void attend(sv_desk *desk, void *self, sv_letter *letter) {
  const sv_trade *trade = desk->trade;
  bool heard = true;
  sv_forks_hold();
  note_begun(desk, sv_now());
  if (self && (letter->kept || sv_letter_fate(letter) == SV_OPEN)) {
    trade->answer(self, &letter->question, &letter->answer);
    heard = sv_letter_settle(letter, SV_ANSWERED) || letter->kept;
  }
  if (!heard) {
    trade->undo(self);
  }
  note_begun(desk, 0);
  sv_letter_settle(letter, SV_ANSWERED);
  push(&desk->ended, letter);
  sv_alarm_raise(desk->alarm);
  sv_forks_let();
}

/* When to rest again. */
static double rest(sv_desk *desk, void *self) {
  sv_forks_hold();
  note_begun(desk, sv_now());
  double seconds = self ? desk->trade->rest(self) : -1;
  note_begun(desk, 0);
  sv_forks_let();
  return seconds < 0 ? HUGE_VAL : sv_now() + seconds;
}

static struct timespec wall_time_in(double seconds) {
  double due = sv_time() + (seconds > 0 ? seconds : 0);
  struct timespec time = {.tv_sec = (time_t)due};
  time.tv_nsec = (long)((due - (double)time.tv_sec) * 1e9);
  return time;
}

static void wait_for_bell(sv_desk *desk, double due) {
  if (due == HUGE_VAL) {
    sem_wait(&desk->bell);
  } else {
    const struct timespec until = wall_time_in(due - sv_now());
    sem_timedwait(&desk->bell, &until);
  }
}

/* What the libraries do at exit they have asked for by now. */
static void guard_exit(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, sv_forks_guard_exit);
}

static bool work(sv_desk *desk, void **self) {
  sv_letter *letter = take_all(&desk->inbox);
  bool any = letter != NULL;
  while (letter) {
    sv_letter *next = letter->next;
    if (!*self) {
      *self = desk->trade->begin(&desk->setup);
    }
    attend(desk, *self, letter);
    guard_exit();
    letter = next;
  }
  return any;
}

static void end(sv_desk *desk, void *self) {
  if (self) {
    sv_forks_hold();
    desk->trade->end(self);
    sv_forks_let();
  }
  sem_post(&desk->over);
  drop(desk);
}

static void *run(void *argument) {
  sv_desk *desk = argument;
  void *self = NULL;
  double due = HUGE_VAL;
  own = desk;
  for (;;) {
    /* First: what was posted before it is done. */
    bool stopping = __atomic_load_n(&desk->stop, __ATOMIC_SEQ_CST);
    bool any = work(desk, &self);
    if (stopping) {
      break;
    }
    due = any || sv_now() >= due ? rest(desk, self) : due;
    wait_for_bell(desk, due);
  }
  end(desk, self);
  return NULL;
}

/* --- start and end --------------------------------------------------------- */

int sv_desk_open(sv_desk **box, const sv_trade *trade, const sv_buffer *setup,
                 sv_alarm *alarm) {
  sv_desk *desk = calloc(1, sizeof *desk);
  if (!desk || !sv_buffer_add(&desk->setup, setup->data, setup->size)) {
    free(desk);
    return ENOMEM;
  }
  desk->owners = 2;
  desk->trade = trade;
  desk->alarm = sv_alarm_share(alarm);
  sem_init(&desk->bell, 0, 0);
  sem_init(&desk->over, 0, 0);
  int problem = sv_thread_start(&desk->thread, STACK_BYTES, run, desk);
  if (problem) {
    desk->owners = 1;
    drop(desk);
    return problem;
  }
  *box = desk;
  return 0;
}

static bool is_over(sv_desk *desk, double seconds) {
  const struct timespec until = wall_time_in(seconds);
  int problem;
  do {
    problem = sem_timedwait(&desk->over, &until) == 0 ? 0 : errno;
  } while (problem == EINTR);
  return problem == 0;
}

void sv_desk_leave(sv_desk *desk, double seconds) {
  double left = seconds - sv_desk_busy(desk);
  __atomic_store_n(&desk->stop, 1, __ATOMIC_SEQ_CST);
  sem_post(&desk->bell);
  if (is_over(desk, left)) {
    pthread_join(desk->thread, NULL);
  } else {
    pthread_detach(desk->thread);
  }
  drop(desk);
}

void sv_desk_post(sv_desk *desk, sv_letter *letter) {
  push(&desk->inbox, letter);
  sem_post(&desk->bell);
}

bool sv_desk_ready(sv_desk *desk) {
  return __atomic_load_n(&desk->ended, __ATOMIC_ACQUIRE) != NULL;
}

sv_letter *sv_desk_take(sv_desk *desk) {
  return take_all(&desk->ended);
}

/* 0 of nothing, and until what is in no hurry should have ended. */
static double seconds_since(long long begun) {
  double seconds = begun ? sv_now() - (double)begun / 1e6 : 0;
  return seconds > 0 ? seconds : 0;
}

double sv_desk_busy(sv_desk *desk) {
  return seconds_since(when_begun(desk));
}

/* --- the end of a connection ------------------------------------------------ */

typedef struct silence {
  sv_desk *desk;
  long long begun;
  double seconds;
} silence;

/* Most likely it is over by then. */
static void *see_to_cut(void *self) {
  const silence s = *(silence *)self;
  free(self);
  double left = (double)s.begun / 1e6 + s.seconds - sv_now();
  const struct timespec pause = {.tv_sec = left > 0 ? (time_t)left + 1 : 0};
  nanosleep(&pause, NULL);
  int mark = __atomic_load_n(&s.desk->mark, __ATOMIC_RELAXED);
  if (mark && when_begun(s.desk) == s.begun) {
    sv_cut(mark);
  }
  __atomic_store_n(&s.desk->cutting, 0, __ATOMIC_RELEASE);
  drop(s.desk);
  return NULL;
}

static bool start_cut(sv_desk *desk, long long begun, double seconds) {
  pthread_t thread;
  silence *s = malloc(sizeof *s);
  if (!s) {
    return false;
  }
  *s = (silence){desk, begun, seconds};
  __atomic_add_fetch(&desk->owners, 1, __ATOMIC_RELAXED);
  if (sv_thread_start(&thread, STACK_BYTES, see_to_cut, s) != 0) {
    __atomic_sub_fetch(&desk->owners, 1, __ATOMIC_RELAXED);
    free(s);
    return false;
  }
  pthread_detach(thread);
  return true;
}

bool sv_desk_cut(sv_desk *desk, double seconds) {
  long long begun = when_begun(desk);
  if (seconds_since(begun) <= 0) {
    return false; /* its connection is well */
  }
  if (__atomic_exchange_n(&desk->cutting, 1, __ATOMIC_ACQ_REL)) {
    return true;
  }
  bool started = start_cut(desk, begun, seconds);
  if (!started) {
    __atomic_store_n(&desk->cutting, 0, __ATOMIC_RELEASE);
  }
  return started;
}
