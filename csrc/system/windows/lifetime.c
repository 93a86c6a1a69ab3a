#include "system/lifetime.h"

#include <stdio.h>

#include <windows.h>

#include "rules/visibility.h"

/* The exit code of a process that has none yet. */
#define RUNNING 259 /* STILL_ACTIVE, which has the type of another code */

int sv_lifetime_of(long number, char start[SV_LIFETIME_ROOM]) {
  FILETIME began, ended, kernel, user;
  DWORD code = 0;
  *start = '\0';
  HANDLE process =
      OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)number);
  if (!process) {
    return -1;
  }
  int runs = GetExitCodeProcess(process, &code) ? code == RUNNING : -1;
  if (GetProcessTimes(process, &began, &ended, &kernel, &user)) {
    snprintf(start, SV_LIFETIME_ROOM, "%lx%08lx", began.dwHighDateTime,
             began.dwLowDateTime);
  }
  CloseHandle(process);
  return runs;
}
