#include "binding/core.h"

#include <errno.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "thread/actor.h"
#include "binding/marshal.h"
#include "binding/outbox.h"
#include "system/process.h"

#include "rules/visibility.h"

#define ACTOR "starvideos.core.actor"
#define MESSAGE "starvideos.core.message"

static const double CLOSE_SECONDS = 2;

/* --- on the actor's thread ----------------------------------------------- */

/* What the source returns. */
enum { FUNCTIONS = 4 };
static const char *const functions[FUNCTIONS] = {"answer", "undo", "idle",
                                                 "end"};

/* An answer begins with one of these; the results follow, or a text. */
enum { DONE = '+', RAISED = '-' };

typedef struct state {
  lua_State *L; /* NULL until it is needed, and where it could not be had */
  const sv_buffer *setup;
  const sv_buffer *question;
  sv_buffer *answer;
  bool was_asked; /* the question: the last answer is this message's */
  double seconds;
} state;

/* Runs the source with its setup, and keeps what it returns. */
static int begin_in(lua_State *L) {
  const state *s = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_starvideos_core);
  lua_setfield(L, -2, "starvideos.core");
  lua_settop(L, 1);
  sv_push_values(L, s->setup, 0);
  size_t size;
  const char *source = lua_tolstring(L, 2, &size);
  if (luaL_loadbuffer(L, source, size, "=actor") != 0) {
    lua_error(L);
  }
  lua_replace(L, 2);
  lua_call(L, lua_gettop(L) - 2, FUNCTIONS);
  for (int i = FUNCTIONS; i > 0; i--) {
    lua_setfield(L, LUA_REGISTRYINDEX, functions[i - 1]);
  }
  return 0;
}

static int answer_in(lua_State *L) {
  state *s = lua_touserdata(L, 1);
  const char done = DONE;
  lua_getfield(L, LUA_REGISTRYINDEX, "answer");
  int count = sv_push_values(L, s->question, 0);
  s->was_asked = true;
  lua_call(L, count, LUA_MULTRET);
  if (!sv_buffer_add(s->answer, &done, 1)) {
    luaL_error(L, "not enough memory");
  }
  sv_write_values(L, 2, lua_gettop(L), s->answer);
  return 0;
}

/* One of the functions, by its name. */
static int run_in(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, lua_touserdata(L, 1));
  lua_call(L, 0, 0);
  return 0;
}

static int idle_in(lua_State *L) {
  state *s = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "idle");
  lua_call(L, 0, 1);
  s->seconds = lua_isnumber(L, -1) ? (double)lua_tonumber(L, -1) : -1;
  return 0;
}

/* Where memory is too short even for that the answer stays empty. */
static void answer_text(state *s, const char *text) {
  const char raised = RAISED;
  s->answer->size = 0;
  if (sv_buffer_add(s->answer, &raised, 1)) {
    sv_buffer_add(s->answer, text, strlen(text));
  }
}

static void answer_raised(state *s) {
  const char *text = lua_type(s->L, -1) == LUA_TSTRING
                         ? lua_tostring(s->L, -1)
                         : "raised what is no text";
  answer_text(s, text);
}

static bool need_state(state *s) {
  if (s->L) {
    return true;
  }
  s->L = luaL_newstate();
  if (!s->L) {
    answer_text(s, "not enough memory");
    return false;
  }
  if (sv_call(s->L, begin_in, s) != 0) {
    answer_raised(s);
    lua_close(s->L);
    s->L = NULL;
  }
  return s->L != NULL;
}

static void *on_begin(const sv_buffer *setup) {
  state *s = calloc(1, sizeof *s);
  if (s) {
    s->setup = setup;
  }
  return s;
}

static void on_answer(void *self, const sv_buffer *question,
                      sv_buffer *answer) {
  state *s = self;
  s->question = question;
  s->answer = answer;
  s->was_asked = false;
  if (!need_state(s)) {
    return;
  }
  if (sv_call(s->L, answer_in, s) != 0) {
    answer_raised(s);
  }
  lua_settop(s->L, 0);
}

static void on_undo(void *self) {
  state *s = self;
  if (s->was_asked) {
    sv_call(s->L, run_in, "undo");
    lua_settop(s->L, 0);
  }
}

static double on_idle(void *self) {
  state *s = self;
  s->seconds = -1;
  if (s->L) {
    sv_call(s->L, idle_in, s);
    lua_settop(s->L, 0);
  }
  return s->seconds;
}

static void on_end(void *self) {
  state *s = self;
  if (s->L) {
    sv_call(s->L, run_in, "end");
    lua_close(s->L);
  }
  free(s);
}

static const sv_handler runs_lua = {on_begin, on_answer, on_undo, on_idle,
                                   on_end};

/* --- actor --------------------------------------------------------------- */

typedef struct actor_box {
  sv_actor *actor; /* NULL: closed */
  sv_buffer setup;
} actor_box;

typedef struct message_box {
  sv_message *message; /* NULL: never posted */
  sv_buffer question;
} message_box;

static actor_box *check_actor(lua_State *L) {
  return luaL_checkudata(L, 1, ACTOR);
}

static sv_actor *open_actor(lua_State *L) {
  actor_box *box = check_actor(L);
  if (!box->actor) {
    luaL_error(L, "attempt to use a closed actor");
  }
  return box->actor;
}

