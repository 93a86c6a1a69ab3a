#include "platform/termination.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/module.h"

#include "core/hidden.h"

/* timeout(1) sends each signal twice: to the process and to its group. */
#define SAME_SECONDS 1.0

static struct sigaction before;
static bool is_caught;
static volatile sig_atomic_t came;
static double came_at; /* for the handler alone, which does not nest */

static bool is_handled(int number) {
  struct sigaction now;
  return sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL &&
         now.sa_handler != SIG_IGN;
}

/* Calls only what a handler may call. Any thread may run it: the signals are for
** the process, so that the one that waits wakes up. */
static void handle(int number) {
  int problem = errno;
  double now = sv_now();
  if (!came && is_handled(SIGINT)) {
    came = 1;
    came_at = now;
    kill(getpid(), SIGINT);
  } else if (!came || now - came_at >= SAME_SECONDS) {
    signal(number, SIG_DFL);
    kill(getpid(), number);
  }
  errno = problem;
}

void sv_termination_begin(void) {
  struct sigaction ours = {0}; /* without SA_RESTART: a read ends, too */
  if (is_caught || sigaction(SIGTERM, NULL, &before) != 0 ||
      before.sa_handler == SIG_IGN) {
    return;
  }
  sv_module_keep(&before);
  came = 0;
  ours.sa_handler = handle;
  sigemptyset(&ours.sa_mask);
  is_caught = sigaction(SIGTERM, &ours, NULL) == 0;
}

void sv_termination_end(void) {
  if (is_caught) {
    is_caught = false;
    sigaction(SIGTERM, &before, NULL);
  }
}

bool sv_termination_came(void) {
  return came;
}
