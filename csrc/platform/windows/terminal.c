#include "platform/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/windows/wide.h"
#include "platform/windows/win32.h"

#include "core/hidden.h"

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

static HANDLE open_input(void) {
  return CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
                     FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0,
                     NULL);
}

bool sv_terminal_can_ask(void) {
  HANDLE input = open_input();
  if (input != INVALID_HANDLE_VALUE) {
    CloseHandle(input);
  }
  return input != INVALID_HANDLE_VALUE;
}

/* Takes away what is no key that is pressed: a read would wait behind it. */
static bool is_key_waiting(HANDLE input) {
  INPUT_RECORD record;
  DWORD count = 0;
  while (PeekConsoleInputW(input, &record, 1, &count) && count > 0) {
    if (record.EventType == KEY_EVENT && record.Event.KeyEvent.bKeyDown) {
      return true;
    }
    ReadConsoleInputW(input, &record, 1, &count);
  }
  return false;
}

enum { LONGEST_LINE = 2048, CTRL_Z = 26, NOTICE_MS = 50 };

static void copy_line(wchar_t *wide, char *line, size_t room) {
  wide[wcscspn(wide, L"\r\n")] = L'\0';
  char *text = sv_narrow(wide);
  if (text && strlen(text) < room) {
    strcpy(line, text);
  }
  free(text);
}

/* Ctrl-C ends the read with nothing; the interpreter's handler may still be at
** work on its thread then. */
static sv_terminal_answer read_line(HANDLE input, char *line, size_t room) {
  wchar_t wide[LONGEST_LINE + 1];
  DWORD count = 0;
  if (!ReadConsoleW(input, wide, LONGEST_LINE, &count, NULL)) {
    return SV_TERMINAL_END;
  } else if (count == 0) {
    Sleep(NOTICE_MS);
    return SV_TERMINAL_NOT_YET;
  }
  wide[count] = L'\0';
  if (*wide == CTRL_Z) {
    return SV_TERMINAL_END;
  }
  copy_line(wide, line, room);
  return SV_TERMINAL_LINE;
}

sv_terminal_answer sv_terminal_read(double seconds, char *line, size_t room) {
  sv_terminal_answer answer = SV_TERMINAL_END;
  HANDLE input = open_input();
  *line = '\0';
  if (input != INVALID_HANDLE_VALUE) {
    WaitForSingleObject(input, (DWORD)(seconds * 1000));
    answer = is_key_waiting(input) ? read_line(input, line, room)
                                   : SV_TERMINAL_NOT_YET;
    CloseHandle(input);
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
