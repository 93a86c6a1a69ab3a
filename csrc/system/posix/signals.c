#define _GNU_SOURCE /* sigtimedwait */

#include "system/signals.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

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
