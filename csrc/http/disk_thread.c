#include "http/disk_thread.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "system/fork.h"
#include "system/thread.h"

#include "rules/visibility.h"

enum { STACK_BYTES = 256 * 1024 };

struct sv_disk_thread {
  sv_list inbox;    /* tickets, by their items */
  int stop;         /* atomic */
  sv_semaphore *posted; /* once for each ticket, and to end */
  sv_thread thread;
  sv_disk_work *work;
  void *self;
};

/* NULL where the thread is to end. */
static sv_ticket *take(sv_disk_thread *disk, sv_link **taken) {
  sv_semaphore_wait(disk->posted, (double)INFINITY);
  sv_fork_hold();
  *taken = *taken ? *taken : sv_list_take(&disk->inbox);
  sv_link *link = *taken;
  *taken = link ? link->next : NULL;
  sv_fork_release();
  return (sv_ticket *)link;
}

static void run(void *argument) {
  sv_disk_thread *disk = argument;
  sv_link *taken = NULL;
  sv_ticket *ticket;
  while ((ticket = take(disk, &taken))) {
    disk->work(ticket, disk->self, &disk->stop);
  }
}

sv_disk_thread *sv_disk_thread_new(sv_disk_work *work, void *self) {
  sv_disk_thread *disk = calloc(1, sizeof *disk);
  int problem = ENOMEM;
  if (disk && (disk->posted = sv_semaphore_new())) {
    disk->work = work;
    disk->self = self;
    problem = sv_thread_start(&disk->thread, STACK_BYTES, run, disk);
  }
  if (problem && disk) {
    sv_semaphore_free(disk->posted);
    free(disk);
  }
  errno = problem;
  return problem ? NULL : disk;
}

void sv_disk_thread_post(sv_disk_thread *disk, sv_ticket *ticket) {
  sv_list_push(&disk->inbox, &ticket->item.link);
  sv_semaphore_post(disk->posted);
}

void sv_disk_thread_close(sv_disk_thread *disk) {
  __atomic_store_n(&disk->stop, 1, __ATOMIC_RELAXED);
  sv_semaphore_post(disk->posted);
  sv_thread_join(disk->thread);
  sv_semaphore_free(disk->posted);
  free(disk);
}
