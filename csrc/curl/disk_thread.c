#include "curl/disk_thread.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "platform/atfork.h"
#include "curl/worker.h"
#include "platform/semaphore.h"
#include "platform/thread.h"

enum { STACK_BYTES = 256 * 1024 };

struct sv_disk_thread {
  sv_ticket *inbox; /* atomic; the last first */
  int stop;         /* atomic */
  sv_semaphore *posted; /* once for each ticket, and for the end */
  sv_thread thread;
  sv_work *work;
  void *self;
};

/* NULL at the end. */
static sv_ticket *take(sv_disk_thread *worker, sv_ticket **taken) {
  sv_semaphore_wait(worker->posted, (double)INFINITY);
  sv_atfork_hold();
  *taken = *taken ? *taken : sv_list_take(&worker->inbox);
  sv_ticket *ticket = *taken;
  *taken = ticket ? ticket->next : NULL;
  sv_atfork_let();
  return ticket;
}

static void run(void *argument) {
  sv_disk_thread *worker = argument;
  sv_ticket *taken = NULL, *ticket;
  while ((ticket = take(worker, &taken))) {
    worker->work(ticket, worker->self, &worker->stop);
  }
}

sv_disk_thread *sv_disk_thread_new(sv_work *work, void *self) {
  sv_disk_thread *worker = calloc(1, sizeof *worker);
  int problem = ENOMEM;
  if (worker && (worker->posted = sv_semaphore_new())) {
    worker->work = work;
    worker->self = self;
    problem = sv_thread_start(&worker->thread, STACK_BYTES, run, worker);
  }
  if (problem && worker) {
    sv_semaphore_free(worker->posted);
    free(worker);
  }
  errno = problem;
  return problem ? NULL : worker;
}

void sv_disk_thread_post(sv_disk_thread *worker, sv_ticket *ticket) {
  sv_list_push(&worker->inbox, &ticket->next, ticket);
  sv_semaphore_post(worker->posted);
}

void sv_disk_thread_close(sv_disk_thread *worker) {
  __atomic_store_n(&worker->stop, 1, __ATOMIC_RELAXED);
  sv_semaphore_post(worker->posted);
  sv_thread_join(worker->thread);
  sv_semaphore_free(worker->posted);
  free(worker);
}
