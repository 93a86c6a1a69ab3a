#include "system/environment.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "system/windows/win32.h"

#include "rules/visibility.h"

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
