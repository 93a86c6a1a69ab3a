#include "system/network.h"

#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>

#include "system/windows/win32.h"

#include "rules/visibility.h"

size_t sv_address_read(const void *socket_address, unsigned char ip[16],
                       int *port) {
  struct sockaddr_in in4;
  struct sockaddr_in6 in6;
  int family = ((const struct sockaddr *)socket_address)->sa_family;
  if (family == AF_INET) {
    memcpy(&in4, socket_address, sizeof in4);
    memcpy(ip, &in4.sin_addr, 4);
    *port = ntohs(in4.sin_port);
    return 4;
  }
  if (family == AF_INET6) {
    memcpy(&in6, socket_address, sizeof in6);
    memcpy(ip, &in6.sin6_addr, 16);
    *port = ntohs(in6.sin6_port);
    return 16;
  }
  return 0;
}

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

/* A handle of the system's has 32 bits that count. */
sv_descriptor sv_socket_open(int family, int kind, int protocol) {
  SOCKET opened = WSASocketW(family, kind, protocol, NULL, 0,
                             WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  return (sv_descriptor){.number = opened == INVALID_SOCKET ? -1 : (int)opened};
}

bool sv_socket_holds(const sv_descriptor *socket) {
  return socket->number != -1;
}

void sv_socket_close(sv_descriptor *socket) {
  if (socket->number != -1) {
    closesocket((SOCKET)(UINT_PTR)(unsigned)socket->number);
    socket->number = -1;
  }
}

/* No option of a socket here is left alone by everybody else, so that none
** finds a library's connection: one that does not answer lasts as long as the
** system's own limits. */
enum { MARK = 15001 };

int sv_socket_mark_new(void) {
  return MARK;
}

sv_descriptor sv_socket_mark_find(int mark) {
  (void)mark;
  return (sv_descriptor){.number = -1};
}

void sv_socket_mark_shut_down(int mark) {
  (void)mark;
}

/* Schannel asks the system. A path from the root of the drive is no answer:
** every user of the machine may put a file there. */
const char *sv_ca_bundle_file(void) {
  return NULL;
}
