#include "curl/disk_thread.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "platform/atfork.h"
#include "curl/worker.h"
#include "platform/thread.h"

enum { STACK_BYTES = 256 * 1024 };

struct sv_disk_thread {
  sv_ticket *inbox; /* atomic; the last first */
  int stop;         /* atomic */
  sem_t posted;     /* once for each ticket, and for the end */
  pthread_t thread;
  sv_work *work;
  void *self;
};

/* NULL at the end. */
static sv_ticket *take(sv_disk_thread *worker, sv_ticket **taken) {
  while (sem_wait(&worker->posted) != 0) {
  }
  sv_atfork_hold();
  *taken = *taken ? *taken : sv_list_take(&worker->inbox);
  sv_ticket *ticket = *taken;
  *taken = ticket ? ticket->next : NULL;
  sv_atfork_let();
  return ticket;
}

static void *run(void *argument) {
  sv_disk_thread *worker = argument;
  sv_ticket *taken = NULL, *ticket;
  while ((ticket = take(worker, &taken))) {
    worker->work(ticket, worker->self, &worker->stop);
  }
  return NULL;
}

sv_disk_thread *sv_disk_thread_new(sv_work *work, void *self) {
  sv_disk_thread *worker = calloc(1, sizeof *worker);
  if (!worker) {
    errno = ENOMEM;
    return NULL;
  }
  worker->work = work;
  worker->self = self;
  sem_init(&worker->posted, 0, 0);
  int problem = sv_thread_start(&worker->thread, STACK_BYTES, run, worker);
  if (problem) {
    sem_destroy(&worker->posted);
    free(worker);
    errno = problem;
    return NULL;
  }
  return worker;
}

void sv_disk_thread_post(sv_disk_thread *worker, sv_ticket *ticket) {
  sv_list_push(&worker->inbox, &ticket->next, ticket);
  sem_post(&worker->posted);
}

void sv_disk_thread_close(sv_disk_thread *worker) {
  __atomic_store_n(&worker->stop, 1, __ATOMIC_RELAXED);
  sem_post(&worker->posted);
  pthread_join(worker->thread, NULL);
  sem_destroy(&worker->posted);
  free(worker);
}
