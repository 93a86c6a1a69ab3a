/*
** What a script can do with a connection: one function for each verb of a
** step, and the table of them at the end.
*/
#define _GNU_SOURCE /* POLLRDHUP */

#include "peer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
  GOODBYE_MS = 2000, /* for the other side to close after us */
  OFFERS_H2 = 1,     /* flags of the verb tls */
  WANTS_CERTIFICATE = 2,
};

/* --- bytes ---------------------------------------------------------------- */

static bool fill(peer *p) {
  if (p->begin < p->end) {
    return true;
  }
  ssize_t got = p->ssl ? SSL_read(p->ssl, p->in, sizeof p->in)
                       : recv(p->fd, p->in, sizeof p->in, 0);
  p->begin = 0;
  p->end = got > 0 ? (size_t)got : 0;
  return got > 0;
}

static bool take(peer *p, unsigned char *byte) {
  if (!fill(p)) {
    return false;
  }
  *byte = p->in[p->begin++];
  return true;
}

/* A byte of a request. */
static bool take_request_byte(peer *p) {
  unsigned char byte;
  if (!take(p, &byte)) {
    return false;
  }
  if (!p->request) {
    p->request = record_request(p->number, ++p->requests);
    p->head_size = 0;
  }
  record_byte(p->request, p->head_size, (char)byte);
  if (p->head_size < HEAD_KEPT - 1) {
    p->head[p->head_size++] = (char)byte;
    p->head[p->head_size] = '\0';
  }
  return true;
}

static bool send_all(peer *p, SSL *ssl, const char *text, size_t size) {
  while (size > 0) {
    ssize_t put = ssl ? SSL_write(ssl, text, (int)size)
                      : send(p->fd, text, size, MSG_NOSIGNAL);
    if (put <= 0) {
      return false;
    }
    text += put;
    size -= (size_t)put;
  }
  return true;
}

/* False where the other side has closed meanwhile. */
static bool pause_for(peer *p, long ms) {
  struct pollfd watch = {p->fd, POLLRDHUP, 0};
  return poll(&watch, 1, (int)ms) == 0;
}

/* --- TLS ------------------------------------------------------------------ */

static int choose_protocol(SSL *ssl, const unsigned char **out,
                           unsigned char *size, const unsigned char *offered,
                           unsigned offered_size, void *offers_h2) {
  static const unsigned char both[] = "\2h2\10http/1.1";
  unsigned left_out = offers_h2 ? 0 : 3;
  (void)ssl;
  return SSL_select_next_proto((unsigned char **)out, size, both + left_out,
                               (unsigned)(sizeof both - 1) - left_out, offered,
                               offered_size) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_NOACK;
}

static void set_certificate(peer *p, const step *s) {
  char path[512];
  snprintf(path, sizeof path, "%s/%.*s.pem", p->certificates, (int)s->size,
           s->text);
  bool loaded = SSL_CTX_use_certificate_chain_file(p->tls, path) == 1;
  snprintf(path, sizeof path, "%s/%.*s.key", p->certificates, (int)s->size,
           s->text);
  if (!loaded ||
      SSL_CTX_use_PrivateKey_file(p->tls, path, SSL_FILETYPE_PEM) != 1) {
    fprintf(stderr, "no certificate is called %.*s\n", (int)s->size, s->text);
    abort();
  }
}

