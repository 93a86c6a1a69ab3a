/*
** Addresses of hosts, and why one is not reached. May be called on any thread.
*/
#ifndef SV_SYSTEM_ADDRESS_H
#define SV_SYSTEM_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
