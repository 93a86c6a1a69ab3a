#include "platform/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/hidden.h"

bool sv_address_is_loopback(const char *host) {
  struct in_addr address;
  return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
         (inet_pton(AF_INET, host, &address) == 1 &&
          ntohl(address.s_addr) >> 24 == 127);
}

size_t sv_address_read(const void *socket_address, unsigned char ip[16],
                       int *port) {
  struct sockaddr_in in4;
  struct sockaddr_in6 in6;
  sa_family_t family = ((const struct sockaddr *)socket_address)->sa_family;
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

void sv_address_problem(int problem, char *text, size_t size) {
  snprintf(text, size, "%s", strerror(problem));
}
