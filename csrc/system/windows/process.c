#include "system/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "system/windows/win32.h"

#include <bcrypt.h>

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
  bool fits = length > 0 && length < SV_PATH_ROOM &&
              sv_narrow_into(wide, path, room) > 0;
  return fits ? path : NULL;
}

int sv_process_act_as(unsigned user, unsigned group) {
  (void)user;
  (void)group;
  return ENOSYS;
}

void sv_process_act_as_oneself(void) {
}

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

size_t sv_machine_name(char *text, size_t room) {
  wchar_t wide[256];
  DWORD length = sizeof wide / sizeof *wide;
  return GetComputerNameExW(ComputerNameDnsHostname, wide, &length)
             ? sv_narrow_into(wide, text, room)
             : 0;
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

void sv_module_keep(const void *address) {
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                         GET_MODULE_HANDLE_EX_FLAG_PIN,
                     (LPCWSTR)address, &module);
}

bool sv_random_bytes(void *bytes, size_t size) {
  return BCryptGenRandom(NULL, bytes, (ULONG)size,
                         BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0;
}

/* --- what whoever started it has told it ---------------------------------- */

/* NULL where there is none; "" too has a size of one. */
static wchar_t *variable(const wchar_t *name) {
  DWORD room = GetEnvironmentVariableW(name, NULL, 0);
  wchar_t *value = room ? calloc(room, sizeof *value) : NULL;
  if (value && GetEnvironmentVariableW(name, value, room) >= room) {
    *value = L'\0'; /* another thread has changed it */
  }
  return value;
}

bool sv_environment_get(const char *name, char *value, size_t room,
                        size_t *size) {
  wchar_t *wide_name = sv_wide(name);
  wchar_t *wide = wide_name ? variable(wide_name) : NULL;
  char *found = wide ? sv_narrow(wide) : NULL;
  *size = found ? strlen(found) + 1 : 0;
  if (found && *size <= room) {
    memcpy(value, found, *size);
  }
  bool is_there = found != NULL;
  free(found);
  free(wide);
  free(wide_name);
  return is_there;
}

/* A word of a command line by the rules of Microsoft's C library: quotes hold
** blanks together, two within quotes are one, and backslashes are special
** before a quote alone. Ends `word`; the rest of the line. */
static const wchar_t *read_word(const wchar_t *from, wchar_t **to) {
  bool is_quoted = false;
  while (*from && (is_quoted || (*from != L' ' && *from != L'\t'))) {
    size_t slashes = wcsspn(from, L"\\");
    bool at_quote = from[slashes] == L'"';
    size_t kept = at_quote ? slashes / 2 : slashes;
    wmemcpy(*to, from, kept);
    *to += kept;
    from += slashes;
    if (at_quote && slashes % 2 == 1) {
      *(*to)++ = *from++;
    } else if (at_quote && is_quoted && from[1] == L'"') {
      *(*to)++ = L'"';
      from += 2;
    } else if (at_quote) {
      is_quoted = !is_quoted;
      from++;
    } else if (slashes == 0) {
      *(*to)++ = *from++;
    }
  }
  *(*to)++ = L'\0';
  return from;
}

/* The program's own name knows no backslashes that are special. */
static const wchar_t *read_program(const wchar_t *from, wchar_t **to) {
  bool is_quoted = *from == L'"';
  size_t length = wcscspn(from += is_quoted, is_quoted ? L"\"" : L" \t");
  wmemcpy(*to, from, length);
  *to += length;
  *(*to)++ = L'\0';
  return from + length + (is_quoted && from[length]);
}

/* No word is longer than what it was read from, but for its ending zero. */
static wchar_t *split(const wchar_t *line, int *count, size_t *size) {
  wchar_t *words = malloc((wcslen(line) + 2) * sizeof *words), *to = words;
  if (!words) {
    return NULL;
  }
  line = read_program(line, &to);
  *count = 1;
  while (*(line += wcsspn(line, L" \t"))) {
    line = read_word(line, &to);
    ++*count;
  }
  *size = (size_t)(to - words);
  return words;
}

char *sv_environment_words(int *count) {
  size_t size = 0;
  wchar_t *wide = split(GetCommandLineW(), count, &size);
  int room = wide ? WideCharToMultiByte(CP_UTF8, 0, wide, (int)size, NULL, 0,
                                        NULL, NULL)
                  : 0;
  char *words = room > 0 ? malloc((size_t)room) : NULL;
  if (words) {
    WideCharToMultiByte(CP_UTF8, 0, wide, (int)size, words, room, NULL, NULL);
  }
  free(wide);
  return words;
}
