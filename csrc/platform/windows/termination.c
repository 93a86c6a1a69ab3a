#include "platform/termination.h"

#include <signal.h>

#include <windows.h>

#include "platform/module.h"

#include "core/hidden.h"

static bool is_caught;
static volatile LONG came;

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
    is_caught = SetConsoleCtrlHandler(handle, TRUE) != 0;
  }
}

void sv_termination_end(void) {
  if (is_caught) {
    is_caught = false;
    SetConsoleCtrlHandler(handle, FALSE);
  }
}

bool sv_termination_came(void) {
  return came != 0;
}
