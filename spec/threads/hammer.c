/*
** Drivers under load, each with its thread, for ThreadSanitizer to watch:
**
**   hammer URL CA_FILE FOLDER ROUNDS
**
** Three threads have a driver of their own each, three more a Lua state with
** one. What they do, and when, is drawn by lot; the end comes in the midst of
** it. Prints how many tickets ended; exit code 0 where nothing was wrong.
*/
#include <lua.h>

#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { THREADS = 3, HELD = 24 };

int luaopen_starvideos_curl(lua_State *L);

static const char *url, *ca_file, *folder;
static int rounds;

typedef struct player {
  unsigned seed;
  int number;
  long ended;
  bool failed;
} player;

static unsigned draw(player *self, unsigned limit) {
  return (unsigned)rand_r(&self->seed) % limit;
}

static sv_ticket *request(player *self, sv_driver *driver) {
  char path[256];
  sv_outcome failure;
  snprintf(path, sizeof path, "%s/player-%d-%u", folder, self->number,
           draw(self, 4));
  sv_request wanted = {.method = "GET", .url = url, .timeout = 10,
                       .max_body = 1 << 20,
                       .sink_path = draw(self, 4) ? NULL : path};
  sv_ticket *ticket = sv_driver_submit(driver, &wanted, &failure);
  self->failed = self->failed || !ticket;
  return ticket;
}

static sv_ticket *errand(player *self, sv_driver *driver) {
  char path[256];
  snprintf(path, sizeof path, "%s/note-%d", folder, self->number);
  sv_errand *job = sv_errand_new(SV_JOB_WRITE, path, NULL, "a note", 6, "wb");
  sv_ticket *ticket = job ? sv_driver_errand(driver, job) : NULL;
  self->failed = self->failed || !ticket;
  return ticket;
}

static void look(player *self, sv_ticket *ticket) {
  size_t size;
  sv_progress progress = sv_ticket_progress(ticket);
  self->failed = self->failed || progress.received < 0;
  const sv_transfer *transfer = sv_ticket_transfer(ticket);
  if (transfer && !sv_transfer_head(transfer, &size) && size > 0) {
    self->failed = true;
  }
  if (sv_ticket_done(ticket) && !sv_ticket_is_errand(ticket)) {
    const sv_outcome *outcome = sv_ticket_outcome(ticket);
    bool silent = outcome->reason != SV_REASON_NONE && !outcome->message[0];
    self->failed = self->failed || silent;
  }
}

static void collect(player *self, sv_driver *driver) {
  struct pollfd watched = {sv_driver_pollfd(driver), POLLIN, 0};
  poll(&watched, 1, (int)draw(self, 3));
  sv_driver_calm(driver);
  while (sv_driver_ready(driver) && sv_driver_take(driver)) {
    self->ended++;
  }
}

static void act(player *self, sv_driver *driver, sv_ticket **held) {
  sv_ticket **place = &held[draw(self, HELD)];
  if (!*place) {
    *place = draw(self, 5) ? request(self, driver) : errand(self, driver);
  } else if (!draw(self, 4)) {
    sv_ticket_release(*place);
    *place = NULL;
  } else if (!draw(self, 4)) {
    sv_ticket_cancel(*place);
  } else {
    look(self, *place);
  }
}

static void *play(void *argument) {
  player *self = argument;
  for (int round = 0; round < rounds; round++) {
    sv_driver *driver = sv_driver_new(ca_file, 8);
    sv_ticket *held[HELD] = {0};
    for (int i = 0; i < 300 && !self->failed; i++) {
      act(self, driver, held);
      if (!draw(self, 8)) {
        collect(self, driver);
      }
    }
    sv_driver_close(driver);
    for (int i = 0; i < HELD; i++) {
      if (held[i]) {
        look(self, held[i]);
        sv_ticket_release(held[i]);
      }
    }
    sv_driver_release(driver);
  }
  return NULL;
}

static const char program[] =
    "local curl, url, ca_file, rounds = ...\n"
    "local ended = 0\n"
    "for round = 1, rounds do\n"
    "  local driver = curl.driver { ca_file = ca_file, max_in_flight = 4 }\n"
    "  local held = {}\n"
    "  for i = 1, 40 do\n"
    "    local ticket, number = driver:submit { url = url, timeout = 10 }\n"
    "    held[number] = i % 3 > 0 and ticket or nil\n"
    "    if i % 5 == 0 then ticket:cancel() end\n"
    "    if i % 7 == 0 then collectgarbage() end\n"
    "  end\n"
    "  while driver:in_flight() > round % 10 do\n"
    "    local number = driver:ready() and driver:take()\n"
    "    if number then\n"
    "      ended = ended + 1\n"
    "      if held[number] then held[number]:result() end\n"
    "    end\n"
    "  end\n"
    "  if round % 2 == 0 then driver:close() end\n"
    "end\n"
    "return ended\n";

static void *play_lua(void *argument) {
  player *self = argument;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  self->failed = luaL_loadstring(L, program) != 0;
  luaL_requiref(L, "starvideos.curl", luaopen_starvideos_curl, 0);
  lua_pushstring(L, url);
  lua_pushstring(L, ca_file);
  lua_pushinteger(L, rounds * 5);
  if (self->failed || lua_pcall(L, 4, 1, 0) != 0) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    self->failed = true;
  } else {
    self->ended = (long)lua_tointeger(L, -1);
  }
  lua_close(L);
  return NULL;
}

int main(int count, char **arguments) {
  pthread_t threads[2 * THREADS];
  player players[2 * THREADS] = {{0}};
  long ended = 0;
  bool failed = count < 5;
  if (failed) {
    return 2;
  }
  url = arguments[1];
  ca_file = arguments[2];
  folder = arguments[3];
  rounds = atoi(arguments[4]);
  for (int i = 0; i < 2 * THREADS; i++) {
    players[i].number = i;
    players[i].seed = (unsigned)i + 1;
    pthread_create(&threads[i], NULL, i < THREADS ? play : play_lua,
                   &players[i]);
  }
  for (int i = 0; i < 2 * THREADS; i++) {
    pthread_join(threads[i], NULL);
    ended += players[i].ended;
    failed = failed || players[i].failed;
  }
  printf("%ld tickets ended\n", ended);
  return failed;
}
