#include "system/address.h"

#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>

#include "system/windows/win32.h"

#include "rules/visibility.h"
#include "system/address_read.h"

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

/* In the words of other systems: this one has them in the language and the
** encoding of its user alone. */
static const struct {
  int problem;
  const char *text;
} problems[] = {
    {WSAEACCES, "Permission denied"},
    {WSAEMFILE, "Too many open files"},
    {WSAENOTSOCK, "Socket operation on non-socket"},
    {WSAEADDRINUSE, "Address already in use"},
    {WSAEADDRNOTAVAIL, "Cannot assign requested address"},
    {WSAEAFNOSUPPORT, "Address family not supported by protocol"},
    {WSAENETDOWN, "Network is down"},
    {WSAENETUNREACH, "Network is unreachable"},
    {WSAECONNABORTED, "Software caused connection abort"},
    {WSAECONNRESET, "Connection reset by peer"},
    {WSAENOBUFS, "No buffer space available"},
    {WSAETIMEDOUT, "Connection timed out"},
    {WSAECONNREFUSED, "Connection refused"},
    {WSAEHOSTUNREACH, "No route to host"},
};

void sv_address_problem(int problem, char *text, size_t size) {
  for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
    if (problems[i].problem == problem) {
      snprintf(text, size, "%s", problems[i].text);
      return;
    }
  }
  snprintf(text, size, "error %d of Windows Sockets", problem);
}
