#include "system/socket.h"

#include <sys/socket.h>

#include "rules/visibility.h"

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
