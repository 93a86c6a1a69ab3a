#define _GNU_SOURCE /* strdup */

#include "http/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "http/connection.h"
#include "http/libcurl.h"
#include "http/sent_check.h"
#include "system/clock.h"
#include "system/process.h"
#include "system/signals.h"
#include "system/wakeup.h"

#include "rules/visibility.h"

/* Of what the engine waits for the host may have closed the descriptors, so
** that nothing would wake it. */
enum { LONGEST_POLL_MS = 1000 };

static const double GRACE_SECONDS = 0.005;

typedef struct list {
  sv_transfer *first, *last;
  int count;
} list;

struct sv_engine {
  bool closed;
  bool ended;    /* transfers did since the last step */
  long process;   /* that made the multi handle */
  CURLM *multi;  /* NULL until the first request */
  sv_wakeup *alarm; /* the same; ends its wait, and shows what is ours still */
  sv_pools pools;
  char *ca_file;
  int max_in_flight;
  list queue, running;
  int orders; /* running, and not counted among those in flight */
  int sinks;  /* open */
  double queue_end_by; /* no queued transfer is out of time before */
  sv_listener *listener;
  void *self;            /* the listener's */
};

/* --- lists ------------------------------------------------------------- */

static void append(list *l, sv_transfer *t) {
  t->previous = l->last;
  t->next = NULL;
  *(l->last ? &l->last->next : &l->first) = t;
  l->last = t;
  l->count++;
}

static void take_out(list *l, sv_transfer *t) {
  *(t->previous ? &t->previous->next : &l->first) = t->next;
  *(t->next ? &t->next->previous : &l->last) = t->previous;
  t->previous = t->next = NULL;
  l->count--;
}

/* --- start and end ------------------------------------------------------ */

sv_engine *sv_engine_new(const char *ca_file, int max_in_flight,
                         sv_listener *listener, void *self) {
  sv_engine *engine = calloc(1, sizeof *engine);
  if (!engine) {
    return NULL;
  }
  ca_file = ca_file ? ca_file : sv_libcurl_bundle();
  engine->listener = listener;
  engine->self = self;
  engine->max_in_flight = max_in_flight;
  engine->process = sv_process_id();
  engine->queue_end_by = INFINITY;
  engine->ca_file = ca_file ? strdup(ca_file) : NULL;
  if (ca_file && !engine->ca_file) {
    free(engine);
    return NULL;
  }
  return engine;
}

void sv_engine_free(sv_engine *engine) {
  if (engine->alarm) {
    sv_wakeup_drop(engine->alarm);
  }
  free(engine->ca_file);
  free(engine);
}

static void tell(sv_engine *engine, sv_transfer *t) {
  t->engine = NULL;
  engine->listener(t, engine->self);
}

/* What was never sent, for want of time or memory or because it was cancelled. */
static void end_unsent(sv_engine *engine, sv_transfer *t) {
  sv_transfer_abandon(t, false);
  tell(engine, t);
}

/* After a fork handles and sockets are still the parent's. They are not
** cleaned up, for that would write on its connections; and what is queued the
** parent may yet send. */
static void abandon(sv_engine *engine) {
  engine->ended = engine->ended || sv_engine_in_flight(engine) > 0;
  engine->process = sv_process_id();
  engine->multi = NULL;
  engine->alarm = NULL;
  engine->pools.first = NULL;
  engine->orders = engine->sinks = 0;
  list *lists[] = {&engine->running, &engine->queue};
  for (int i = 0; i < 2; i++) {
    sv_transfer *t;
    while ((t = lists[i]->first)) {
      take_out(lists[i], t);
      /* libcurl's handle keeps pointing at these */
      t->headers = NULL;
      sv_transfer_abandon(t, true);
      tell(engine, t);
    }
  }
}

/* A fork that calls nobody, as _Fork and clone(2) do; of others the owner of the
** engine knows. */
static void notice_fork(sv_engine *engine) {
  if (engine->process != sv_process_id()) {
    abandon(engine);
  }
}

/* The request may be on the wire: what is known of that stays. libcurl's handle
** is not touched any more. */
static void fail_lost(sv_engine *engine, sv_transfer *t) {
  take_out(&engine->running, t);
  sv_outcome_say(&t->outcome, SV_REASON_RESET, "the program closed a"
                 " descriptor of this library, and with it the connection");
  sv_sent_check_read(t, CURLE_RECV_ERROR, engine->ca_file);
  sv_transfer_finish(t);
  t->pool = NULL;
  sv_transfer_forget(t);
  tell(engine, t);
}

/* What the host has closed of ours may be its own by now: whatever goes on over
** a connection of ours ends, and libcurl gets no chance to write there or to
** close it. True where that was so. */
static bool notice_loss(sv_engine *engine) {
  if (!engine->multi || (sv_wakeup_holds(engine->alarm) &&
                         sv_pools_hold(&engine->pools))) {
    return false;
  }
  sv_libcurl_abandon(engine->multi);
  sv_pools_abandon(&engine->pools);
  engine->multi = NULL;
  engine->orders = engine->sinks = 0;
  engine->ended = engine->ended || engine->running.count > 0;
  while (engine->running.first) {
    fail_lost(engine, engine->running.first);
  }
  return true;
}

