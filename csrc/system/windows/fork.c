#include "system/fork.h"

#include <stdbool.h>
#include <string.h>

#include "system/clock.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

/* There is no fork here. An exit ends all other threads, wherever they are,
** before any library is told: one of ours that was inside of TLS may leave a
** lock behind that a library wants, or half a call to the system. */

static _Atomic double exit_seconds = 1;

/* Shared by threads that are inside, exclusive to one that exits. */
static SRWLOCK inside = SRWLOCK_INIT;

static _Atomic unsigned exits;

static bool shut_out(double seconds) {
  double until = sv_now() + seconds;
  bool is_alone = TryAcquireSRWLockExclusive(&inside) != 0;
  while (!is_alone && sv_now() < until) {
    Sleep(1);
    is_alone = TryAcquireSRWLockExclusive(&inside) != 0;
  }
  return is_alone;
}

/* Nobody gets in any more. */
static int at_exit(void) {
  if (shut_out(exit_seconds)) {
    exits++;
  }
  return 0;
}

unsigned sv_fork_count(void) {
  return exits;
}

/* That of the C library itself, which exit(3) calls while our threads run; what
** a DLL registers with its own is called when they have been ended. The module
** stays loaded for that. */
void sv_fork_guard_exit(void) {
  typedef int (*callback)(void);
  typedef callback (*registration)(callback);
  HMODULE library = GetModuleHandleW(L"msvcrt.dll");
  FARPROC found = library ? GetProcAddress(library, "_onexit") : NULL;
  registration on_exit;
  memcpy(&on_exit, &found, sizeof on_exit);
  if (on_exit) {
    on_exit(at_exit);
  }
}

void sv_fork_limit(double for_fork, double for_exit) {
  (void)for_fork;
  exit_seconds = for_exit;
}

void sv_fork_hold(void) {
  AcquireSRWLockShared(&inside);
}

void sv_fork_release(void) {
  ReleaseSRWLockShared(&inside);
}
