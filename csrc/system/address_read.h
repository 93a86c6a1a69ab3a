/*
** `sv_address_read`, which is the same text for each system: its half includes this
** after the headers that define its sockets.
*/
#ifndef SV_SYSTEM_ADDRESS_READ_H
#define SV_SYSTEM_ADDRESS_READ_H

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

#endif
