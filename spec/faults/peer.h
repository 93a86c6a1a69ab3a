/*
** What the parts of the server share: a connection, a step of its script, and
** the record of what arrived.
*/
#ifndef FAULTS_PEER_H
#define FAULTS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

enum {
  HEAD_KEPT = 16 * 1024,
  STUCK_MS = 20 * 1000, /* no read, write or wait takes longer */
};

typedef struct seen seen;

/* One connection, walked by a thread of its own. */
typedef struct peer {
  struct peer *next;
  int fd, number, requests;
  SSL_CTX *tls;
  SSL *ssl;
  char *script, *script_end;
  const char *certificates; /* directory */
  unsigned char in[16 * 1024];
  size_t begin, end; /* of what is unread in `in` */
  char head[HEAD_KEPT];
  size_t head_size;
  seen *request; /* NULL between two */
} peer;

typedef struct step {
  char verb[12];
  long number;
  const char *text;
  size_t size;
} step;

/* --- steps.c ------------------------------------------------------------- */

/* Does one step; false ends the connection. Aborts at a verb it does not
** know. */
bool peer_act(peer *p, const step *s);

/* Closes so that all that was sent arrives. */
void peer_leave(peer *p);

/* --- record.c: safe to call from any thread ------------------------------ */

void record_forget(void);

/* The number of the new connection, from 1. */
int record_connection(void);
void record_h2(void);

/* A request that begins on a connection; valid until record_forget. */
seen *record_request(int connection, int number);

/* A byte of its first line, at its place there. */
void record_byte(seen *request, size_t place, char byte);
void record_line(seen *request, const char *line);

/* Its whole head, up to the blank line. */
void record_head(seen *request, const char *head);
void record_body(seen *request, size_t size);

/* Bytes of its body that have come, and that were announced. */
long record_got(const seen *request);
long record_announced(const seen *request);

/* As text: "connections N h2 N", then a line for each request: number of its
** connection, its number there, whether its head was whole, whether it held a
** key, bytes announced, bytes come, its first line. Returns the size. */
size_t record_describe(char *text, size_t size);

#endif
