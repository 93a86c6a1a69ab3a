/*
** Networks and Lua states on several threads at once, each thread with its own,
** doing at random whatever may be done to them, and forks in between. Built so
** that ThreadSanitizer sees every access.
**
**   hammer hammer.lua url tls_url ca_file file seconds
**
** Prints how many tickets have ended. Ends with 1 and a sentence where one
** never does, or comes out twice.
*/
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/clock.h"
#include "http/network.h"
#include "http/answer.h"

enum {
  THREADS = 3,  /* of each sort */
  HELD = 12,    /* tickets at a time */
  TURNS = 60,   /* in a network's life */
  LONGEST = 1000, /* bytes of a body */
  PATIENCE = 30 /* seconds until a ticket must have ended */
};

LUALIB_API int luaopen_starvideos_core(lua_State *L);
LUALIB_API int luaopen_starvideos_curl(lua_State *L);

typedef struct world {
  const char *program, *url, *tls_url, *ca_file, *path;
  double until;
} world;

typedef struct worker {
  pthread_t thread;
  const world *world;
  unsigned seed;
  sv_network *network;
  sv_ticket *held[HELD];
  int peer;
  long issued, taken, ended;
  const char *complaint;
} worker;

static unsigned pick(worker *w, unsigned count) {
  w->seed = w->seed * 1103515245u + 12345u;
  return (w->seed >> 16) % count;
}

/* --- what may be done to a network --------------------------------------- */

static void let(sv_ticket **ticket) {
  if (*ticket) {
    sv_item_release(&(*ticket)->item);
    *ticket = NULL;
  }
}

static void submit(worker *w) {
  static const char *const paths[] = {"/hello", "/hello", "/slow", "/drip"};
  sv_ticket **ticket = &w->held[pick(w, HELD)];
  const sv_header header = {"X-Header", "value"};
  char url[256];
  sv_outcome failure;
  sv_request request = {.method = "GET", .url = url, .headers = &header,
                        .header_count = 1, .max_body = LONGEST, .timeout = 10};
  const char *origin = pick(w, 3) ? w->world->url : w->world->tls_url;
  snprintf(url, sizeof url, "%s%s", origin, paths[pick(w, 4)]);
  request.sink_path = pick(w, 4) ? NULL : w->world->path;
  request.fresh = pick(w, 4) == 0;
  request.sink_sync = pick(w, 2) == 0;
  let(ticket);
  *ticket = sv_network_submit(w->network, &request, &failure);
  w->issued += *ticket != NULL;
}

static void disk_job(worker *w) {
  sv_ticket **ticket = &w->held[pick(w, HELD)];
  sv_disk_action action = pick(w, 2) ? SV_DISK_SIZE : SV_DISK_SHA256;
  let(ticket);
  *ticket = sv_network_disk(w->network,
                           sv_disk_job_new(action, w->world->ca_file, NULL,
                                           NULL, 0));
  w->issued += *ticket != NULL;
}

static void cancel(worker *w) {
  sv_ticket *ticket = w->held[pick(w, HELD)];
  if (ticket) {
    sv_ticket_cancel(ticket);
  }
}

/* All that is told of a ticket is read, for races to show. */
static void look(worker *w) {
  sv_ticket *ticket = w->held[pick(w, HELD)];
  sv_header_line line;
  if (!ticket) {
    return;
  }
  sv_progress progress = sv_ticket_progress(ticket);
  if (progress.received < 0) {
    w->complaint = "less than nothing was received";
  }
  if (sv_ticket_status(ticket)) {
    const sv_buffer *head = &ticket->transfer.head;
    sv_head_find(head->data, head->size, "content-type", &line);
  }
  if (sv_item_done(&ticket->item) && !ticket->job) {
    const sv_outcome *outcome = sv_ticket_outcome(ticket);
    if (outcome->reason == SV_REASON_NONE &&
        (!outcome->status || ticket->transfer.body.size > LONGEST)) {
      w->complaint = "an answer has no status, or too long a body";
    }
  }
}

static void take(worker *w) {
  sv_wakeup_clear(sv_outbox_wakeup(sv_network_outbox(w->network)));
  while (sv_outbox_is_ready(sv_network_outbox(w->network))) {
    w->taken += sv_outbox_take(sv_network_outbox(w->network)) > 0;
  }
  if (w->taken > w->issued) {
    w->complaint = "a ticket came out twice";
  }
}

static void sleep_until_told(worker *w) {
  struct pollfd watch = {.events = POLLIN};
  watch.fd = sv_wakeup_descriptor(sv_outbox_wakeup(sv_network_outbox(w->network)));
  poll(&watch, 1, 2);
  take(w);
}

