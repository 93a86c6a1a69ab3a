#define _GNU_SOURCE /* sigtimedwait */

#include "platform/signals.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "core/hidden.h"

void sv_signals_hold(sv_signals *signals) {
  sigset_t held, before;
  sigemptyset(&held);
  sigaddset(&held, SIGPIPE);
  sigaddset(&held, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &held, &before);
  signals->pipe = sigismember(&before, SIGPIPE);
  signals->file_size = sigismember(&before, SIGXFSZ);
}

#ifdef __APPLE__

/* None of another thread takes these away: they are held back there, or would
** have ended the process. */
static bool take(const sigset_t *ours) {
  sigset_t pending;
  int number;
  sigpending(&pending);
  bool has_one = (sigismember(&pending, SIGPIPE) &&
                  sigismember(ours, SIGPIPE)) ||
                 (sigismember(&pending, SIGXFSZ) &&
                  sigismember(ours, SIGXFSZ));
  return has_one && sigwait(ours, &number) == 0;
}

#else

static bool take(const sigset_t *ours) {
  const struct timespec none = {0, 0};
  return sigtimedwait(ours, NULL, &none) > 0;
}

#endif

/* One that the host holds back may have been pending before. */
void sv_signals_release(const sv_signals *signals) {
  sigset_t ours;
  sigemptyset(&ours);
  if (!signals->pipe) {
    sigaddset(&ours, SIGPIPE);
  }
  if (!signals->file_size) {
    sigaddset(&ours, SIGXFSZ);
  }
  while (take(&ours)) {
  }
  pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}
