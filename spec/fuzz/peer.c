#define _GNU_SOURCE

#include "peer.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CONNECTIONS = 16, SOCKETS = 64, HEAD = 4096 };

typedef struct connection {
  int file;
  size_t given;
  bool asked; /* the head of a request is in */
  char head[HEAD];
  size_t head_size;
} connection;

static struct {
  peer_answer answer;
  peer_record record;
  connection connections[CONNECTIONS];
  int ours[SOCKETS], theirs[SOCKETS]; /* not connected yet */
  int sockets;
} peer;

static void end(connection *c) {
  if (c->file > 0) {
    close(c->file);
  }
  c->file = 0;
}

void peer_start(peer_answer answer) {
  for (int i = 0; i < CONNECTIONS; i++) {
    end(&peer.connections[i]);
  }
  while (peer.sockets > 0) {
    close(peer.ours[--peer.sockets]);
  }
  memset(&peer, 0, sizeof peer);
  peer.answer = answer;
}

peer_record peer_look(void) {
  return peer.record;
}

/* --- in the place of libc's -------------------------------------------- */

/* One end of a pair from the start: a socket stays what it was opened for. */
int socket(int family, int kind, int protocol) {
  int pair[2];
  if (family == AF_UNIX || (kind & SOCK_DGRAM)) {
    return (int)syscall(SYS_socket, family, kind, protocol);
  } else if (peer.sockets == SOCKETS ||
             socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                        pair) != 0) {
    errno = EMFILE;
    return -1;
  }
  peer.theirs[peer.sockets] = pair[0];
  peer.ours[peer.sockets++] = pair[1];
  return pair[0];
}

int connect(int file, __CONST_SOCKADDR_ARG address, socklen_t size) {
  int i = peer.sockets - 1;
  (void)address, (void)size;
  while (i >= 0 && peer.theirs[i] != file) {
    i--;
  }
  if (i < 0 || peer.record.connections == CONNECTIONS) {
    errno = ECONNREFUSED;
    return -1;
  }
  peer.connections[peer.record.connections++].file = peer.ours[i];
  peer.sockets--;
  peer.ours[i] = peer.ours[peer.sockets];
  peer.theirs[i] = peer.theirs[peer.sockets];
  return 0;
}

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **found) {
  (void)name, (void)service, (void)hints;
  *found = NULL;
  return EAI_NONAME;
}

/* --- a connection -------------------------------------------------------- */

static void note_request(connection *c) {
  if (!c->asked && memmem(c->head, c->head_size, "\r\n\r\n", 4)) {
    c->asked = true;
    peer.record.requests++;
    peer.record.posts += memcmp(c->head, "POST ", 5) == 0;
    peer.record.proxied += c->head[strcspn(c->head, " ") + 1] != '/';
  }
}

/* False at the end of what the client sends. */
static bool hear(connection *c) {
  char block[16384];
  ssize_t size;
  while ((size = read(c->file, block, sizeof block)) > 0) {
    size_t room = HEAD - c->head_size;
    size_t kept = (size_t)size < room ? (size_t)size : room;
    memcpy(c->head + c->head_size, block, kept);
    c->head_size += kept;
    peer.record.received += (size_t)size;
    note_request(c);
  }
  return size < 0 && errno == EAGAIN;
}

static void speak(connection *c) {
  size_t left = peer.answer.size - c->given;
  size_t piece = peer.answer.piece && peer.answer.piece < left
                     ? peer.answer.piece
                     : left;
  ssize_t sent =
      left ? send(c->file, peer.answer.bytes + c->given, piece, MSG_NOSIGNAL)
           : 0;
  if (sent > 0) {
    c->given += (size_t)sent;
  }
  if (c->given == peer.answer.size || (sent < 0 && errno != EAGAIN)) {
    end(c);
  }
}

void peer_go_on(void) {
  for (int i = 0; i < peer.record.connections; i++) {
    connection *c = &peer.connections[i];
    if (c->file <= 0) {
      continue;
    }
    bool listening = hear(c);
    if (c->asked || peer.answer.early) {
      speak(c);
    } else if (!listening) {
      end(c);
    }
  }
}
