/*
** Addresses of hosts, sockets, and whom the system trusts. All may be called on
** any thread.
*/
#ifndef SV_SYSTEM_NETWORK_H
#define SV_SYSTEM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "system/descriptor.h"

/* Whether the host of a URL is this machine: `localhost`, or a loopback
** address as URLs write it. Looks no name up. */
bool sv_address_is_loopback(const char *host);

/* The 4 or 16 bytes of a socket's address (struct sockaddr), and its port.
** Returns how many; 0 where it is none of the Internet's. */
size_t sv_address_read(const void *socket_address, unsigned char ip[16],
                       int *port);

/* What the system calls the error of a connection that failed: words, cut to
** the size of `text`. */
void sv_address_problem(int problem, char *text, size_t size);

/* The file with the certificates that the system trusts; NULL where there is
** none, or where whoever speaks TLS asks the system itself. */
const char *sv_ca_bundle_file(void);

/* Sockets are descriptors that know what they were opened for; on Windows nobody
** reuses the number of one that is open: there each still is what it was.
**
** As socket(2), kept from programs that the host starts. The number is -1 where
** there is none. */
sv_descriptor sv_socket_open(int family, int kind, int protocol);

/* As sv_descriptor_holds and sv_descriptor_close. */
bool sv_socket_holds(const sv_descriptor *socket);
void sv_socket_close(sv_descriptor *socket);

/* The connection of a library, on whose socket another thread sleeps, is found
** by a mark: its TCP_USER_TIMEOUT, which libpq sets to what it is told, and
** nothing else does.
**
** In milliseconds, 15 to 35 seconds; no descriptor of this process has it. */
int sv_socket_mark_new(void);

/* A socket with the mark; else the newest that leads to a PostgreSQL server of
** this machine, whose sockets have no such option. */
sv_descriptor sv_socket_mark_find(int mark);

/* Shuts down each socket that has the mark. */
void sv_socket_mark_shut_down(int mark);

#endif
