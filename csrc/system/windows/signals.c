#include "system/signals.h"

#include <signal.h>

#include "system/process.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

/* Here a write that fails raises nothing. */

void sv_signals_hold(sv_signals *signals) {
  *signals = (sv_signals){{false}, {false}};
}

void sv_signals_release(const sv_signals *signals) {
  (void)signals;
}

/* Ctrl-C comes on a thread of the system's and ends no wait of another one.
** A person takes it for the answer to the key. */
#define LONGEST_SECONDS 0.05

double sv_interrupt_limit(double seconds) {
  return seconds < LONGEST_SECONDS ? seconds : LONGEST_SECONDS;
}

static bool is_caught;
static volatile LONG came;
static bool lost_reader;

static bool is_handled(int number) {
  void (*now)(int) = signal(number, SIG_IGN);
  signal(number, now);
  return now != SIG_DFL && now != SIG_IGN && now != SIG_ERR;
}

static bool is_end(DWORD event) {
  return event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT ||
         event == CTRL_SHUTDOWN_EVENT;
}

/* Runs on a thread of the system's, which ends the process as soon as this
** returns: so it does not, and the program ends meanwhile, or the system loses
** patience after some seconds. */
static BOOL WINAPI handle(DWORD event) {
  if (!is_end(event) || InterlockedExchange(&came, 1) ||
      !is_handled(SIGINT)) {
    return FALSE;
  }
  raise(SIGINT);
  Sleep(INFINITE);
  return TRUE;
}

void sv_termination_begin(void) {
  if (!is_caught) {
    sv_module_keep(&is_caught);
    came = 0;
    lost_reader = false;
    is_caught = SetConsoleCtrlHandler(handle, TRUE) != 0;
  }
}

void sv_termination_end(void) {
  if (is_caught) {
    is_caught = false;
    SetConsoleCtrlHandler(handle, FALSE);
  }
}

/* The interpreter's handler is taken away as it is called. */
void sv_termination_lose_reader(void) {
  bool is_first = !lost_reader;
  lost_reader = true;
  if (is_first && !came && is_handled(SIGINT)) {
    void (*handler)(int) = signal(SIGINT, SIG_IGN);
    signal(SIGINT, handler);
    raise(SIGINT);
    signal(SIGINT, handler);
  }
}

sv_termination sv_termination_came(void) {
  return came          ? SV_TERMINATION_SIGNAL
         : lost_reader ? SV_TERMINATION_READER
                       : SV_TERMINATION_NONE;
}

/* Nobody sends a SIGHUP here. */
void sv_hangup_begin(void) {
}

void sv_hangup_end(void) {
}

bool sv_hangup_came(void) {
  return false;
}
