/*
** A process that exits in the midst of things, and whose handler of the host's
** then closes what is left. Built so that ThreadSanitizer sees every access.
**
**   exit url file
**
** What comes after a lock or an fsync on a thread of ours takes its time, so
** that the exit overtakes it.
*/
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "thread/actor.h"
#include "http/network.h"

enum { MOMENT = 1000, LONG = 50 * MOMENT }; /* microseconds */

static pthread_t host;
static sv_actor *actor;
static sv_message *message;
static sv_network *network;
static sv_ticket *ticket;

static int delayed(int result) {
  if (!pthread_equal(pthread_self(), host)) {
    usleep(LONG);
  }
  return result;
}

int __real_pthread_rwlock_unlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock);
int __real_fsync(int file);
int __wrap_fsync(int file);

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock) {
  return delayed(__real_pthread_rwlock_unlock(lock));
}

int __wrap_fsync(int file) {
  return delayed(__real_fsync(file));
}

/* --- an actor that echoes -------------------------------------------------- */

static void *begin(const sv_buffer *setup) {
  return (void *)setup;
}

static void answer(void *self, const sv_buffer *question, sv_buffer *to) {
  (void)self;
  sv_buffer_add(to, question->data, question->size);
}

static void undo(void *self) {
  (void)self;
}

static double rest(void *self) {
  (void)self;
  return -1;
}

static const sv_handler echo = {begin, answer, undo, rest, undo};

static void post(void) {
  sv_buffer question = {0};
  sv_buffer_add(&question, "word", 4);
  message = sv_actor_post(actor, &question, false);
}

/* --- the exit -------------------------------------------------------------- */

static void close_late(void) {
  sv_item_done(&message->item);
  sv_actor_close(actor, 0);
  sv_message_release(message);
  sv_item_done(&ticket->item);
  sv_network_close(network);
  sv_item_release(&ticket->item);
  usleep(3 * LONG);
}

/* Until all has come, and only the disk is left. */
static void download(const char *url, const char *path) {
  sv_outcome failure;
  const sv_request request = {.method = "GET", .url = url, .max_body = 1000,
                              .sink_path = path, .sink_sync = true};
  ticket = sv_network_submit(network, &request, &failure);
  while (sv_ticket_progress(ticket).received < 2) {
    usleep(MOMENT);
  }
}

int main(int count, char **arguments) {
  const sv_buffer setup = {0};
  if (count != 3) {
    return 2;
  }
  host = pthread_self();
  atexit(close_late);
  network = sv_network_new(NULL, 4, false);
  actor = sv_actor_new(&echo, &setup, 1, NULL);
  post();
  while (!sv_item_done(&message->item)) {
    usleep(MOMENT);
  }
  sv_message_release(message);
  download(arguments[1], arguments[2]);
  post();
  usleep(LONG / 2);
  return 0;
}