/* --- one transfer, from start to end ----------------------------------- */

/* Whether the next transfer on that connection may fail in the same way. */
static bool is_suspect(const sv_transfer *t) {
  sv_reason reason = t->outcome.reason;
  return !t->options.fresh &&
         (reason == SV_REASON_TIMEOUT || reason == SV_REASON_STALLED ||
          reason == SV_REASON_RESET || reason == SV_REASON_PROTOCOL);
}

static void leave_pool(sv_engine *engine, sv_transfer *t) {
  if (is_suspect(t)) {
    sv_pool_retire(t->pool);
  }
  sv_pool_leave(&engine->pools, t->pool);
  t->pool = NULL;
}

static void finish(sv_engine *engine, sv_transfer *t, CURLcode code) {
  CURL *easy = t->easy;
  take_out(&engine->running, t);
  engine->orders -= t->options.fresh;
  engine->sinks -= t->options.sink_path != NULL;
  sv_sent_check_read(t, code, engine->ca_file);
  sv_transfer_finish(t);
  curl_multi_remove_handle(engine->multi, easy);
  curl_easy_cleanup(easy);
  leave_pool(engine, t);
  sv_transfer_forget(t);
  tell(engine, t);
}

/* Orders have a pool of their own: in a common one polls would wait for the
** answer to an order, and share no connection after it (libcurl 7.88). */
static bool prepare(sv_engine *engine, sv_transfer *t) {
  t->pool = sv_pool_take(&engine->pools,
                         t->options.fresh ? "" : t->options.url);
  if (!t->pool || !sv_transfer_start(t)) {
    return false;
  }
  t->easy = sv_handle_new(t, engine->ca_file);
  return t->easy && curl_multi_add_handle(engine->multi, t->easy) == CURLM_OK;
}

static bool start(sv_engine *engine, sv_transfer *t) {
  if (!prepare(engine, t)) {
    curl_easy_cleanup(t->easy);
    t->easy = NULL;
    if (t->pool) {
      leave_pool(engine, t);
    }
    return false;
  }
  t->stage = SV_RUNNING;
  append(&engine->running, t);
  engine->orders += t->options.fresh;
  engine->sinks += t->options.sink_path != NULL;
  return true;
}

/* False with the outcome filled in where its time is over. */
static bool may_begin(sv_transfer *t) {
  if (sv_now() >= t->end_by) {
    sv_outcome_say(&t->outcome, SV_REASON_TIMEOUT,
                   "not begun within the time allowed");
    return false;
  }
  return true;
}

/* False where it has ended at once. */
static bool begin(sv_engine *engine, sv_transfer *t) {
  if (may_begin(t) && start(engine, t)) {
    return true;
  }
  if (t->outcome.reason == SV_REASON_NONE) {
    sv_outcome_say(&t->outcome, SV_REASON_IO,
                   engine->multi ? "out of memory"
                                 : "too many open files, or out of memory");
  }
  end_unsent(engine, t);
  return false;
}

static bool admit(sv_engine *engine) {
  bool ended = false;
  while (engine->queue.first &&
         engine->running.count - engine->orders < engine->max_in_flight) {
    sv_transfer *t = engine->queue.first;
    take_out(&engine->queue, t);
    ended = !begin(engine, t) || ended;
  }
  return ended;
}

/* The alarm stays the same, for it is rung by others. */
bool sv_engine_begin(sv_engine *engine) {
  sv_libcurl_need();
  if (!engine->alarm) {
    engine->alarm = sv_wakeup_new();
  }
  if (!engine->multi && engine->alarm && sv_wakeup_repair(engine->alarm)) {
    engine->multi = curl_multi_init();
  }
  return engine->multi != NULL;
}

void sv_engine_wake(sv_engine *engine) {
  sv_wakeup_notify(engine->alarm);
}

void sv_engine_enqueue(sv_engine *engine, sv_transfer *t) {
  if (t->options.fresh) {
    notice_fork(engine);
  }
  notice_loss(engine);
  sv_engine_begin(engine);
  t->engine = engine;
  if (t->options.fresh) {
    engine->ended = !begin(engine, t) || engine->ended;
    return;
  }
  if (t->end_by < engine->queue_end_by) {
    engine->queue_end_by = t->end_by;
  }
  append(&engine->queue, t);
  engine->ended = admit(engine) || engine->ended;
}

void sv_transfer_cancel(sv_transfer *t) {
  sv_engine *engine = t->engine;
  if (engine) {
    notice_loss(engine); /* which may end it */
  }
  if (!t->engine) {
    return;
  }
  if (t->stage == SV_QUEUED) {
    take_out(&engine->queue, t);
    end_unsent(engine, t);
  } else if (t->stage == SV_RUNNING) {
    sv_outcome_say(&t->outcome, SV_REASON_CANCELLED, "cancelled");
    finish(engine, t, CURLE_ABORTED_BY_CALLBACK);
  }
}

