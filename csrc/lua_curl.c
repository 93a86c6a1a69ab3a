/*
** Module starvideos.curl: the engine for Lua. Converts, and decides nothing.
*/
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <curl/curl.h>

#include "compat.h"
#include "engine.h"
#include "head.h"
#include "place.h"
#include "request.h"

#define ENGINE "starvideos.curl.engine"
#define TRANSFER "starvideos.curl.transfer"

enum { MAX_IN_FLIGHT = 64 };

/* --- arguments --------------------------------------------------------- */

/* A NULL pointer is the closed flag. */
static sv_engine **check_engine(lua_State *L) {
  return luaL_checkudata(L, 1, ENGINE);
}

static sv_engine *open_engine(lua_State *L) {
  sv_engine **box = check_engine(L);
  if (!*box) {
    luaL_error(L, "attempt to use a closed engine");
  }
  return *box;
}

static sv_transfer *check_transfer(lua_State *L) {
  sv_transfer **box = luaL_checkudata(L, 1, TRANSFER);
  luaL_argcheck(L, *box, 1, "the transfer was never begun");
  return *box;
}

/* --- results ----------------------------------------------------------- */

static void set_integer(lua_State *L, const char *name, long long number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, name);
}

static void push_failure(lua_State *L, const sv_outcome *outcome) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, sv_reason_name(outcome->reason));
  lua_setfield(L, -2, "reason");
  lua_pushstring(L, sv_phase_name(outcome->phase));
  lua_setfield(L, -2, "phase");
  lua_pushstring(L, outcome->message);
  lua_setfield(L, -2, "message");
  lua_pushboolean(L, outcome->sent);
  lua_setfield(L, -2, "sent");
  set_integer(L, "bytes_sent", outcome->bytes_sent);
  set_integer(L, "received", outcome->received);
  if (outcome->status) {
    set_integer(L, "status", outcome->status);
  }
  if (outcome->system_error) {
    set_integer(L, "errno", outcome->system_error);
  }
}

/* Names longer than any in use are cut: nobody can ask for them. */
static void push_lowered(lua_State *L, const char *text, size_t size) {
  char name[128];
  size = size < sizeof name ? size : sizeof name;
  for (size_t i = 0; i < size; i++) {
    char byte = text[i];
    name[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
  }
  lua_pushlstring(L, name, size);
}

static void push_headers(lua_State *L, const sv_transfer *transfer) {
  size_t size;
  const char *cursor = sv_transfer_head(transfer, &size);
  const char *end = cursor ? cursor + size : cursor;
  sv_field field;
  lua_newtable(L);
  while (cursor && sv_head_next(&cursor, end, &field)) {
    push_lowered(L, field.name, field.name_size);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushlstring(L, field.value, field.value_size);
    } else {
      lua_pushliteral(L, ", ");
      lua_pushlstring(L, field.value, field.value_size);
      lua_concat(L, 3);
    }
    lua_rawset(L, -3);
  }
}

static const char *version_name(long version) {
  return version == 20 ? "2" : version == 10 ? "1.0" : "1.1";
}

static void push_response(lua_State *L, const sv_transfer *transfer) {
  const sv_outcome *outcome = sv_transfer_outcome(transfer);
  lua_createtable(L, 0, 10);
  set_integer(L, "status", outcome->status);
  set_integer(L, "bytes_sent", outcome->bytes_sent);
  push_headers(L, transfer);
  lua_setfield(L, -2, "headers");
  if (outcome->to_file) {
    set_integer(L, "file_offset", outcome->file_offset);
    set_integer(L, "file_bytes", outcome->file_bytes);
    lua_pushstring(L, outcome->sha256);
    lua_setfield(L, -2, "sha256");
  } else {
    size_t size;
    const char *body = sv_transfer_body(transfer, &size);
    lua_pushlstring(L, body ? body : "", size);
    lua_setfield(L, -2, "body");
  }
  lua_pushstring(L, version_name(outcome->http_version));
  lua_setfield(L, -2, "http_version");
  lua_pushboolean(L, outcome->reused);
  lua_setfield(L, -2, "reused");
  lua_pushnumber(L, outcome->elapsed);
  lua_setfield(L, -2, "elapsed");
}

/* --- engine ------------------------------------------------------------ */

static int engine_close(lua_State *L) {
  sv_engine **box = check_engine(L);
  sv_engine *engine = *box;
  *box = NULL;
  if (engine) {
    sv_engine_close(engine);
    sv_engine_release(engine);
  }
  return 0;
}

static int engine_submit(lua_State *L) {
  sv_engine *engine = open_engine(L);
  sv_request request;
  sv_outcome failure;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  sv_read_request(L, 2, &request);
  sv_transfer **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, TRANSFER);
  *box = sv_engine_submit(engine, &request, &failure);
  if (*box) {
    return 1;
  }
  lua_pushnil(L);
  push_failure(L, &failure);
  return 2;
}

static int engine_step(lua_State *L) {
  sv_engine *engine = open_engine(L);
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 2, "out of range");
  lua_pushboolean(L, sv_engine_step(engine, seconds));
  return 1;
}

static int engine_in_flight(lua_State *L) {
  lua_pushinteger(L, sv_engine_in_flight(open_engine(L)));
  return 1;
}

/* --- transfer ---------------------------------------------------------- */

