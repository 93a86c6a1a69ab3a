#define _GNU_SOURCE /* sigtimedwait */

#include "system/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/process.h"

#include "rules/visibility.h"

static const int numbers[SV_SIGNALS] = {SIGPIPE, SIGXFSZ};

void sv_signals_hold(sv_signals *signals) {
  sigset_t ours, before, pending;
  sigemptyset(&ours);
  sigpending(&pending);
  for (int i = 0; i < SV_SIGNALS; i++) {
    sigaddset(&ours, numbers[i]);
  }
  pthread_sigmask(SIG_BLOCK, &ours, &before);
  for (int i = 0; i < SV_SIGNALS; i++) {
    signals->is_blocked[i] = sigismember(&before, numbers[i]) == 1;
    signals->is_pending[i] = sigismember(&pending, numbers[i]) == 1;
  }
}

#ifdef __APPLE__

/* No other thread takes it away: there it is held back, or would have ended the
** process. Who sent it is not told. */
static bool take(const sigset_t *one, int number, bool *is_foreign) {
  sigset_t pending;
  sigpending(&pending);
  *is_foreign = false;
  return sigismember(&pending, number) == 1 && sigwait(one, &number) == 0;
}

#else

/* What a write raises names this process as its sender. */
static bool take(const sigset_t *one, int number, bool *is_foreign) {
  const struct timespec none = {0, 0};
  siginfo_t info;
  bool is_taken = sigtimedwait(one, &info, &none) == number;
  *is_foreign = is_taken && info.si_code == SI_USER && info.si_pid != getpid();
  return is_taken;
}

#endif

void sv_signals_release(const sv_signals *signals) {
  for (int i = 0; i < SV_SIGNALS; i++) {
    bool is_foreign = false;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, numbers[i]);
    if (!signals->is_pending[i]) {
      take(&one, numbers[i], &is_foreign);
    }
    if (!signals->is_blocked[i]) {
      pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    }
    if (is_foreign) {
      kill(getpid(), numbers[i]);
    }
  }
}

double sv_interrupt_limit(double seconds) {
  return seconds;
}

/* --- what ends a program from outside ------------------------------------- */

/* timeout(1) sends each signal twice: to the process and to its group. */
#define SAME_SECONDS 1.0

static struct sigaction before; /* of SIGTERM */
static bool is_caught;
static volatile sig_atomic_t came;
static double came_at; /* for the handlers alone, which do not nest */
static bool lost_reader;

static bool is_handled(int number, struct sigaction *now) {
  return sigaction(number, NULL, now) == 0 && now->sa_handler != SIG_DFL &&
         now->sa_handler != SIG_IGN;
}

/* Calls only what a handler may call. Any thread may run it: the signals are for
** the process, so that the one that waits wakes up. */
static void handle(int number) {
  int problem = errno;
  struct sigaction interrupt;
  double now = sv_now();
  if (!came && is_handled(SIGINT, &interrupt)) {
    came = 1;
    came_at = now;
    kill(getpid(), SIGINT);
  } else if (number == SIGTERM && (!came || now - came_at >= SAME_SECONDS)) {
    signal(number, SIG_DFL);
    kill(getpid(), number);
  }
  errno = problem;
}

/* A handler, and not SIG_IGN, which programs that are started would inherit. */
static void pass(int number) {
  (void)number;
}

/* Returns whether the signal is caught now; `former` may be NULL. */
static bool catch(int number, void (*handler)(int), int flags,
                  struct sigaction *former) {
  struct sigaction now, ours = {0};
  if (sigaction(number, NULL, &now) != 0 || now.sa_handler == SIG_IGN) {
    return false;
  }
  ours.sa_handler = handler;
  ours.sa_flags = flags;
  sigemptyset(&ours.sa_mask);
  sigaddset(&ours.sa_mask, SIGTERM);
  sigaddset(&ours.sa_mask, SIGHUP);
  return sigaction(number, &ours, former) == 0;
}

/* The first two without SA_RESTART: a read ends, too. */
void sv_termination_begin(void) {
  if (!is_caught) {
    sv_module_keep(&before);
    came = 0;
    lost_reader = false;
    catch(SIGHUP, handle, 0, NULL);
    catch(SIGPIPE, pass, SA_RESTART, NULL);
    catch(SIGXFSZ, pass, SA_RESTART, NULL);
    is_caught = catch(SIGTERM, handle, 0, &before);
  }
}

void sv_termination_end(void) {
  signal(SIGHUP, SIG_IGN);
  if (is_caught) {
    is_caught = false;
    sigaction(SIGTERM, &before, NULL);
  }
}

/* The interpreter's handler takes itself away. */
void sv_termination_lose_reader(void) {
  struct sigaction interrupt;
  bool is_first = !lost_reader;
  lost_reader = true;
  if (is_first && !came && is_handled(SIGINT, &interrupt)) {
    raise(SIGINT);
    sigaction(SIGINT, &interrupt, NULL);
  }
}

sv_termination sv_termination_came(void) {
  return came          ? SV_TERMINATION_SIGNAL
         : lost_reader ? SV_TERMINATION_READER
                       : SV_TERMINATION_NONE;
}

/* --- SIGHUP --------------------------------------------------------------- */

static struct sigaction hangup_before;
static bool is_noted;
static volatile sig_atomic_t hangup_came;

static void note(int number) {
  (void)number;
  hangup_came = 1;
}

void sv_hangup_begin(void) {
  struct sigaction ours = {0}; /* without SA_RESTART: a pause ends, too */
  if (is_noted || sigaction(SIGHUP, NULL, &hangup_before) != 0 ||
      hangup_before.sa_handler == SIG_IGN) {
    return;
  }
  sv_module_keep(&hangup_before);
  hangup_came = 0;
  ours.sa_handler = note;
  sigemptyset(&ours.sa_mask);
  is_noted = sigaction(SIGHUP, &ours, NULL) == 0;
}

void sv_hangup_end(void) {
  if (is_noted) {
    is_noted = false;
    sigaction(SIGHUP, &hangup_before, NULL);
  }
}

bool sv_hangup_came(void) {
  if (!hangup_came) {
    return false; /* one that comes now is seen the next time */
  }
  hangup_came = 0;
  return true;
}
