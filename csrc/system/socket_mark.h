/*
** Shutting down a connection that belongs to a library, on whose socket
** another thread sleeps. It is found by a mark: its TCP_USER_TIMEOUT, which
** libpq sets to what it is told, and nothing else does. May be called on any
** thread.
*/
#ifndef SV_SYSTEM_SOCKET_MARK_H
#define SV_SYSTEM_SOCKET_MARK_H

#include "system/descriptor.h"

/* In milliseconds, 15 to 35 seconds; no descriptor of this process has it. */
int sv_socket_mark_new(void);

/* A socket with the mark; else the newest that leads to a PostgreSQL server of
** this machine, whose sockets have no such option. */
sv_descriptor sv_socket_mark_find(int mark);

/* Shuts down each socket that has the mark. */
void sv_socket_mark_shut_down(int mark);

#endif
