#include "thread/activity.h"

#include <stddef.h>

#include "system/clock.h"
#include "system/network.h"

#include "rules/visibility.h"

static __thread sv_activity *own;

static void set_begun(sv_activity *activity, double now) {
  __atomic_store_n(&activity->begun, (long long)(now * 1e6), __ATOMIC_RELAXED);
}

void sv_activity_heartbeat(double seconds) {
  if (own && sv_activity_begun(own)) {
    set_begun(own, sv_now() + seconds);
  }
}

int sv_activity_socket_mark(void) {
  int mark = sv_socket_mark_new();
  if (own) {
    __atomic_store_n(&own->socket_mark, mark, __ATOMIC_RELAXED);
  }
  return mark;
}

void sv_activity_enter(sv_activity *activity) {
  own = activity;
}

void sv_activity_begin(sv_activity *activity) {
  set_begun(activity, sv_now());
}

void sv_activity_end(sv_activity *activity) {
  set_begun(activity, 0);
}

long long sv_activity_begun(const sv_activity *activity) {
  return __atomic_load_n(&activity->begun, __ATOMIC_RELAXED);
}

double sv_activity_seconds(long long begun) {
  double seconds = begun ? sv_now() - (double)begun / 1e6 : 0;
  return seconds > 0 ? seconds : 0;
}

void sv_activity_disconnect(const sv_activity *activity, long long begun) {
  int mark = __atomic_load_n(&activity->socket_mark, __ATOMIC_RELAXED);
  if (mark && sv_activity_begun(activity) == begun) {
    sv_socket_mark_shut_down(mark);
  }
}
