/*
** Ending a connection that belongs to a library, on whose socket another thread
** sleeps. It is found by a mark: its TCP_USER_TIMEOUT, which libpq sets as it
** is told, and nobody else does.
*/
#ifndef SV_PLATFORM_SOCKET_MARK_H
#define SV_PLATFORM_SOCKET_MARK_H

/* Milliseconds, 15 to 35 seconds, that no descriptor of this process has. */
int sv_socket_mark_new(void);

/* Shuts down what bears the mark. */
void sv_socket_mark_shut_down(int mark);

#endif
