#include "lua/actor.h"

#include <errno.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lua/class.h"
#include "actor/actor.h"
#include "lua/notifier.h"
#include "lua/marshal.h"
#include "platform/module.h"

#define CLERK "starvideos.core.actor"
#define LETTER "starvideos.core.message"

static const double CLOSE_SECONDS = 2;

/* --- on the actor's thread ------------------------------------------------- */

/* What the chunk of the setup returns. */
enum { FUNCTIONS = 4 };
static const char *const functions[FUNCTIONS] = {"answer", "undo", "rest",
                                                 "leave"};

/* An answer begins with one of these; the results follow, or a text. */
enum { DONE = '+', RAISED = '-' };

typedef struct handler {
  lua_State *L; /* NULL until it is needed, and where it could not be had */
  const sv_buffer *setup;
  const sv_buffer *question;
  sv_buffer *answer;
  bool asked; /* the question: the last answer is this message's */
  double seconds;
} handler;

static int call(lua_State *L, lua_CFunction function, void *argument) {
#if LUA_VERSION_NUM < 502
  return lua_cpcall(L, function, argument);
#else
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, argument);
  return lua_pcall(L, 1, 0, 0);
#endif
}

/* Runs the source with what it is to be given, and keeps what it returns. */
static int begin_in(lua_State *L) {
  const handler *t = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_starvideos_core);
  lua_setfield(L, -2, "starvideos.core");
  lua_settop(L, 1);
  sv_push_values(L, t->setup, 0);
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
  handler *t = lua_touserdata(L, 1);
  const char done = DONE;
  lua_getfield(L, LUA_REGISTRYINDEX, "answer");
  int count = sv_push_values(L, t->question, 0);
  t->asked = true;
  lua_call(L, count, LUA_MULTRET);
  if (!sv_buffer_add(t->answer, &done, 1)) {
    luaL_error(L, "not enough memory");
  }
  sv_write_values(L, 2, lua_gettop(L), t->answer);
  return 0;
}

static int undo_in(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "undo");
  lua_call(L, 0, 0);
  return 0;
}

static int leave_in(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "leave");
  lua_call(L, 0, 0);
  return 0;
}

static int rest_in(lua_State *L) {
  handler *t = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "rest");
  lua_call(L, 0, 1);
  t->seconds = lua_isnumber(L, -1) ? (double)lua_tonumber(L, -1) : -1;
  return 0;
}

/* Without memory for so much as that it is left empty. */
static void say(handler *t, const char *text) {
  const char raised = RAISED;
  t->answer->size = 0;
  if (sv_buffer_add(t->answer, &raised, 1)) {
    sv_buffer_add(t->answer, text, strlen(text));
  }
}

static void say_what_was_raised(handler *t) {
  const char *text = lua_type(t->L, -1) == LUA_TSTRING
                         ? lua_tostring(t->L, -1)
                         : "raised what is no text";
  say(t, text);
}

static bool has_state(handler *t) {
  if (t->L) {
    return true;
  }
  t->L = luaL_newstate();
  if (!t->L) {
    say(t, "not enough memory");
    return false;
  }
  if (call(t->L, begin_in, t) != 0) {
    say_what_was_raised(t);
    lua_close(t->L);
    t->L = NULL;
  }
  return t->L != NULL;
}

static void *trade_begin(const sv_buffer *setup) {
  handler *t = calloc(1, sizeof *t);
  if (t) {
    t->setup = setup;
  }
  return t;
}

static void trade_answer(void *self, const sv_buffer *question,
                         sv_buffer *answer) {
  handler *t = self;
  t->question = question;
  t->answer = answer;
  t->asked = false;
  if (!has_state(t)) {
    return;
  }
  if (call(t->L, answer_in, t) != 0) {
    say_what_was_raised(t);
  }
  lua_settop(t->L, 0);
}

static void trade_undo(void *self) {
  handler *t = self;
  if (t->asked) {
    call(t->L, undo_in, t);
    lua_settop(t->L, 0);
  }
}

static double trade_rest(void *self) {
  handler *t = self;
  t->seconds = -1;
  if (t->L) {
    call(t->L, rest_in, t);
    lua_settop(t->L, 0);
  }
  return t->seconds;
}

static void trade_end(void *self) {
  handler *t = self;
  if (t->L) {
    call(t->L, leave_in, t);
    lua_close(t->L);
  }
  free(t);
}

static const sv_handler lua_trade = {trade_begin, trade_answer, trade_undo,
                                   trade_rest, trade_end};

/* --- actor ------------------------------------------------------------------ */

typedef struct clerk_box {
  sv_actor *actor; /* NULL: closed */
  sv_buffer setup;
} clerk_box;

typedef struct letter_box {
  sv_message *message; /* NULL: never posted */
  sv_buffer question;
} letter_box;

static clerk_box *check_clerk(lua_State *L) {
  return luaL_checkudata(L, 1, CLERK);
}

static sv_actor *open_clerk(lua_State *L) {
  clerk_box *box = check_clerk(L);
  if (!box->actor) {
    luaL_error(L, "attempt to use a closed actor");
  }
  return box->actor;
}

