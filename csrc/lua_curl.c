/*
** Module starvideos.curl: the engine for Lua. Converts, and decides nothing.
*/
#include <limits.h>
#include <string.h>

#include <curl/curl.h>

#include "compat.h"
#include "engine.h"
#include "head.h"

#define ENGINE "starvideos.curl.engine"
#define TRANSFER "starvideos.curl.transfer"

enum {
  MAX_IN_FLIGHT = 64,
  MAX_BODY = 4 * 1024 * 1024,
};

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

static void wrong_field(lua_State *L, const char *name, const char *wanted) {
  luaL_error(L, "field '%s' of the request must be a %s, not a %s", name,
             wanted, luaL_typename(L, -1));
}

/* The value stays on the stack, so that its bytes stay where they are. */
static const char *text_field(lua_State *L, int table, const char *name,
                              size_t *size) {
  lua_getfield(L, table, name);
  if (lua_isnil(L, -1)) {
    return NULL;
  }
  if (lua_type(L, -1) != LUA_TSTRING) {
    wrong_field(L, name, "string");
  }
  return lua_tolstring(L, -1, size);
}

static double number_field(lua_State *L, int table, const char *name,
                           double otherwise) {
  double number = otherwise;
  lua_getfield(L, table, name);
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER) {
      wrong_field(L, name, "number");
    }
    number = lua_tonumber(L, -1);
    if (!(number >= 0 && number < 1e15)) {
      luaL_error(L, "field '%s' of the request is out of range", name);
    }
  }
  lua_pop(L, 1);
  return number;
}

/* Absent is without a limit; a limit of zero is over at once, and not that. */
static double time_field(lua_State *L, int table, const char *name) {
  double seconds = number_field(L, table, name, -1);
  return seconds < 0 ? 0 : seconds < 0.001 ? 0.001 : seconds;
}

static bool boolean_field(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  bool is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

/* --- requests ---------------------------------------------------------- */

static size_t count_fields(lua_State *L, int table) {
  size_t count = 0;
  lua_pushnil(L);
  while (lua_next(L, table)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
      luaL_error(L, "headers must be strings under their names");
    }
    lua_pop(L, 1);
    count++;
  }
  return count;
}

/* A NUL inside would cut the text short: it is passed on as a control
** character, which the engine refuses. */
static const char *whole_text(lua_State *L, int index) {
  size_t size;
  const char *text = lua_tolstring(L, index, &size);
  return strlen(text) == size ? text : "\1";
}

static void read_headers(lua_State *L, int table, sv_request *request) {
  lua_getfield(L, table, "headers");
  if (lua_isnil(L, -1)) {
    return;
  }
  if (!lua_istable(L, -1)) {
    wrong_field(L, "headers", "table");
  }
  int headers_table = lua_gettop(L);
  size_t count = count_fields(L, headers_table), i = 0;
  sv_header *headers = lua_newuserdata(L, (count + 1) * sizeof *headers);
  lua_pushnil(L);
  while (lua_next(L, headers_table)) {
    headers[i].name = whole_text(L, -2);
    headers[i++].value = whole_text(L, -1);
    lua_pop(L, 1);
  }
  request->headers = headers;
  request->header_count = i;
}

static void read_sink(lua_State *L, int table, sv_request *request) {
  lua_getfield(L, table, "sink");
  if (lua_isnil(L, -1)) {
    return;
  }
  if (!lua_istable(L, -1)) {
    wrong_field(L, "sink", "table");
  }
  int sink = lua_gettop(L);
  request->sink_path = text_field(L, sink, "path", NULL);
  if (!request->sink_path) {
    luaL_error(L, "field 'path' of the sink is missing");
  }
  request->sink_offset = (long long)number_field(L, sink, "offset", 0);
  request->sink_sync = boolean_field(L, sink, "sync");
}

static void read_request(lua_State *L, int table, sv_request *request) {
  memset(request, 0, sizeof *request);
  luaL_checkstack(L, 16, "request");
  request->method = text_field(L, table, "method", NULL);
  request->url = text_field(L, table, "url", NULL);
  if (!request->url) {
    luaL_error(L, "field 'url' of the request is missing");
  }
  request->url = whole_text(L, -1);
  request->method = request->method ? request->method : "GET";
  request->body = text_field(L, table, "body", &request->body_size);
  request->connect_timeout = time_field(L, table, "connect_timeout");
  request->timeout = time_field(L, table, "timeout");
  request->stall_seconds = number_field(L, table, "stall_seconds", 0);
  request->stall_bytes = (long)number_field(L, table, "stall_bytes", 1);
  request->max_body = (size_t)number_field(L, table, "max_body", MAX_BODY);
  double redirects = number_field(L, table, "redirects", 0);
  request->redirects = redirects < INT_MAX ? (int)redirects : INT_MAX;
  request->fresh = boolean_field(L, table, "fresh");
  request->insecure_http = boolean_field(L, table, "insecure_http");
  read_headers(L, table, request);
  read_sink(L, table, request);
}

/* --- results ----------------------------------------------------------- */

static void set_integer(lua_State *L, const char *name, long long number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, name);
}

static void push_failure(lua_State *L, const sv_outcome *outcome) {
  lua_createtable(L, 0, 7);
  lua_pushstring(L, sv_reason_name(outcome->reason));
  lua_setfield(L, -2, "reason");
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
  lua_createtable(L, 0, 9);
  set_integer(L, "status", outcome->status);
  set_integer(L, "bytes_sent", outcome->bytes_sent);
  push_headers(L, transfer);
  lua_setfield(L, -2, "headers");
  if (outcome->to_file) {
    set_integer(L, "file_offset", outcome->file_offset);
    set_integer(L, "file_bytes", outcome->file_bytes);
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
  read_request(L, 2, &request);
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
    ca_file = text_field(L, 1, "ca_file", NULL);
    max_in_flight = number_field(L, 1, "max_in_flight", MAX_IN_FLIGHT);
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
