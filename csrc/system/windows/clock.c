#include "system/clock.h"

#include "system/windows/win32.h"

#include "rules/visibility.h"

double sv_now(void) {
  LARGE_INTEGER ticks, per_second;
  QueryPerformanceFrequency(&per_second);
  QueryPerformanceCounter(&ticks);
  return (double)ticks.QuadPart / (double)per_second.QuadPart;
}

/* The counter goes on while the machine sleeps. */
double sv_boottime(void) {
  return sv_now();
}

/* File times count tenths of a microsecond from 1601 on. */
double sv_time(void) {
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  ULARGE_INTEGER tenths = {.LowPart = now.dwLowDateTime,
                           .HighPart = now.dwHighDateTime};
  return (double)(tenths.QuadPart - 116444736000000000ULL) / 1e7;
}

void sv_sleep(double seconds) {
  double until = sv_now() + seconds;
  for (double left = seconds; left > 0; left = until - sv_now()) {
    Sleep(left < 3600 ? (DWORD)(left * 1000) + 1 : 3600 * 1000);
  }
}
