#include "system/socket.h"

#include "system/windows/win32.h"

#include "rules/visibility.h"

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
