/*
** A server within the process, for a libcurl that must reach no other: it
** takes the place of connect() and of the name look-up, and whatever address
** is asked for, the peer answers it through a pair of sockets. No thread, no
** port, and the same order of events each time.
*/
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* How each connection is answered: `piece` bytes at a time, once the head of a
** request is in, or at once where `early`; then it is closed. */
typedef struct peer_answer {
  const char *bytes;
  size_t size;
  size_t piece; /* 0: all at once */
  bool early;
} peer_answer;

/* Forgets all there was, connections too. The bytes stay the caller's. */
void peer_start(peer_answer answer);

/* Goes on with what can be gone on with. */
void peer_go_on(void);

/* Since peer_start: connections, requests whose head was whole, those of them
** that were POSTs, those that were meant for a proxy, and bytes of all. */
typedef struct peer_record {
  int connections, requests, posts, proxied;
  size_t received;
} peer_record;

peer_record peer_look(void);

#endif
