#include "platform/address.h"

#include <stdio.h>
#include <string.h>

#include "platform/windows/win32.h"

#include "core/hidden.h"

/* Four numbers and nothing else, as inet_pton takes them; winsock's own would
** have to be started first. */
static bool is_in_loopback_net(const char *host) {
  unsigned part[4];
  int end = 0;
  int count = sscanf(host, "%3u.%3u.%3u.%3u%n", &part[0], &part[1], &part[2],
                     &part[3], &end);
  return count == 4 && strspn(host, "0123456789.") == strlen(host) &&
         host[end] == '\0' && part[0] == 127 && part[1] < 256 &&
         part[2] < 256 && part[3] < 256;
}

bool sv_address_is_loopback(const char *host) {
  return _stricmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
         is_in_loopback_net(host);
}

/* The system ends its sentences with a point and a line's end. */
void sv_address_problem(int problem, char *text, size_t size) {
  DWORD length = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM |
                                    FORMAT_MESSAGE_IGNORE_INSERTS,
                                NULL, (DWORD)problem, 0, text, (DWORD)size,
                                NULL);
  if (length == 0) {
    snprintf(text, size, "error %d", problem);
  }
  text[strcspn(text, ".\r\n")] = '\0';
}
