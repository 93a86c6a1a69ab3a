#include "system/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "system/windows/wide.h"

#include "rules/visibility.h"

size_t sv_machine_name(char *text, size_t room) {
  wchar_t wide[256];
  DWORD length = sizeof wide / sizeof *wide;
  if (!GetComputerNameExW(ComputerNameDnsHostname, wide, &length)) {
    return 0;
  }
  char *name = sv_narrow(wide);
  size_t size = name ? strlen(name) : 0;
  size = size < room ? size : 0;
  if (size) {
    memcpy(text, name, size + 1);
  }
  free(name);
  return size;
}

/* SYSTEM_TIMEOFDAY_INFORMATION, of which the headers name no field. */
typedef struct time_of_day {
  LARGE_INTEGER boot, now, zone;
  ULONG zone_id, reserved;
  ULONGLONG boot_bias, sleep_bias;
} time_of_day;

enum { TIME_OF_DAY = 3 };

typedef LONG(WINAPI *query_function)(int what, void *into, ULONG room,
                                     ULONG *size);

/* Whenever somebody sets the wall clock, the time of the boot and its bias
** move alike: their difference stays. */
size_t sv_machine_boot(char *text, size_t room) {
  time_of_day times = {0};
  HMODULE system = GetModuleHandleW(L"ntdll.dll");
  FARPROC found =
      system ? GetProcAddress(system, "NtQuerySystemInformation") : NULL;
  query_function query;
  memcpy(&query, &found, sizeof query);
  if (!query || query(TIME_OF_DAY, &times, sizeof times, NULL) < 0) {
    return 0;
  }
  int length = snprintf(text, room, "%llx",
                        (ULONGLONG)times.boot.QuadPart - times.boot_bias);
  return length > 0 && (size_t)length < room ? (size_t)length : 0;
}
