#define _GNU_SOURCE /* sigtimedwait */

#include "platform/signals.h"

#include <pthread.h>
#include <time.h>

void sv_signals_hold(sv_signals *signals) {
  sigemptyset(&signals->held);
  sigaddset(&signals->held, SIGPIPE);
  sigaddset(&signals->held, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signals->held, &signals->before);
  /* One that the host holds back itself may have been pending before. */
  if (sigismember(&signals->before, SIGPIPE)) {
    sigdelset(&signals->held, SIGPIPE);
  }
  if (sigismember(&signals->before, SIGXFSZ)) {
    sigdelset(&signals->held, SIGXFSZ);
  }
}

void sv_signals_let(sv_signals *signals) {
  const struct timespec none = {0, 0};
  while (sigtimedwait(&signals->held, NULL, &none) > 0) {
  }
  pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}
