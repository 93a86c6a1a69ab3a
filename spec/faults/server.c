/*
** A server that misbehaves as it is told, for the specs; started by server.lua.
**
**   server DIRECTORY    where certificates lie: NAME.pem and NAME.key
**
** Prints two free ports of 127.0.0.1, the first for the program under test,
** the second for the spec. The spec posts a plan there, which forgets what was
** before, and gets the record of what arrived once all connections have ended.
** A plan is a text of steps, each "verb number size\n", `size` bytes, "\n".
** The step "next" begins the script of the next connection; the last script is
** that of all further connections. A thread for each connection walks its
** script until a step closes it or the other side has. Ends when stdin ends.
*/
#define _GNU_SOURCE /* accept4, strcasestr */

#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
  SETTLE_SECONDS = 5, /* for all connections to end before the record */
  RECEIVE_BUFFER = 64 * 1024, /* an order larger than that has to wait */
  RECORD_SIZE = 512 * 1024,
};

static const char *directory;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static peer *live;
static char *plan;
static size_t plan_size;

static void *need(void *memory) {
  if (!memory) {
    abort();
  }
  return memory;
}

/* --- the plan ------------------------------------------------------------- */

static bool read_step(char **cursor, char *end, step *s) {
  int used = 0;
  if (*cursor >= end || sscanf(*cursor, "%11s %ld %zu%n", s->verb, &s->number,
                               &s->size, &used) != 3) {
    return false;
  }
  s->text = *cursor + used + 1;
  *cursor += (size_t)used + s->size + 2;
  return *cursor <= end;
}

/* Copies the script of connection `number`, or the last one. */
static void take_script(peer *p, int number) {
  char *cursor = plan, *begin = plan, *end = plan;
  step s;
  while (read_step(&cursor, plan + plan_size, &s)) {
    if (strcmp(s.verb, "next") != 0) {
      end = cursor;
    } else if (--number == 0) {
      break;
    } else {
      begin = end = cursor;
    }
  }
  size_t size = (size_t)(end - begin);
  p->script = need(malloc(size + 1));
  memcpy(p->script, begin, size);
  p->script[size] = '\0';
  p->script_end = p->script + size;
}

/* --- connections ---------------------------------------------------------- */

static void let_go(peer *p) {
  SSL_free(p->ssl);
  SSL_CTX_free(p->tls);
  pthread_mutex_lock(&lock);
  for (peer **at = &live; *at; at = &(*at)->next) {
    if (*at == p) {
      *at = p->next;
      break;
    }
  }
  close(p->fd);
  pthread_cond_broadcast(&ended);
  pthread_mutex_unlock(&lock);
  free(p->script);
  free(p);
}

static void *serve(void *self) {
  peer *p = self;
  char *cursor = p->script;
  step s;
  bool open = true;
  while (open && read_step(&cursor, p->script_end, &s)) {
    open = peer_act(p, &s);
  }
  if (open) {
    peer_leave(p);
  }
  let_go(p);
  return NULL;
}

static void set_patience(int fd) {
  struct timeval limit = {STUCK_MS / 1000, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static void start_peer(int fd) {
  pthread_t thread;
  peer *p = need(calloc(1, sizeof *p));
  set_patience(fd);
  p->fd = fd;
  p->certificates = directory;
  p->number = record_connection();
  pthread_mutex_lock(&lock);
  take_script(p, p->number);
  p->next = live;
  live = p;
  pthread_mutex_unlock(&lock);
  if (pthread_create(&thread, NULL, serve, p) != 0) {
    abort();
  }
  pthread_detach(thread);
}

static void welcome(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
    start_peer(fd);
  }
}

/* With the lock held. */
static void await_end(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += SETTLE_SECONDS;
  while (live && pthread_cond_timedwait(&ended, &lock, &until) == 0) {
  }
}

/* --- the spec's door ------------------------------------------------------ */

static void replace_plan(char *text, size_t size) {
  pthread_mutex_lock(&lock);
  for (peer *p = live; p; p = p->next) {
    shutdown(p->fd, SHUT_RDWR);
  }
  await_end();
  free(plan);
  plan = text;
  plan_size = size;
  record_forget();
  pthread_mutex_unlock(&lock);
}

static void reply(int fd, const char *text, size_t size) {
  dprintf(fd,
          "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
          size);
  while (size > 0) {
    ssize_t put = write(fd, text, size);
    if (put <= 0) {
      return;
    }
    text += put;
    size -= (size_t)put;
  }
}

/* Reads up to the end of the head; where the body begins, or NULL. */
static char *read_head(int fd, char *head, size_t room, size_t *used) {
  ssize_t got;
  *used = 0;
  while ((got = recv(fd, head + *used, room - 1 - *used, 0)) > 0) {
    *used += (size_t)got;
    head[*used] = '\0';
    char *end = strstr(head, "\r\n\r\n");
    if (end) {
      return end + 4;
    }
  }
  return NULL;
}

/* The body of a plan, or NULL where the record is asked for. */
static char *read_order(int fd, size_t *size) {
  char head[4096];
  size_t used;
  char *body = read_head(fd, head, sizeof head, &used);
  const char *length = body ? strcasestr(head, "\r\nContent-Length:") : NULL;
  if (!length) {
    return NULL;
  }
  *size = strtoul(length + 17, NULL, 10);
  size_t there = used - (size_t)(body - head);
  char *text = need(malloc(*size + 1));
  memcpy(text, body, there);
  ssize_t got;
  while (there < *size &&
         (got = recv(fd, text + there, *size - there, 0)) > 0) {
    there += (size_t)got;
  }
  text[there] = '\0';
  return text;
}

static void attend(int door, int listener) {
  static char record[RECORD_SIZE];
  size_t size = 0;
  int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) {
    return;
  }
  set_patience(fd);
  char *text = read_order(fd, &size);
  welcome(listener);
  if (text) {
    replace_plan(text, size);
    reply(fd, "", 0);
  } else {
    pthread_mutex_lock(&lock);
    await_end();
    pthread_mutex_unlock(&lock);
    reply(fd, record, record_describe(record, sizeof record));
  }
  close(fd);
}

static bool bind_to_loopback(int fd) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
      listen(fd, 64) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
    return false;
  }
  printf("%d\n", ntohs(address.sin_port));
  return true;
}

static int listen_somewhere(int flags) {
  int buffer = RECEIVE_BUFFER;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (fd < 0 || !bind_to_loopback(fd)) {
    perror("listen");
    exit(1);
  }
  return fd;
}

int main(int count, char **words) {
  directory = count > 1 ? words[1] : ".";
  signal(SIGPIPE, SIG_IGN);
  int listener = listen_somewhere(SOCK_NONBLOCK);
  int door = listen_somewhere(0);
  fflush(stdout);
  plan = need(strdup("hang 0 0\n\n"));
  plan_size = strlen(plan);
  struct pollfd watch[] = {
      {listener, POLLIN, 0}, {door, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while ((poll(watch, 3, -1) >= 0 || errno == EINTR) && !watch[2].revents) {
    welcome(listener);
    if (watch[1].revents) {
      attend(door, listener);
    }
  }
  return 0;
}