static int transfer_gc(lua_State *L) {
  sv_transfer **box = luaL_checkudata(L, 1, TRANSFER);
  sv_transfer *transfer = *box;
  *box = NULL;
  if (transfer) {
    sv_transfer_release(transfer);
  }
  return 0;
}

static int transfer_done(lua_State *L) {
  lua_pushboolean(L, sv_transfer_done(check_transfer(L)));
  return 1;
}

static int transfer_cancel(lua_State *L) {
  sv_transfer_cancel(check_transfer(L));
  return 0;
}

static int transfer_result(lua_State *L) {
  sv_transfer *transfer = check_transfer(L);
  luaL_argcheck(L, sv_transfer_done(transfer), 1, "still under way");
  const sv_outcome *outcome = sv_transfer_outcome(transfer);
  if (outcome->reason == SV_REASON_NONE) {
    push_response(L, transfer);
    return 1;
  }
  lua_pushnil(L);
  push_failure(L, outcome);
  return 2;
}

static int transfer_answer(lua_State *L) {
  sv_transfer *transfer = check_transfer(L);
  long status = sv_transfer_status(transfer);
  if (status == 0) {
    return 0;
  }
  lua_pushinteger(L, status);
  push_headers(L, transfer);
  return 2;
}

static int transfer_progress(lua_State *L) {
  sv_progress progress = sv_transfer_progress(check_transfer(L));
  lua_pushinteger(L, (lua_Integer)progress.received);
  if (progress.total >= 0) {
    lua_pushinteger(L, (lua_Integer)progress.total);
  } else {
    lua_pushnil(L);
  }
  lua_pushinteger(L, (lua_Integer)progress.sent);
  return 3;
}

/* --- files ------------------------------------------------------------- */

static const char *reason_of_file(int problem) {
  return problem == EWOULDBLOCK ? "busy"
         : problem == EEXIST    ? "exists"
         : problem == ESTALE    ? "changed"
                                : "io";
}

/* What a function about a file returns: what was pushed, or nil and why. */
static int file_results(lua_State *L, int problem) {
  if (!problem) {
    return 1;
  }
  lua_pushnil(L);
  lua_createtable(L, 0, 3);
  lua_pushstring(L, reason_of_file(problem));
  lua_setfield(L, -2, "reason");
  lua_pushstring(L, strerror(problem));
  lua_setfield(L, -2, "message");
  set_integer(L, "errno", problem);
  return 2;
}

static int curl_place(lua_State *L) {
  const char *part = luaL_checkstring(L, 1);
  const char *path = luaL_checkstring(L, 2);
  double bytes = luaL_checknumber(L, 3);
  luaL_argcheck(L, bytes >= 0 && bytes < 1e15, 3, "out of range");
  int problem = sv_place(part, path, (long long)bytes, lua_toboolean(L, 4));
  lua_pushboolean(L, 1);
  return file_results(L, problem);
}

static int curl_discard(lua_State *L) {
  int problem = sv_discard(luaL_checkstring(L, 1), lua_toboolean(L, 2));
  lua_pushboolean(L, 1);
  return file_results(L, problem);
}

static int curl_sha256(lua_State *L) {
  char hex[SV_SHA256_HEX] = "";
  int problem = sv_digest_file(luaL_checkstring(L, 1), hex);
  lua_pushstring(L, hex);
  return file_results(L, problem);
}

/* --- module ------------------------------------------------------------ */

static int curl_now(lua_State *L) {
  lua_pushnumber(L, sv_now());
  return 1;
}

static int curl_libcurl_version(lua_State *L) {
  lua_pushstring(L, curl_version());
  return 1;
}

static int curl_engine(lua_State *L) {
  const char *ca_file = NULL;
  double max_in_flight = MAX_IN_FLIGHT;
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    ca_file = sv_text_field(L, 1, "ca_file", NULL);
    max_in_flight = sv_number_field(L, 1, "max_in_flight", MAX_IN_FLIGHT);
    luaL_argcheck(L, max_in_flight >= 1 && max_in_flight <= INT_MAX, 1,
                  "max_in_flight is out of range");
  }
  sv_engine **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, ENGINE);
  *box = sv_engine_new(ca_file, (int)max_in_flight);
  if (!*box) {
    return luaL_error(L, "out of memory");
  }
  return 1;
}

static const luaL_Reg engine_methods[] = {
    {"submit", engine_submit},       {"step", engine_step},
    {"in_flight", engine_in_flight}, {"close", engine_close},
    {"__gc", engine_close},          {"__close", engine_close},
    {NULL, NULL},
};

static const luaL_Reg transfer_methods[] = {
    {"done", transfer_done},         {"result", transfer_result},
    {"answer", transfer_answer},     {"progress", transfer_progress},
    {"cancel", transfer_cancel},     {"__gc", transfer_gc},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"engine", curl_engine},
    {"now", curl_now},
    {"place", curl_place},
    {"discard", curl_discard},
    {"sha256", curl_sha256},
    {"version", curl_libcurl_version},
    {NULL, NULL},
};

static void make_class(lua_State *L, const char *name,
                       const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

LUALIB_API int luaopen_starvideos_curl(lua_State *L);

LUALIB_API int luaopen_starvideos_curl(lua_State *L) {
  make_class(L, ENGINE, engine_methods);
  make_class(L, TRANSFER, transfer_methods);
  luaL_newlib(L, functions);
  return 1;
}
