#include "system/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "system/file.h"

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

bool sv_address_is_loopback(const char *host) {
  struct in_addr address;
  return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
         (inet_pton(AF_INET, host, &address) == 1 &&
          ntohl(address.s_addr) >> 24 == 127);
}

void sv_address_problem(int problem, char *text, size_t size) {
  snprintf(text, size, "%s", strerror(problem));
}

sv_descriptor sv_socket_open(int family, int kind, int protocol) {
  sv_descriptor_fill_standard();
#ifdef SOCK_CLOEXEC
  int file = socket(family, kind | SOCK_CLOEXEC, protocol);
#else
  int file = socket(family, kind, protocol);
#endif
  sv_descriptor_keep_private(file);
  return sv_descriptor_of(file);
}

bool sv_socket_holds(const sv_descriptor *socket) {
  return sv_descriptor_holds(socket);
}

void sv_socket_close(sv_descriptor *socket) {
  sv_descriptor_close(socket);
}

/* Odd ones, for others set round numbers. */
enum { FIRST_MARK = 15001, MARKS = 10000 };

static bool has_mark(int file, int mark) {
#ifdef TCP_USER_TIMEOUT
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(file, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size) == 0 &&
         value == mark;
#else
  (void)file, (void)mark;
  return false;
#endif
}

/* A child of a fork has the sockets of its parent. */
static bool is_taken(int mark) {
  for (int file = 0, most = sv_descriptor_most(); file < most; file++) {
    if (has_mark(file, mark)) {
      return true;
    }
  }
  return false;
}

int sv_socket_mark_new(void) {
  static _Atomic unsigned count;
  int mark;
  do {
    mark = FIRST_MARK + 2 * (int)(count++ % MARKS);
  } while (is_taken(mark));
  return mark;
}

static bool leads_to_server(int file) {
  struct sockaddr_un peer = {.sun_family = AF_UNSPEC};
  socklen_t size = sizeof peer - 1;
  return getpeername(file, (struct sockaddr *)&peer, &size) == 0 &&
         peer.sun_family == AF_UNIX &&
         size > offsetof(struct sockaddr_un, sun_path) &&
         strstr(peer.sun_path, "/.s.PGSQL.");
}

sv_descriptor sv_socket_mark_find(int mark) {
  int found = -1;
  for (int file = 0, most = sv_descriptor_most(); file < most; file++) {
    if (has_mark(file, mark)) {
      return sv_descriptor_of(file);
    }
    found = leads_to_server(file) ? file : found;
  }
  return sv_descriptor_of(found);
}

/* By a descriptor of our own: the number of the other may be given to something
** else meanwhile. */
void sv_socket_mark_shut_down(int mark) {
  for (int file = 0, most = sv_descriptor_most(); file < most; file++) {
    int copy = has_mark(file, mark) ? fcntl(file, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy >= 0) {
      if (has_mark(copy, mark)) {
        shutdown(copy, SHUT_RDWR);
      }
      close(copy);
    }
  }
}

/* Debian and Ubuntu; Fedora; openSUSE; Alpine, FreeBSD, macOS. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

const char *sv_ca_bundle_file(void) {
  for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
    if (sv_file_is_readable(bundles[i])) {
      return bundles[i];
    }
  }
  return NULL;
}
