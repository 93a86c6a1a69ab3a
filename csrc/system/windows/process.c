#include "system/process.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "system/windows/wide.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

long sv_process_id(void) {
  return (long)GetCurrentProcessId();
}

/* One that has ended stays for as long as somebody has a handle of it. */
int sv_process_exists(long number) {
  if (number <= 0) {
    return -1;
  }
  HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)number);
  if (process) {
    bool runs = WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
    CloseHandle(process);
    return runs;
  }
  DWORD error = GetLastError();
  return error == ERROR_ACCESS_DENIED       ? 1
         : error == ERROR_INVALID_PARAMETER ? 0
                                            : -1;
}

/* All processes of the machine see each other's numbers. */
size_t sv_process_namespace(const char *kind, char *name, size_t room) {
  static const char only[] = "system";
  (void)kind;
  if (room < sizeof only) {
    return 0;
  }
  memcpy(name, only, sizeof only);
  return sizeof only - 1;
}

const char *sv_process_directory(char *path, size_t room) {
  wchar_t wide[SV_PATH_ROOM];
  DWORD length = GetCurrentDirectoryW(SV_PATH_ROOM, wide);
  char *text = length > 0 && length < SV_PATH_ROOM ? sv_narrow(wide) : NULL;
  bool fits = text && strlen(text) < room;
  if (fits) {
    strcpy(path, text);
  }
  free(text);
  return fits ? path : NULL;
}

int sv_process_act_as(unsigned user, unsigned group) {
  (void)user;
  (void)group;
  return ENOSYS;
}

void sv_process_act_as_oneself(void) {
}