int sv_lua_actor(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  clerk_box *box = lua_newuserdata(L, sizeof *box);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, CLERK);
  lua_getfield(L, 1, "fork_seconds");
  double fork_seconds = luaL_checknumber(L, -1);
  lua_getfield(L, 1, "source");
  luaL_checkstring(L, -1);
  lua_getfield(L, 1, "setup");
  lua_getfield(L, 1, "notifier");
  sv_notifier *notifier = sv_read_notifier(L, 6);
  sv_write_values(L, 4, 5, &box->setup);
  sv_module_keep((void *)(size_t)sv_lua_actor);
  sv_module_keep((void *)(size_t)luaL_newstate);
  box->actor = sv_actor_new(&lua_trade, &box->setup, fork_seconds, notifier);
  if (!box->actor) {
    return luaL_error(L, "no actor: %s", strerror(errno));
  }
  sv_buffer_free(&box->setup);
  lua_settop(L, 2);
  return 1;
}

int sv_lua_beat(lua_State *L) {
  double seconds = luaL_optnumber(L, 1, 0);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e6, 1, "out of range");
  sv_actor_beat(seconds);
  return 0;
}

int sv_lua_mark(lua_State *L) {
  lua_pushinteger(L, sv_actor_mark());
  return 1;
}

static int clerk_close(lua_State *L) {
  clerk_box *box = check_clerk(L);
  double seconds = lua_isnumber(L, 2) ? (double)lua_tonumber(L, 2)
                                      : CLOSE_SECONDS;
  sv_actor *actor = box->actor;
  box->actor = NULL;
  sv_buffer_free(&box->setup);
  if (actor) {
    sv_actor_close(actor, seconds);
    sv_actor_release(actor);
  }
  return 0;
}

/* post(kept, ...) -> message, number; or nil, why. Whether the actor is open shows
** once no more Lua may run, finalizers among it. */
static int clerk_post(lua_State *L) {
  bool kept = lua_toboolean(L, 2);
  int last = lua_gettop(L);
  letter_box *box = lua_newuserdata(L, sizeof *box);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, LETTER);
  sv_write_values(L, 3, last, &box->question);
  box->message = sv_actor_post(open_clerk(L), &box->question, kept);
  if (!box->message) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(errno));
    return 2;
  }
  lua_pushinteger(L, (lua_Integer)sv_message_number(box->message));
  return 2;
}

static int clerk_ready(lua_State *L) {
  lua_pushboolean(L, sv_actor_ready(open_clerk(L)));
  return 1;
}

static int clerk_take(lua_State *L) {
  long long number = sv_actor_take(open_clerk(L));
  if (number == 0) {
    return 0;
  }
  lua_pushinteger(L, (lua_Integer)number);
  return 1;
}

static int clerk_in_flight(lua_State *L) {
  lua_pushinteger(L, sv_actor_in_flight(open_clerk(L)));
  return 1;
}

static int clerk_busy(lua_State *L) {
  lua_pushnumber(L, sv_actor_busy(open_clerk(L)));
  return 1;
}

static int clerk_cut(lua_State *L) {
  sv_actor *actor = open_clerk(L);
  lua_pushboolean(L, sv_actor_cut(actor, luaL_checknumber(L, 2)));
  return 1;
}

static sv_notifier *notifier_of(lua_State *L) {
  return sv_actor_notifier(open_clerk(L));
}

static int clerk_wait(lua_State *L) {
  sv_actor *actor = open_clerk(L);
  sv_actor_wait(actor, luaL_checknumber(L, 2));
  return 0;
}

/* --- message ----------------------------------------------------------------- */

static sv_message *check_letter(lua_State *L) {
  letter_box *box = luaL_checkudata(L, 1, LETTER);
  luaL_argcheck(L, box->message, 1, "the message was never posted");
  return box->message;
}

static int letter_gc(lua_State *L) {
  letter_box *box = luaL_checkudata(L, 1, LETTER);
  sv_message *message = box->message;
  box->message = NULL;
  sv_buffer_free(&box->question);
  if (message) {
    sv_message_release(message);
  }
  return 0;
}

static int letter_done(lua_State *L) {
  lua_pushboolean(L, sv_message_done(check_letter(L)));
  return 1;
}

static int letter_give_up(lua_State *L) {
  lua_pushboolean(L, sv_message_give_up(check_letter(L)));
  return 1;
}

/* result() -> true and what was answered; false and why nothing was */
static int letter_result(lua_State *L) {
  sv_message *message = check_letter(L);
  luaL_argcheck(L, sv_message_done(message), 1, "not answered yet");
  const sv_buffer *answer = sv_message_answer(message);
  if (answer && answer->size > 0 && answer->data[0] == DONE) {
    lua_pushboolean(L, 1);
    return 1 + sv_push_values(L, answer, 1);
  }
  lua_pushboolean(L, 0);
  if (answer && answer->size > 0) {
    lua_pushlstring(L, answer->data + 1, answer->size - 1);
  } else {
    lua_pushstring(L, answer                       ? "not enough memory"
                      : sv_message_is_lost(message) ? "lost in a fork"
                                                   : "given up");
  }
  return 2;
}

static const luaL_Reg clerk_methods[] = {
    {"post", clerk_post},           {"ready", clerk_ready},
    {"take", clerk_take},           {"in_flight", clerk_in_flight},
    {"busy", clerk_busy},           {"wait", clerk_wait},
    {"cut", clerk_cut},             {"close", clerk_close},
    {"__gc", clerk_close},          {NULL, NULL},
};

static const luaL_Reg letter_methods[] = {
    {"done", letter_done},
    {"give_up", letter_give_up},
    {"result", letter_result},
    {"__gc", letter_gc},
    {NULL, NULL},
};

void sv_make_actor_classes(lua_State *L) {
  sv_make_notifier_class(L);
  sv_make_class(L, CLERK, clerk_methods);
  sv_add_notifier_methods(L, CLERK, notifier_of);
  sv_make_class(L, LETTER, letter_methods);
}
