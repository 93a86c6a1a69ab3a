#include "system/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "rules/visibility.h"
#include "system/address_read.h"

bool sv_address_is_loopback(const char *host) {
  struct in_addr address;
  return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
         (inet_pton(AF_INET, host, &address) == 1 &&
          ntohl(address.s_addr) >> 24 == 127);
}

void sv_address_problem(int problem, char *text, size_t size) {
  snprintf(text, size, "%s", strerror(problem));
}
