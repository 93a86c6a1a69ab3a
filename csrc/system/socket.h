/*
** Sockets, as descriptors that know what they were opened for (descriptor.h).
** On Windows nobody reuses the number of a socket that is open: there each
** still is what it was.
*/
#ifndef SV_SYSTEM_SOCKET_H
#define SV_SYSTEM_SOCKET_H

#include "system/descriptor.h"

/* As socket(2), kept from programs that the host starts. The number is -1 where
** there is none. */
sv_descriptor sv_socket_open(int family, int kind, int protocol);

/* As sv_descriptor_holds and sv_descriptor_close. */
bool sv_socket_holds(const sv_descriptor *socket);
void sv_socket_close(sv_descriptor *socket);

#endif
