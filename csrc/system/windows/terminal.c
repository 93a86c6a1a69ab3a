#include "system/terminal.h"

#include <errno.h>
#include <stdlib.h>

#include "system/windows/win32.h"

#include "rules/visibility.h"

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 0x0004
#endif

static HANDLE handle_of(int descriptor) {
  static const DWORD names[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
                                STD_ERROR_HANDLE};
  return descriptor >= 0 && descriptor <= 2 ? GetStdHandle(names[descriptor])
                                            : INVALID_HANDLE_VALUE;
}

bool sv_terminal_is(int descriptor) {
  DWORD mode;
  return GetConsoleMode(handle_of(descriptor), &mode) != 0;
}

/* Of the window, not of what can be scrolled back to. */
void sv_terminal_size(int descriptor, int *columns, int *rows) {
  CONSOLE_SCREEN_BUFFER_INFO info;
  *columns = *rows = 0;
  if (GetConsoleScreenBufferInfo(handle_of(descriptor), &info)) {
    *columns = info.srWindow.Right - info.srWindow.Left + 1;
    *rows = info.srWindow.Bottom - info.srWindow.Top + 1;
  }
}

/* --- a person ------------------------------------------------------------- */

/* ReadConsole would edit the line itself, and keep the thread until it has
** ended: Ctrl-C would end that read on some systems, and be lost on others. */
enum { LONGEST_LINE = 2048, CTRL_Z = 26 };

static struct {
  wchar_t text[LONGEST_LINE + 1];
  size_t length;
} typed; /* of the line that was begun */

static HANDLE open_console(const wchar_t *name) {
  return CreateFileW(name, GENERIC_READ | GENERIC_WRITE,
                     FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0,
                     NULL);
}

bool sv_terminal_can_ask(void) {
  HANDLE input = open_console(L"CONIN$");
  if (input != INVALID_HANDLE_VALUE) {
    CloseHandle(input);
  }
  return input != INVALID_HANDLE_VALUE;
}

static void show(const wchar_t *text) {
  DWORD count;
  HANDLE output = open_console(L"CONOUT$");
  if (output != INVALID_HANDLE_VALUE) {
    WriteConsoleW(output, text, (DWORD)wcslen(text), &count, NULL);
    CloseHandle(output);
  }
}

/* A character of two halves goes as a whole; those of East Asia stand on two
** columns. */
static void take_back(void) {
  wchar_t last = typed.length > 0 ? typed.text[--typed.length] : L'\0';
  bool is_half = IS_LOW_SURROGATE(last) && typed.length > 0;
  typed.length -= is_half;
  if (last) {
    show(is_half || last >= 0x1100 ? L"\b\b  \b\b" : L"\b \b");
  }
}

static void append(wchar_t character) {
  const wchar_t text[] = {character, L'\0'};
  if (typed.length < LONGEST_LINE) {
    typed.text[typed.length++] = character;
    show(text);
  }
}

static sv_terminal_answer take_character(wchar_t character) {
  if (character == L'\r' || character == L'\n') {
    show(L"\r\n");
    return SV_TERMINAL_LINE;
  } else if (character == CTRL_Z && typed.length == 0) {
    show(L"\r\n");
    return SV_TERMINAL_END;
  } else if (character == L'\b') {
    take_back();
  } else if (character >= L' ') {
    append(character);
  }
  return SV_TERMINAL_NOT_YET;
}

/* What is composed while Alt is held down comes as that goes up. */
static wchar_t character_of(const INPUT_RECORD *record) {
  const KEY_EVENT_RECORD *key = &record->Event.KeyEvent;
  bool is_typed = record->EventType == KEY_EVENT &&
                  (key->bKeyDown || key->wVirtualKeyCode == VK_MENU);
  return is_typed ? key->uChar.UnicodeChar : L'\0';
}

static sv_terminal_answer take_keys(HANDLE input) {
  sv_terminal_answer answer = SV_TERMINAL_NOT_YET;
  INPUT_RECORD record;
  DWORD count = 0;
  while (answer == SV_TERMINAL_NOT_YET &&
         GetNumberOfConsoleInputEvents(input, &count) && count > 0 &&
         ReadConsoleInputW(input, &record, 1, &count)) {
    answer = take_character(character_of(&record));
  }
  return answer;
}

sv_terminal_answer sv_terminal_read(double seconds, char *line, size_t room) {
  sv_terminal_answer answer = SV_TERMINAL_END;
  HANDLE input = open_console(L"CONIN$");
  *line = '\0';
  if (input != INVALID_HANDLE_VALUE) {
    WaitForSingleObject(input, (DWORD)(seconds * 1000));
    answer = take_keys(input);
    CloseHandle(input);
  }
  if (answer == SV_TERMINAL_LINE) {
    typed.text[typed.length] = L'\0';
    sv_narrow_into(typed.text, line, room);
  }
  if (answer != SV_TERMINAL_NOT_YET) {
    typed.length = 0;
  }
  return answer;
}

/* --- what is written ------------------------------------------------------ */

/* Consoles have taken no more than 64 KiB at a time. */
enum { PIECE = 8192 };

static int write_wide(HANDLE output, const wchar_t *text, size_t size) {
  size_t written = 0;
  int problem = 0;
  while (written < size && !problem) {
    size_t left = size - written;
    DWORD count = 0;
    problem = sv_win32_problem(
        WriteConsoleW(output, text + written,
                      (DWORD)(left < PIECE ? left : PIECE), &count, NULL));
    written += count;
  }
  return problem;
}

int sv_terminal_write(int descriptor, const char *text, size_t size) {
  wchar_t *wide = malloc((size + 1) * sizeof *wide);
  if (!wide) {
    return ENOMEM;
  }
  int length = size == 0 ? 0
                         : MultiByteToWideChar(CP_UTF8, 0, text, (int)size, wide,
                                               (int)size);
  int problem = write_wide(handle_of(descriptor), wide, (size_t)length);
  free(wide);
  return problem;
}

static UINT code_page;      /* before; 0: there is no console */
static DWORD modes[3];      /* before, of stdout and stderr */
static bool has_mode[3];

void sv_terminal_begin(void) {
  code_page = GetConsoleOutputCP();
  SetConsoleOutputCP(CP_UTF8);
  for (int i = 1; i <= 2; i++) {
    HANDLE output = handle_of(i);
    has_mode[i] = GetConsoleMode(output, &modes[i]) != 0;
    if (has_mode[i]) {
      SetConsoleMode(output, modes[i] | ENABLE_PROCESSED_OUTPUT |
                                 ENABLE_VIRTUAL_TERMINAL_PROCESSING);
    }
  }
}

/* Stdout and stderr may be one console, whose mode the former knew. */
void sv_terminal_end(void) {
  for (int i = 2; i >= 1; i--) {
    if (has_mode[i]) {
      SetConsoleMode(handle_of(i), modes[i]);
    }
  }
  if (code_page) {
    SetConsoleOutputCP(code_page);
  }
}
