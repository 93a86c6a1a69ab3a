#include "system/termination.h"

#include <signal.h>

#include <windows.h>

#include "system/module.h"

#include "rules/visibility.h"

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