static void release(worker *w) {
  let(&w->held[pick(w, HELD)]);
}

static void wake(worker *w) {
  sv_wakeup_notify(sv_outbox_wakeup(sv_network_outbox(w->network)));
}

static void connect_peer(worker *w) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  sv_wakeup *wakeup = sv_outbox_wakeup(sv_network_outbox(w->network));
  const char *path;
  if (sv_wakeup_listen(wakeup, &path) != 0) {
    w->complaint = "cannot listen";
    return;
  }
  if (w->peer >= 0) {
    close(w->peer);
  }
  strcpy(address.sun_path, path);
  w->peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(w->peer, (struct sockaddr *)&address, sizeof address) != 0 ||
      sv_wakeup_accept(wakeup) != 0) {
    w->complaint = "cannot connect";
  }
}

static void fork_once(worker *w) {
  if (pick(w, 8) == 0) {
    pid_t child = fork();
    if (child == 0) {
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
}

static void (*const actions[])(worker *w) = {
    submit, submit, submit, submit, disk_job, disk_job, cancel, look,
    look,   look,   take,   take,   release, sleep_until_told, wake,
    connect_peer, fork_once,
};

/* --- a network's life ----------------------------------------------------- */

static void drain(worker *w) {
  double give_up = sv_now() + PATIENCE;
  for (int i = 0; i < HELD; i++) {
    if (w->held[i]) {
      sv_ticket_cancel(w->held[i]);
    }
  }
  while (sv_outbox_in_flight(sv_network_outbox(w->network)) > 0 && !w->complaint) {
    sleep_until_told(w);
    if (sv_now() > give_up) {
      w->complaint = "a ticket never ends";
    }
  }
}

static void live(worker *w) {
  w->network = sv_network_new(w->world->ca_file, 1 + (int)pick(w, 6), false);
  w->issued = w->taken = 0;
  w->peer = -1;
  for (int i = 0; i < TURNS && !w->complaint; i++) {
    actions[pick(w, sizeof actions / sizeof *actions)](w);
  }
  if (pick(w, 3) == 0) {
    drain(w);
    if (w->taken != w->issued) {
      w->complaint = "a ticket never came out";
    }
  }
  for (int i = 0; pick(w, 2) && i < HELD; i++) {
    let(&w->held[i]);
  }
  sv_network_close(w->network);
  for (int i = 0; i < HELD; i++) {
    look(w);
    let(&w->held[i]);
  }
  if (w->peer >= 0) {
    close(w->peer);
  }
  w->ended += w->taken;
}

static void *run_networks(void *self) {
  worker *w = self;
  while (sv_now() < w->world->until && !w->complaint) {
    live(w);
  }
  return NULL;
}

/* --- a Lua state's life -------------------------------------------------- */

static void preload(lua_State *L, const char *name, lua_CFunction open) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_pop(L, 2);
}

static void live_in_lua(worker *w) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  preload(L, "starvideos.core", luaopen_starvideos_core);
  preload(L, "starvideos.curl", luaopen_starvideos_curl);
  luaL_loadfile(L, w->world->program);
  lua_pushstring(L, w->world->url);
  lua_pushstring(L, w->world->tls_url);
  lua_pushstring(L, w->world->ca_file);
  lua_pushinteger(L, (lua_Integer)pick(w, 32768));
  if (lua_pcall(L, 4, 1, 0) == 0) {
    w->ended += (long)lua_tointeger(L, -1);
  } else {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    w->complaint = "a Lua program failed";
  }
  lua_close(L);
}

static void *run_states(void *self) {
  worker *w = self;
  while (sv_now() < w->world->until && !w->complaint) {
    live_in_lua(w);
  }
  return NULL;
}

int main(int count, char **arguments) {
  static worker workers[2 * THREADS];
  char paths[2 * THREADS][300];
  world worlds[2 * THREADS];
  long ended = 0;
  int status = 0;
  if (count != 7) {
    return 2;
  }
  for (int i = 0; i < 2 * THREADS; i++) {
    snprintf(paths[i], sizeof paths[i], "%s.%d", arguments[5], i);
    worlds[i] = (world){arguments[1], arguments[2], arguments[3], arguments[4],
                        paths[i], sv_now() + atof(arguments[6])};
    workers[i].world = &worlds[i];
    workers[i].seed = (unsigned)i * 7919 + 1;
    pthread_create(&workers[i].thread, NULL,
                   i % 2 ? run_networks : run_states, &workers[i]);
  }
  for (int i = 0; i < 2 * THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    ended += workers[i].ended;
    if (workers[i].complaint) {
      printf("thread %d: %s\n", i, workers[i].complaint);
      status = 1;
    }
  }
  printf("%ld\n", ended);
  return status;
}
