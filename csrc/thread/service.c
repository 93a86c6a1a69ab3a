#include "thread/service.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "system/clock.h"
#include "system/fork.h"
#include "system/thread.h"

#include "rules/visibility.h"

/* Who clears SLEEPS posts the semaphore, who clears WAITS calls `wake`. */
enum { IS_AWAKE, SLEEPS, WAITS };

struct sv_service {
  _Atomic int owners; /* the owner, the thread, and who looks at it */
  const sv_duty *duty;
  void *self;
  sv_outbox *outbox;
  sv_list inbox;   /* items, by `link` */
  sv_list cancels; /* the same, by `cancel` */
  _Atomic int stop;
  _Atomic int asleep;
  _Atomic long long begun;
  sv_semaphore *posted; /* to wake the thread */
  sv_semaphore *over;   /* by the thread, at its end */
  sv_thread thread;
};

static __thread sv_service *own;

void sv_service_share(sv_service *service) {
  atomic_fetch_add(&service->owners, 1);
}

void sv_service_drop(sv_service *service) {
  if (atomic_fetch_sub(&service->owners, 1) == 1) {
    sv_semaphore_free(service->posted);
    sv_semaphore_free(service->over);
    sv_outbox_drop(service->outbox);
    free(service);
  }
}

/* --- on the thread --------------------------------------------------------- */

static void set_begun(sv_service *service, double now) {
  service->begun = (long long)(now * 1e6);
}

/* sv_fork_hold does not return once the process exits. */
static void begin(sv_service *service) {
  sv_fork_hold();
  set_begun(service, sv_now());
  if (!service->duty->holds) {
    sv_fork_release();
  }
}

static void end(sv_service *service) {
  if (!service->duty->holds) {
    sv_fork_hold();
  }
  set_begun(service, 0);
}

static void take(sv_service *service, sv_item *item) {
  begin(service);
  bool has_ended = service->duty->take(service->self, item, &service->stop);
  end(service);
  if (has_ended) {
    sv_outbox_end(service->outbox, item);
  }
  sv_fork_release();
}

static void cancel(sv_service *service, sv_item *item) {
  begin(service);
  service->duty->cancel(service->self, item);
  sv_item_drop(item);
  end(service);
  sv_fork_release();
}

/* The cancels are looked at first: each of their items was put into the inbox
** before, so that none is cancelled that has not been taken. */
static void work(sv_service *service) {
  sv_link *cancels = sv_list_take(&service->cancels);
  sv_link *items = sv_list_take(&service->inbox), *link;
  while ((link = items)) {
    items = link->next;
    take(service, (sv_item *)link);
  }
  while ((link = cancels)) {
    cancels = link->next;
    cancel(service, (sv_item *)((char *)link - offsetof(sv_item, cancel)));
  }
}

static double rest(sv_service *service) {
  if (!service->duty->rest) {
    return -1;
  }
  begin(service);
  double seconds = service->duty->rest(service->self);
  end(service);
  sv_fork_release();
  return seconds;
}

/* First sets the flag, then looks into the lists; who posts does it in the
** other order, so that one of the two sees the other. */
static void sleep_for(sv_service *service, double seconds) {
  bool waits = seconds > 0 && service->duty->wait;
  if (seconds == 0) {
    return;
  }
  atomic_store(&service->asleep, waits ? WAITS : SLEEPS);
  bool has_work = service->stop || !sv_list_is_empty(&service->inbox) ||
                  !sv_list_is_empty(&service->cancels);
  if (!has_work && waits) {
    service->duty->wait(service->self, seconds);
  } else if (!has_work) {
    sv_semaphore_wait(service->posted,
                      seconds < 0 ? (double)INFINITY : seconds);
  }
  atomic_store(&service->asleep, IS_AWAKE);
}

static void run(void *argument) {
  sv_service *service = argument;
  own = service;
  for (;;) {
    /* Looked at first: what was posted before it is done. */
    bool is_last = service->stop;
    work(service);
    if (is_last) {
      break;
    }
    sleep_for(service, rest(service));
  }
  if (service->duty->end) {
    begin(service);
    service->duty->end(service->self);
    end(service);
    sv_fork_release();
  }
  sv_semaphore_post(service->over);
  sv_service_drop(service);
}

void sv_service_heartbeat(double seconds) {
  if (own && sv_service_begun(own)) {
    set_begun(own, sv_now() + seconds);
  }
}

/* --- on the owner's -------------------------------------------------------- */

int sv_service_start(sv_service **started, const sv_duty *duty, void *self,
                     sv_outbox *outbox) {
  sv_service *service = calloc(1, sizeof *service);
  int problem = ENOMEM;
  if (!service) {
    return problem;
  }
  service->duty = duty;
  service->self = self;
  service->outbox = outbox;
  sv_outbox_share(outbox);
  service->owners = 2;
  service->posted = sv_semaphore_new();
  service->over = sv_semaphore_new();
  if (service->posted && service->over) {
    problem = sv_thread_start(&service->thread, duty->stack_bytes, run,
                              service);
  }
  if (problem) {
    service->owners = 1;
    sv_service_drop(service);
    return problem;
  }
  *started = service;
  return 0;
}

/* A system call only where the thread sleeps. */
static void wake(sv_service *service) {
  int asleep = atomic_exchange(&service->asleep, IS_AWAKE);
  if (asleep == WAITS) {
    service->duty->wake(service->self);
  } else if (asleep == SLEEPS) {
    sv_semaphore_post(service->posted);
  }
}

void sv_service_post(sv_service *service, sv_item *item) {
  sv_list_push(&service->inbox, &item->link);
  wake(service);
}

void sv_service_cancel(sv_service *service, sv_item *item) {
  atomic_fetch_add(&item->owners, 1);
  sv_list_push(&service->cancels, &item->cancel);
  wake(service);
}

void sv_service_stop(sv_service *service, double seconds) {
  double left = seconds - sv_service_busy(service);
  service->stop = 1;
  wake(service);
  if (sv_semaphore_wait(service->over, left)) {
    sv_thread_join(service->thread);
  } else {
    sv_thread_detach(service->thread);
  }
  sv_service_drop(service);
}

long long sv_service_begun(const sv_service *service) {
  return service->begun;
}

double sv_service_busy(const sv_service *service) {
  long long begun = sv_service_begun(service);
  double seconds = begun ? sv_now() - (double)begun / 1e6 : 0;
  return seconds > 0 ? seconds : 0;
}
