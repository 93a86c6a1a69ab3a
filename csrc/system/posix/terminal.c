#define _GNU_SOURCE /* O_CLOEXEC */

#include "system/terminal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>

#include "system/file.h"

#include "rules/visibility.h"

bool sv_terminal_is(int descriptor) {
  return isatty(descriptor) == 1;
}

void sv_terminal_size(int descriptor, int *columns, int *rows) {
  struct winsize size;
  int is_known = ioctl(descriptor, TIOCGWINSZ, &size) == 0;
  *columns = is_known ? size.ws_col : 0;
  *rows = is_known ? size.ws_row : 0;
}

int sv_terminal_write(int descriptor, const char *text, size_t size) {
  size_t written;
  return sv_file_write(descriptor, text, size, &written);
}

static int open_terminal(void) {
  return open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

bool sv_terminal_can_ask(void) {
  int terminal = open_terminal();
  if (terminal >= 0) {
    close(terminal);
  }
  return terminal >= 0;
}

/* The terminal keeps what is typed until its line has ended. A select() ends at
** every signal, and works with terminals everywhere. */
static bool is_readable(int terminal, double seconds) {
  struct timeval time = {.tv_sec = (time_t)seconds};
  time.tv_usec = (suseconds_t)((seconds - (double)time.tv_sec) * 1e6);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(terminal, &set);
  return select(terminal + 1, &set, NULL, NULL, &time) > 0;
}

static sv_terminal_answer read_line(int terminal, char *line, size_t room) {
  ssize_t count = read(terminal, line, room - 1);
  line[count > 0 ? count : 0] = '\0';
  line[strcspn(line, "\r\n")] = '\0';
  return count > 0 ? SV_TERMINAL_LINE : SV_TERMINAL_END;
}

sv_terminal_answer sv_terminal_read(double seconds, char *line, size_t room) {
  sv_terminal_answer answer = SV_TERMINAL_END;
  int terminal = open_terminal();
  *line = '\0';
  if (terminal >= 0 && terminal < FD_SETSIZE) {
    answer = is_readable(terminal, seconds) ? read_line(terminal, line, room)
                                            : SV_TERMINAL_NOT_YET;
  }
  if (terminal >= 0) {
    close(terminal);
  }
  return answer;
}

/* Terminals here do so from the beginning. */
void sv_terminal_begin(void) {
}

void sv_terminal_end(void) {
}
