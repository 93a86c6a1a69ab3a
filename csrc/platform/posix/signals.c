#define _GNU_SOURCE /* sigtimedwait */

#include "platform/signals.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

void sv_signals_hold(sv_signals *signals) {
  sigset_t held, before;
  sigemptyset(&held);
  sigaddset(&held, SIGPIPE);
  sigaddset(&held, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &held, &before);
  signals->pipe = sigismember(&before, SIGPIPE);
  signals->file_size = sigismember(&before, SIGXFSZ);
}

/* One that the host holds back may have been pending before. */
void sv_signals_release(const sv_signals *signals) {
  const struct timespec none = {0, 0};
  sigset_t ours;
  sigemptyset(&ours);
  if (!signals->pipe) {
    sigaddset(&ours, SIGPIPE);
  }
  if (!signals->file_size) {
    sigaddset(&ours, SIGXFSZ);
  }
  while (sigtimedwait(&ours, NULL, &none) > 0) {
  }
  pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}
