/*
** How long a small answer takes: one keep-alive connection to each of several
** servers on loopback, asked in turn, one request at a time, so that all are
** measured in the same moments.
**
**   pinger PATH SECONDS INTERVAL PORT...
**
** sends one request each INTERVAL microseconds, and prints for each port a
** line with the median, the 99th and 99.9th percentile and the longest, in
** microseconds, and their number.
*/
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVERS 8
#define REQUESTS 500

struct server {
  int fd;
  const char *port;
  size_t count;
  double *times;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void sleep_until(double due) {
  struct timespec t;
  t.tv_sec = (time_t)(due / 1e6);
  t.tv_nsec = (long)((due - (double)t.tv_sec * 1e6) * 1e3);
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int connect_to(struct server *s) {
  struct sockaddr_in address;
  int one = 1;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(s->port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (s->fd < 0) return -1;
  setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return connect(s->fd, (struct sockaddr *)&address, sizeof address);
}

static int open_server(struct server *s, const char *port, size_t most) {
  s->port = port;
  s->count = 0;
  s->times = malloc(most * sizeof *s->times);
  return s->times == NULL ? -1 : connect_to(s);
}

/*
** The answer fits one segment, and is read as one. A server closes a connection
** after so many requests; it is replaced before.
*/
static int ask(struct server *s, const char *path) {
  char request[512], answer[4096];
  size_t length = (size_t)snprintf(
      request, sizeof request,
      "GET %s HTTP/1.1\r\nHost: localhost:%s\r\n\r\n", path, s->port);
  double start;
  if (s->count % REQUESTS == REQUESTS - 1) {
    close(s->fd);
    if (connect_to(s) != 0) return -1;
  }
  start = now();
  if (write(s->fd, request, length) != (ssize_t)length) return -1;
  if (read(s->fd, answer, sizeof answer) < 12) return -1;
  s->times[s->count++] = now() - start;
  return memcmp(answer, "HTTP/1.1 200", 12);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print(const struct server *s) {
  size_t n = s->count;
  qsort(s->times, n, sizeof *s->times, by_size);
  printf("%.1f %.1f %.1f %.1f %lu\n", s->times[n / 2],
         s->times[n * 99 / 100], s->times[n * 999 / 1000], s->times[n - 1],
         (unsigned long)n);
}

int main(int argc, char **argv) {
  struct server servers[SERVERS];
  size_t most, i, count = (size_t)argc - 4;
  double due, end, interval;
  if (argc < 5 || count > SERVERS) {
    fprintf(stderr, "usage: %s PATH SECONDS INTERVAL PORT...\n", argv[0]);
    return 2;
  }
  interval = atof(argv[3]);
  most = (size_t)(atof(argv[2]) * 1e6 / interval) + 1;
  for (i = 0; i < count; i++)
    if (open_server(&servers[i], argv[4 + i], most) != 0) return 1;
  due = now();
  end = due + atof(argv[2]) * 1e6;
  for (i = 0; due < end; due += interval, i = (i + 1) % count) {
    sleep_until(due);
    if (ask(&servers[i], argv[1]) != 0) return 1;
  }
  for (i = 0; i < count; i++) print(&servers[i]);
  return 0;
}
