#include "system/hangup.h"

#include <signal.h>
#include <stddef.h>

#include "system/module.h"

#include "rules/visibility.h"

static struct sigaction before;
static bool is_caught;
static volatile sig_atomic_t came;

static void handle(int number) {
  (void)number;
  came = 1;
}

void sv_hangup_begin(void) {
  struct sigaction ours = {0}; /* without SA_RESTART: a pause ends, too */
  if (is_caught || sigaction(SIGHUP, NULL, &before) != 0 ||
      before.sa_handler == SIG_IGN) {
    return;
  }
  sv_module_keep(&before);
  came = 0;
  ours.sa_handler = handle;
  sigemptyset(&ours.sa_mask);
  is_caught = sigaction(SIGHUP, &ours, NULL) == 0;
}

void sv_hangup_end(void) {
  if (is_caught) {
    is_caught = false;
    sigaction(SIGHUP, &before, NULL);
  }
}

bool sv_hangup_came(void) {
  if (!came) {
    return false; /* one that comes now is seen the next time */
  }
  came = 0;
  return true;
}
