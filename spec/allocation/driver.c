/*
** Runs one scenario again and again, each time in a new Lua state, and fails
** one request for memory after the other until a run gets by without.
**
**   driver program.lua scenario ours|lua|curl|crypto once|on path
**
** once: that request alone; on: all from there to the end of the scenario.
** path: of the file that the scenario may write, whose name others extend.
** Prints how many runs there were in which memory ran out. Ends with 1 and a
** sentence where a check of program.lua fails, or a run leaves memory or a
** file behind.
*/
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "memory.h"
#include "peer.h"

LUALIB_API int luaopen_starvideos_core(lua_State *L);
LUALIB_API int luaopen_starvideos_curl(lua_State *L);

/* Since 5.2 Lua collects what it can and asks once more. */
enum { ONCE = LUA_VERSION_NUM >= 502 ? 2 : 1 };

static const long NEVER = LONG_MAX;

static const char *const sources[] = {"ours", "lua", "curl", "crypto"};

typedef struct job {
  const char *program, *scenario, *path;
  memory_source source;
  long nth, many;
  long failed; /* requests, in the run */
} job;

/* --- the peer, driven while the engine waits for it --------------------- */

CURLMcode __real_curl_multi_wait(CURLM *multi, struct curl_waitfd files[],
                                 unsigned count, int ms, int *ready);
CURLMcode __wrap_curl_multi_wait(CURLM *multi, struct curl_waitfd files[],
                                 unsigned count, int ms, int *ready);

CURLMcode __wrap_curl_multi_wait(CURLM *multi, struct curl_waitfd files[],
                                 unsigned count, int ms, int *ready) {
  peer_go_on();
  return __real_curl_multi_wait(multi, files, count, ms < 1 ? ms : 1, ready);
}

/* --- an actor's state ------------------------------------------------------ */

lua_State *__wrap_luaL_newstate(void);

lua_State *__wrap_luaL_newstate(void) {
  return lua_newstate(memory_for_lua, NULL);
}

/* --- what the program sees ---------------------------------------------- */

static int driver_answer(lua_State *L) {
  peer_answer answer = {0};
  answer.bytes = luaL_checklstring(L, 1, &answer.size);
  peer_start(answer);
  return 0;
}

static int driver_arrived(lua_State *L) {
  peer_record record = peer_look();
  lua_pushinteger(L, record.requests);
  lua_pushinteger(L, record.posts);
  lua_pushinteger(L, record.proxied);
  return 3;
}

static int driver_arm(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "job");
  const job *j = lua_touserdata(L, -1);
  memory_arm(j->source, j->nth, j->many);
  return 0;
}

static int driver_disarm(lua_State *L) {
  lua_pushinteger(L, memory_disarm());
  return 1;
}

/* Lets a thread go on for a moment. */
static int driver_pause(lua_State *L) {
  const struct timespec moment = {0, 200000};
  (void)L;
  nanosleep(&moment, NULL);
  return 0;
}

static const luaL_Reg driver_functions[] = {
    {"answer", driver_answer},
    {"arrived", driver_arrived},
    {"arm", driver_arm},
    {"disarm", driver_disarm},
    {"pause", driver_pause},
};

static void preload(lua_State *L, const char *name, lua_CFunction open) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open);
  lua_setfield(L, -2, name);
  lua_pop(L, 2);
}

/* --- one run -------------------------------------------------------------- */

static int run(lua_State *L) {
  job *j = lua_touserdata(L, 1);
  luaL_openlibs(L);
  preload(L, "starvideos.core", luaopen_starvideos_core);
  preload(L, "starvideos.curl", luaopen_starvideos_curl);
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "job");
  if (luaL_loadfile(L, j->program) != 0) {
    return lua_error(L);
  }
  lua_newtable(L);
  for (size_t i = 0; i < sizeof driver_functions / sizeof(luaL_Reg); i++) {
    lua_pushcfunction(L, driver_functions[i].func);
    lua_setfield(L, -2, driver_functions[i].name);
  }
  lua_pushstring(L, j->scenario);
  lua_pushstring(L, sources[j->source]);
  lua_pushstring(L, j->path);
  lua_call(L, 4, 1);
  j->failed = (long)lua_tointeger(L, -1);
  return 0;
}

/* The lowest number that is free: it rises where one is left open. */
static int free_file(void) {
  int file = dup(STDIN_FILENO);
  close(file);
  return file;
}

static int complain(const job *j, const char *what) {
  printf("%s: request %ld: %s\n", j->scenario, j->nth, what);
  return 1;
}

/* What libcrypto keeps of each thread it frees with the thread. */
static const memory_source sources_that_end[] = {MEMORY_OURS, MEMORY_LUA,
                                                 MEMORY_CURL};

static long all_live(void) {
  long live = 0;
  for (size_t i = 0; i < sizeof sources_that_end / sizeof(memory_source); i++) {
    live += memory_live(sources_that_end[i]);
  }
  return live;
}

/* A name look-up that was given up ends in a thread of libcurl's. */
static bool comes_down_to(long live) {
  const struct timespec moment = {0, 1000000};
  for (int i = 0; i < 1000 && all_live() > live; i++) {
    nanosleep(&moment, NULL);
  }
  return all_live() <= live; /* what an earlier run kept may have gone */
}

static int check(job *j) {
  int file = free_file(), status = 0;
  long live = all_live();
  lua_State *L = lua_newstate(memory_for_lua, NULL);
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, j);
  if (lua_pcall(L, 1, 0, 0) != 0) {
    memory_disarm();
    status = complain(j, lua_tostring(L, -1));
  }
  lua_close(L);
  peer_start((peer_answer){0});
  if (j->nth != NEVER && !comes_down_to(live)) {
    status = complain(j, "memory was left behind");
  }
  return free_file() == file ? status : complain(j, "a file was left open");
}

int main(int count, char **arguments) {
  job j = {0};
  int status = 0;
  long runs = 0;
  if (count != 6) {
    return 2;
  }
  j.program = arguments[1];
  j.scenario = arguments[2];
  j.path = arguments[5];
  while (j.source < MEMORY_CRYPTO &&
         strcmp(sources[j.source], arguments[3]) != 0) {
    j.source++;
  }
  j.many = strcmp(arguments[4], "on") == 0 ? LONG_MAX
           : j.source == MEMORY_LUA        ? ONCE
                                           : 1;
  /* What goes to this machine is to pass it by, come what may. */
  setenv("http_proxy", "http://127.0.0.9:9", 1);
  memory_start();
  j.nth = NEVER; /* what is made at the first use is kept */
  status = check(&j);
  j.nth = 1;
  for (j.failed = 1; status == 0 && j.failed > 0; j.nth++) {
    status = check(&j);
    runs += j.failed > 0;
  }
  printf("%ld\n", runs);
  return status;
}