/* A handshake with the certificate of that name. */
static bool do_tls(peer *p, const step *s) {
  const unsigned char *protocol;
  unsigned size;
  p->tls = SSL_CTX_new(TLS_server_method());
  set_certificate(p, s);
  SSL_CTX_set_alpn_select_cb(p->tls, choose_protocol,
                             s->number & OFFERS_H2 ? p : NULL);
  if (s->number & WANTS_CERTIFICATE) {
    SSL_CTX_set_verify(p->tls,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
  p->ssl = SSL_new(p->tls);
  SSL_set_fd(p->ssl, p->fd);
  if (SSL_accept(p->ssl) != 1) {
    return false;
  }
  SSL_get0_alpn_selected(p->ssl, &protocol, &size);
  if (size == 2) {
    record_h2();
  }
  return true;
}

/* --- reading -------------------------------------------------------------- */

/* Waits for something to read, and leaves it there. */
static bool do_wait(peer *p, const step *s) {
  struct pollfd watch = {p->fd, POLLIN, 0};
  (void)s;
  return poll(&watch, 1, STUCK_MS) == 1;
}

/* Notes a request that is there, and leaves it unread. */
static bool do_peek(peer *p, const step *s) {
  char line[64];
  ssize_t got = p->ssl ? SSL_peek(p->ssl, line, sizeof line - 1)
                       : recv(p->fd, line, sizeof line - 1, MSG_PEEK);
  (void)s;
  if (got <= 0) {
    return false;
  }
  line[got] = '\0';
  record_line(record_request(p->number, ++p->requests), line);
  return true;
}

/* So many bytes that are no request. */
static bool do_skip(peer *p, const step *s) {
  unsigned char byte;
  for (long i = 0; i < s->number; i++) {
    if (!take(p, &byte)) {
      return false;
    }
  }
  return true;
}

/* So many bytes of a request. */
static bool do_bytes(peer *p, const step *s) {
  for (long i = 0; i < s->number; i++) {
    if (!take_request_byte(p)) {
      return false;
    }
  }
  return true;
}

static bool head_is_whole(const peer *p) {
  return p->head_size >= 4 &&
         memcmp(p->head + p->head_size - 4, "\r\n\r\n", 4) == 0;
}

static bool do_head(peer *p, const step *s) {
  (void)s;
  do {
    if (!take_request_byte(p)) {
      return false;
    }
  } while (!head_is_whole(p));
  record_head(p->request, p->head);
  return true;
}

/* So many bytes of the body; 0: all the rest, and the request is over. */
static bool do_body(peer *p, const step *s) {
  long announced = record_announced(p->request);
  long until = s->number ? s->number : announced;
  long got;
  while ((got = record_got(p->request)) < until) {
    if (!fill(p)) {
      return false;
    }
    size_t there = p->end - p->begin, wanted = (size_t)(until - got);
    size_t taken = there < wanted ? there : wanted;
    p->begin += taken;
    record_body(p->request, taken);
  }
  if (got >= announced) {
    p->request = NULL;
  }
  return true;
}

/* --- HTTP/2 --------------------------------------------------------------- */

enum { HEADERS = 1, PADDED = 8, PRIORITY = 0x20 }; /* RFC 9113, 6.2 */

typedef struct frame {
  unsigned char type, flags;
  unsigned char first[8]; /* of its payload */
} frame;

static bool read_frame(peer *p, frame *f) {
  unsigned char head[9], byte;
  for (size_t i = 0; i < sizeof head; i++) {
    if (!take(p, &head[i])) {
      return false;
    }
  }
  memset(f, 0, sizeof *f);
  f->type = head[3];
  f->flags = head[4];
  size_t size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
  for (size_t i = 0; i < size; i++) {
    if (!take(p, &byte)) {
      return false;
    }
    if (i < sizeof f->first) {
      f->first[i] = byte;
    }
  }
  return true;
}

/* The method stands first, as a number of the static table (RFC 7541, A). */
static const char *method_of(const frame *f) {
  int skipped = (f->flags & PADDED ? 1 : 0) + (f->flags & PRIORITY ? 5 : 0);
  unsigned char method = f->first[skipped];
  return method == 0x82   ? "GET HTTP/2"
         : method == 0x83 ? "POST HTTP/2"
                          : "? HTTP/2";
}

/* Frames up to one with the head of a request. */
static bool do_frames(peer *p, const step *s) {
  frame f;
  (void)s;
  do {
    if (!read_frame(p, &f)) {
      return false;
    }
  } while (f.type != HEADERS);
  seen *request = record_request(p->number, ++p->requests);
  record_line(request, method_of(&f));
  record_head(request, "");
  return true;
}

/* --- writing -------------------------------------------------------------- */

static bool do_send(peer *p, const step *s) {
  return send_all(p, p->ssl, s->text, s->size);
}

/* Past TLS. */
static bool do_raw(peer *p, const step *s) {
  return send_all(p, NULL, s->text, s->size);
}

/* A byte every so many ms. */
static bool do_drip(peer *p, const step *s) {
  for (size_t i = 0; i < s->size; i++) {
    if (!pause_for(p, s->number) || !send_all(p, p->ssl, s->text + i, 1)) {
      return false;
    }
  }
  return true;
}

/* Time for what was sent to be read. */
static bool do_pause(peer *p, const step *s) {
  return pause_for(p, s->number);
}

/* The same again and again, so many ms apart. */
static bool do_flood(peer *p, const step *s) {
  do {
    if (!send_all(p, p->ssl, s->text, s->size)) {
      return false;
    }
  } while (s->number == 0 || pause_for(p, s->number));
  return false;
}

/* --- the end -------------------------------------------------------------- */

/* Says nothing until the other side goes. */
static bool do_hang(peer *p, const step *s) {
  (void)s;
  pause_for(p, STUCK_MS);
  return false;
}

/* Will say no more, but listens on. */
static bool do_shut(peer *p, const step *s) {
  (void)s;
  return shutdown(p->fd, SHUT_WR) == 0;
}

/* Unread bytes would make the kernel reset the connection, and what was sent
** before could be lost. */
static bool do_cut(peer *p, const step *s) {
  struct pollfd watch = {p->fd, POLLIN, 0};
  (void)s;
  shutdown(p->fd, SHUT_WR);
  while (poll(&watch, 1, GOODBYE_MS) == 1 &&
         recv(p->fd, p->in, sizeof p->in, 0) > 0) {
  }
  return false;
}

/* As do_cut, but with TLS's own goodbye. */
static bool do_fin(peer *p, const step *s) {
  if (p->ssl && SSL_is_init_finished(p->ssl)) {
    SSL_shutdown(p->ssl);
  }
  return do_cut(p, s);
}

static bool do_rst(peer *p, const step *s) {
  struct linger at_once = {1, 0};
  (void)s;
  setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  return false;
}

void peer_leave(peer *p) {
  do_fin(p, NULL);
}

static const struct {
  const char *name;
  bool (*act)(peer *, const step *);
} verbs[] = {
    {"tls", do_tls},     {"wait", do_wait},   {"peek", do_peek},
    {"skip", do_skip},   {"bytes", do_bytes}, {"head", do_head},
    {"body", do_body},   {"frames", do_frames}, {"send", do_send},
    {"raw", do_raw},     {"drip", do_drip},   {"flood", do_flood},
    {"pause", do_pause}, {"hang", do_hang},   {"shut", do_shut},
    {"fin", do_fin},     {"cut", do_cut},     {"rst", do_rst},
};

bool peer_act(peer *p, const step *s) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    if (strcmp(verbs[i].name, s->verb) == 0) {
      return verbs[i].act(p, s);
    }
  }
  fprintf(stderr, "no step is called %s\n", s->verb);
  abort();
}
