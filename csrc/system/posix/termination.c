#include "system/termination.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/module.h"

#include "rules/visibility.h"

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
