#include "platform/terminal.h"

#include <sys/ioctl.h>

void sv_terminal_size(int descriptor, int *columns, int *rows) {
  struct winsize size;
  int is_known = ioctl(descriptor, TIOCGWINSZ, &size) == 0;
  *columns = is_known ? size.ws_col : 0;
  *rows = is_known ? size.ws_row : 0;
}