void sv_engine_close(sv_engine *engine) {
  if (engine->closed) {
    return;
  }
  notice_loss(engine);
  engine->closed = true;
  sv_transfer *t;
  while ((t = engine->queue.first) || (t = engine->running.first)) {
    sv_transfer_cancel(t);
  }
  curl_multi_cleanup(engine->multi);
  sv_pools_free(&engine->pools);
  engine->multi = NULL;
}

/* --- driving ----------------------------------------------------------- */

static bool collect(sv_engine *engine) {
  bool ended = false;
  int left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(engine->multi, &left))) {
    sv_transfer *t;
    if (message->msg == CURLMSG_DONE &&
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) ==
            CURLE_OK) {
      finish(engine, t, message->data.result);
      ended = true;
    }
  }
  return ended;
}

/* libcurl ignores the time limit of a transfer that waits for the connection
** of another one. In all other cases libcurl ends it first, and says more. */
static bool in_time(sv_transfer *t, double now, double *next) {
  double limit = t->sends > 0 ? INFINITY : t->connect_by;
  const char *message = "no connection within the time allowed";
  if (t->end_by <= limit) {
    limit = t->end_by;
    message = "no answer within the time allowed";
  }
  limit += GRACE_SECONDS;
  *next = limit < *next ? limit : *next;
  if (now >= limit) {
    sv_outcome_say(&t->outcome, SV_REASON_TIMEOUT, "%s", message);
  }
  return now < limit;
}

/* The same for what has not begun. Looks through a long queue only when one
** of it is due. */
static bool expire_queue(sv_engine *engine, double now, double *next) {
  bool ended = false;
  sv_transfer *t = now < engine->queue_end_by ? NULL : engine->queue.first;
  if (now >= engine->queue_end_by) {
    engine->queue_end_by = INFINITY;
  }
  while (t) {
    sv_transfer *after = t->next;
    if (!may_begin(t)) {
      take_out(&engine->queue, t);
      end_unsent(engine, t);
      ended = true;
    } else if (t->end_by < engine->queue_end_by) {
      engine->queue_end_by = t->end_by;
    }
    t = after;
  }
  if (engine->queue.first && engine->queue_end_by < *next) {
    *next = engine->queue_end_by;
  }
  return ended;
}

/* Ends what is out of time; lowers `next` to when the others would be. */
static bool expire(sv_engine *engine, double *next) {
  double now = sv_now();
  bool ended = expire_queue(engine, now, next);
  sv_transfer *t = engine->running.first;
  while (t) {
    sv_transfer *after = t->next;
    if (!in_time(t, now, next)) {
      finish(engine, t, CURLE_OPERATION_TIMEDOUT);
      ended = true;
    }
    t = after;
  }
  return ended;
}

/* What was queued behind those that have ended is sent before their caller
** looks at them: it takes its time, in which the server may answer. */
bool sv_engine_perform(sv_engine *engine, double *next) {
  int running;
  bool ended = notice_loss(engine) && sv_engine_begin(engine);
  ended = admit(engine) || ended;
  curl_multi_perform(engine->multi, &running);
  ended = collect(engine) || ended;
  if (ended && engine->queue.first) {
    admit(engine);
    curl_multi_perform(engine->multi, &running);
  }
  return expire(engine, next) || ended;
}

static int poll_time(double seconds) {
  double ms = seconds > 0 ? ceil(seconds * 1000) : 0;
  return ms < LONGEST_POLL_MS ? (int)ms : LONGEST_POLL_MS;
}

/* Not curl_multi_poll: that reads what stands in its own descriptor, which the
** host may have by now. */
void sv_engine_poll(sv_engine *engine, double until) {
  struct curl_waitfd alarm = {.events = CURL_WAIT_POLLIN};
  int ms = poll_time(until - sv_now());
  alarm.fd = (curl_socket_t)sv_wakeup_descriptor(engine->alarm);
  curl_multi_wait(engine->multi, &alarm, 1, ms, NULL);
  if (sv_wakeup_holds(engine->alarm)) {
    sv_wakeup_clear(engine->alarm);
  }
}

static bool drive(sv_engine *engine, double seconds, double until) {
  bool ended = sv_engine_perform(engine, &until);
  if (!ended && seconds > 0 && engine->multi) {
    sv_engine_poll(engine, until);
    ended = sv_engine_perform(engine, &until);
  }
  return ended;
}

bool sv_engine_step(sv_engine *engine, double seconds) {
  seconds = sv_interrupt_limit(seconds);
  double until = sv_now() + seconds;
  if (engine->ended) {
    engine->ended = false;
    return true;
  }
  if (sv_engine_in_flight(engine) == 0) {
    sv_sleep(seconds);
    return false;
  }
  if (engine->sinks == 0 && sv_libcurl_is_silent()) {
    return drive(engine, seconds, until);
  }
  sv_signals held;
  sv_signals_hold(&held);
  bool ended = drive(engine, seconds, until);
  sv_signals_release(&held);
  return ended;
}

/* --- looking ----------------------------------------------------------- */

sv_transfer *sv_engine_running(const sv_engine *engine) {
  return engine->running.first;
}

int sv_engine_in_flight(const sv_engine *engine) {
  return engine->queue.count + engine->running.count;
}