/* actor{ source =, setup =, fork_seconds =, notifier = } -> actor. The source
** is run on its thread with the setup, and returns four functions: one that
** answers messages, one that undoes the last answer, one that is called when
** there are no messages and gives the seconds until it is to be called again,
** or nil; and one that is called at the end. */
static int core_actor(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  actor_box *box = sv_new_object(L, ACTOR, sizeof *box);
  lua_getfield(L, 1, "fork_seconds");
  double fork_seconds = luaL_checknumber(L, -1);
  lua_getfield(L, 1, "source");
  luaL_checkstring(L, -1);
  lua_getfield(L, 1, "setup");
  lua_getfield(L, 1, "notifier");
  sv_wakeup *wakeup = sv_read_wakeup(L, 6);
  sv_write_values(L, 4, 5, &box->setup);
  sv_module_keep((void *)(size_t)core_actor);
  sv_module_keep((void *)(size_t)luaL_newstate);
  box->actor = sv_actor_new(&runs_lua, &box->setup, fork_seconds, wakeup);
  if (!box->actor) {
    return luaL_error(L, "no actor: %s", strerror(errno));
  }
  sv_buffer_free(&box->setup);
  lua_settop(L, 2);
  return 1;
}

/* heartbeat([seconds]): see thread/service.h. */
static int core_heartbeat(lua_State *L) {
  double seconds = luaL_optnumber(L, 1, 0);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e6, 1, "out of range");
  sv_service_heartbeat(seconds);
  return 0;
}

/* socket_mark() -> number: see thread/actor.h. */
static int core_socket_mark(lua_State *L) {
  lua_pushinteger(L, sv_actor_socket_mark());
  return 1;
}

static int actor_close(lua_State *L) {
  actor_box *box = check_actor(L);
  double seconds = lua_isnumber(L, 2) ? (double)lua_tonumber(L, 2)
                                      : CLOSE_SECONDS;
  sv_actor *actor = box->actor;
  box->actor = NULL;
  sv_buffer_free(&box->setup);
  if (actor) {
    sv_actor_close(actor, seconds);
  }
  return 0;
}

/* post(kept, ...) -> message, number; or nil, why. Looks last whether the actor
** is open: before, Lua's collector may run finalizers, which could close it. */
static int actor_post(lua_State *L) {
  bool kept = lua_toboolean(L, 2);
  int last = lua_gettop(L);
  message_box *box = sv_new_object(L, MESSAGE, sizeof *box);
  sv_write_values(L, 3, last, &box->question);
  box->message = sv_actor_post(open_actor(L), &box->question, kept);
  if (!box->message) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(errno));
    return 2;
  }
  sv_push_integer(L, box->message->item.number);
  return 2;
}

static int actor_busy_seconds(lua_State *L) {
  lua_pushnumber(L, sv_actor_busy_seconds(open_actor(L)));
  return 1;
}

static int actor_disconnect(lua_State *L) {
  sv_actor *actor = open_actor(L);
  lua_pushboolean(L, sv_actor_disconnect(actor, luaL_checknumber(L, 2)));
  return 1;
}

static sv_outbox *outbox_of(lua_State *L) {
  return sv_actor_outbox(open_actor(L));
}

static int actor_wait(lua_State *L) {
  sv_actor *actor = open_actor(L);
  sv_actor_wait(actor, luaL_checknumber(L, 2));
  sv_raise_interrupt(L);
  return 0;
}

/* --- message ------------------------------------------------------------- */

static sv_message *check_message(lua_State *L) {
  message_box *box = luaL_checkudata(L, 1, MESSAGE);
  luaL_argcheck(L, box->message, 1, "the message was never posted");
  return box->message;
}

static int message_gc(lua_State *L) {
  message_box *box = luaL_checkudata(L, 1, MESSAGE);
  sv_message *message = box->message;
  box->message = NULL;
  sv_buffer_free(&box->question);
  if (message) {
    sv_message_release(message);
  }
  return 0;
}

static int message_done(lua_State *L) {
  lua_pushboolean(L, sv_item_done(&check_message(L)->item));
  return 1;
}

static int message_give_up(lua_State *L) {
  lua_pushboolean(L, sv_item_give_up(&check_message(L)->item));
  return 1;
}

/* result() -> true and what was answered; or false and why nothing was. */
static int message_result(lua_State *L) {
  sv_message *message = check_message(L);
  luaL_argcheck(L, sv_item_done(&message->item), 1, "not answered yet");
  const sv_buffer *answer = sv_message_answer(message);
  if (answer && answer->size > 0 && answer->data[0] == DONE) {
    lua_pushboolean(L, 1);
    return 1 + sv_push_values(L, answer, 1);
  }
  lua_pushboolean(L, 0);
  if (answer && answer->size > 0) {
    lua_pushlstring(L, answer->data + 1, answer->size - 1);
  } else {
    lua_pushstring(L, answer                        ? "not enough memory"
                      : message->item.lost ? "lost in a fork"
                                                    : "given up");
  }
  return 2;
}

static const luaL_Reg actor_methods[] = {
    {"post", actor_post},
    {"busy_seconds", actor_busy_seconds},
    {"disconnect", actor_disconnect},
    {"wait", actor_wait},
    {"close", actor_close},
    {"__gc", actor_close},
    {NULL, NULL},
};

static const luaL_Reg message_methods[] = {
    {"done", message_done},
    {"give_up", message_give_up},
    {"result", message_result},
    {"__gc", message_gc},
    {NULL, NULL},
};

static const luaL_Reg core_functions[] = {
    {"actor", core_actor},
    {"heartbeat", core_heartbeat},
    {"socket_mark", core_socket_mark},
    {NULL, NULL},
};

void sv_add_actor(lua_State *L) {
  sv_make_wakeup_class(L);
  sv_make_class(L, ACTOR, actor_methods);
  sv_add_outbox_methods(L, ACTOR, outbox_of);
  sv_make_class(L, MESSAGE, message_methods);
  luaL_setfuncs(L, core_functions, 0);
}
