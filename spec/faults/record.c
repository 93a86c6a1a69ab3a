#define _GNU_SOURCE /* strcasestr */

#include "peer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REQUESTS = 4096, LINE_KEPT = 160, ROW_SIZE = LINE_KEPT + 120 };

struct seen {
  int connection, number;
  bool whole_head, has_key;
  long announced, body;
  char line[LINE_KEPT];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  int connections, h2, count;
  seen requests[MOST_REQUESTS];
} record;

void record_forget(void) {
  pthread_mutex_lock(&lock);
  memset(&record, 0, sizeof record);
  pthread_mutex_unlock(&lock);
}

int record_connection(void) {
  pthread_mutex_lock(&lock);
  int number = ++record.connections;
  pthread_mutex_unlock(&lock);
  return number;
}

void record_h2(void) {
  pthread_mutex_lock(&lock);
  record.h2++;
  pthread_mutex_unlock(&lock);
}

seen *record_request(int connection, int number) {
  pthread_mutex_lock(&lock);
  if (record.count == MOST_REQUESTS) {
    abort();
  }
  seen *request = &record.requests[record.count++];
  request->connection = connection;
  request->number = number;
  pthread_mutex_unlock(&lock);
  return request;
}

void record_byte(seen *request, size_t place, char byte) {
  if (place < LINE_KEPT - 1) {
    pthread_mutex_lock(&lock);
    request->line[place] = byte;
    pthread_mutex_unlock(&lock);
  }
}

void record_line(seen *request, const char *line) {
  size_t size = strlen(line);
  for (size_t place = 0; place < size; place++) {
    record_byte(request, place, line[place]);
  }
}

void record_head(seen *request, const char *head) {
  const char *length = strcasestr(head, "\r\nContent-Length:");
  pthread_mutex_lock(&lock);
  request->whole_head = true;
  request->has_key = strcasestr(head, "\r\nAuthorization:") != NULL;
  request->announced = length ? strtol(length + 17, NULL, 10) : 0;
  pthread_mutex_unlock(&lock);
}

void record_body(seen *request, size_t size) {
  pthread_mutex_lock(&lock);
  request->body += (long)size;
  pthread_mutex_unlock(&lock);
}

long record_got(const seen *request) {
  pthread_mutex_lock(&lock);
  long got = request->body;
  pthread_mutex_unlock(&lock);
  return got;
}

long record_announced(const seen *request) {
  pthread_mutex_lock(&lock);
  long announced = request->announced;
  pthread_mutex_unlock(&lock);
  return announced;
}

size_t record_describe(char *text, size_t size) {
  pthread_mutex_lock(&lock);
  size_t used = (size_t)snprintf(text, size, "connections %d h2 %d\n",
                                 record.connections, record.h2);
  for (int i = 0; i < record.count && used + ROW_SIZE < size; i++) {
    const seen *r = &record.requests[i];
    used += (size_t)snprintf(
        text + used, size - used, "%d %d %d %d %ld %ld %.*s\n", r->connection,
        r->number, r->whole_head, r->has_key, r->announced, r->body,
        (int)strcspn(r->line, "\r\n"), r->line);
  }
  pthread_mutex_unlock(&lock);
  return used;
}
