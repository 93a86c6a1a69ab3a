#include "binding/exchange.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "http/answer.h"

#include "rules/visibility.h"

enum { MAX_BODY = 4 * 1024 * 1024, MAX_IN_FLIGHT = 64 };

static void wrong_field(lua_State *L, const char *name, const char *wanted) {
  luaL_error(L, "field '%s' of the request must be a %s, not a %s", name,
             wanted, luaL_typename(L, -1));
}

/* A text stays on the stack, so that its bytes stay where they are; `size` may
** be NULL. NULL where the field is absent. */
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

/* What a narrow type cannot hold is as good as its largest value. */
static double capped_field(lua_State *L, int table, const char *name,
                           double otherwise, double most) {
  double number = number_field(L, table, name, otherwise);
  return number < most ? number : most;
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

static void read_headers(lua_State *L, int table, sv_request *request,
                         sv_header few[SV_FEW_HEADERS]) {
  lua_getfield(L, table, "headers");
  if (lua_isnil(L, -1)) {
    return;
  }
  if (!lua_istable(L, -1)) {
    wrong_field(L, "headers", "table");
  }
  int headers_table = lua_gettop(L);
  size_t count = count_fields(L, headers_table), i = 0;
  sv_header *headers = count <= SV_FEW_HEADERS
                           ? few
                           : lua_newuserdata(L, count * sizeof *headers);
  /* A finalizer may have added some since they were counted. */
  lua_pushnil(L);
  while (i < count && lua_next(L, headers_table)) {
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
  request->sink_any = boolean_field(L, sink, "any");
  request->sink_sync = boolean_field(L, sink, "sync");
  request->sink_etag = text_field(L, sink, "etag", NULL);
  request->sink_modified = text_field(L, sink, "modified", NULL);
  request->sink_total = (long long)number_field(L, sink, "total", 0);
  request->sink_max = (long long)number_field(L, sink, "max", 0);
  request->sink_notes = text_field(L, sink, "notes", NULL);
  request->sink_before = text_field(L, sink, "before", NULL);
}

void sv_read_request(lua_State *L, int table, sv_request *request,
                     sv_header few[SV_FEW_HEADERS]) {
  memset(request, 0, sizeof *request);
  luaL_checkstack(L, 20, "request");
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
  request->send_by = number_field(L, table, "send_by", 0);
  request->stall_seconds = number_field(L, table, "stall_seconds", 0);
  request->stall_bytes =
      (long)capped_field(L, table, "stall_bytes", 1, (double)LONG_MAX);
  request->max_body =
      (size_t)capped_field(L, table, "max_body", MAX_BODY, (double)SIZE_MAX);
  request->redirects = (int)capped_field(L, table, "redirects", 0, INT_MAX);
  request->fresh = boolean_field(L, table, "fresh");
  request->insecure_http = boolean_field(L, table, "insecure_http");
  request->public_only = boolean_field(L, table, "public_only");
  read_headers(L, table, request, few);
  read_sink(L, table, request);
}

const char *sv_read_network(lua_State *L, int table, int *max_in_flight,
                            bool *is_inline) {
  *max_in_flight = MAX_IN_FLIGHT;
  *is_inline = false;
  if (lua_isnoneornil(L, table)) {
    return NULL;
  }
  luaL_checktype(L, table, LUA_TTABLE);
  *is_inline = boolean_field(L, table, "inline");
  const char *ca_file = text_field(L, table, "ca_file", NULL);
  double most = number_field(L, table, "max_in_flight", MAX_IN_FLIGHT);
  luaL_argcheck(L, most >= 1 && most <= INT_MAX, table,
                "max_in_flight is out of range");
  *max_in_flight = (int)most;
  return ca_file;
}

/* The guard may raise: nothing was sent yet. */
bool sv_guard_request(lua_State *L, int table, sv_outcome *failure) {
  int box = lua_gettop(L);
  bool is_revoked = false;
  luaL_checkstack(L, 4, "request");
  lua_getfield(L, table, "guard");
  if (lua_isfunction(L, -1)) {
    lua_pushvalue(L, box);
    lua_setfield(L, table, "ticket");
    lua_call(L, 0, 0);
    is_revoked = boolean_field(L, table, "revoked");
  }
  lua_settop(L, box);
  if (is_revoked) {
    memset(failure, 0, sizeof *failure);
    sv_outcome_say(failure, SV_REASON_CANCELLED,
                   "its call ended before it was sent");
  }
  return !is_revoked;
}

/* --- what came of it ------------------------------------------------------ */

enum { USUAL_HEADERS = 8 }; /* of an answer; more make a table that grows */

static void set_integer(lua_State *L, const char *name, long long number) {
  sv_push_integer(L, number);
  lua_setfield(L, -2, name);
}

int sv_push_failure(lua_State *L, const sv_outcome *outcome) {
  lua_pushnil(L);
  lua_createtable(L, 0, 8);
  sv_set_text(L, "reason", sv_reason_name(outcome->reason));
  sv_set_text(L, "phase", sv_phase_name(outcome->phase));
  sv_set_text(L, "message", outcome->message);
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
  return 2;
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

/* Makes a list of the value on top, and puts it under the name below it. */
static void begin_list(lua_State *L, int headers) {
  lua_createtable(L, 2, 0);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_rawset(L, headers);
}

/* The values of a name that comes again stand in a list until all are known:
** joined one by one, short lines would be copied 64 KiB at a time. True where
** a list was begun. */
static bool add_header(lua_State *L, int headers, const sv_header_line *line) {
  push_lowered(L, line->name, line->name_size);
  lua_pushvalue(L, -1);
  lua_rawget(L, headers);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, line->value, line->value_size);
    lua_rawset(L, headers);
    return false;
  }
  bool begins = !lua_istable(L, -1);
  if (begins) {
    begin_list(L, headers);
  }
  lua_pushlstring(L, line->value, line->value_size);
  lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
  lua_pop(L, 2);
  return begins;
}

static void push_joined(lua_State *L, int list) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (int i = 1, count = (int)lua_rawlen(L, list); i <= count; i++) {
    if (i > 1) {
      luaL_addlstring(&text, ", ", 2);
    }
    lua_rawgeti(L, list, i);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
}

static void join_lists(lua_State *L, int headers) {
  lua_pushnil(L);
  while (lua_next(L, headers)) {
    if (lua_istable(L, -1)) {
      lua_pushvalue(L, -2);
      push_joined(L, lua_gettop(L) - 1);
      lua_rawset(L, headers);
    }
    lua_pop(L, 1);
  }
}

static void push_headers(lua_State *L, const sv_transfer *transfer) {
  const char *cursor = transfer->head.data;
  const char *end = cursor ? cursor + transfer->head.size : NULL;
  bool repeated = false;
  sv_header_line line;
  luaL_checkstack(L, LUA_MINSTACK, "headers");
  lua_createtable(L, 0, USUAL_HEADERS);
  int headers = lua_gettop(L);
  while (cursor && sv_head_next(&cursor, end, &line)) {
    repeated = add_header(L, headers, &line) || repeated;
  }
  if (repeated) {
    join_lists(L, headers);
  }
}

static const char *version_name(long version) {
  return version == 20 ? "2" : version == 10 ? "1.0" : "1.1";
}

static void set_text(lua_State *L, const sv_transfer *transfer) {
  const sv_buffer *body = &transfer->body;
  lua_pushlstring(L, body->data ? body->data : "", body->size);
  lua_setfield(L, -2, "body");
}

static void set_body(lua_State *L, const sv_transfer *transfer,
                     const sv_outcome *outcome) {
  if (outcome->to_file) {
    set_integer(L, "file_offset", outcome->file_offset);
    set_integer(L, "file_bytes", outcome->file_bytes);
    sv_set_text(L, "sha256", outcome->sha256);
  } else {
    set_text(L, transfer);
  }
}

static void push_response(lua_State *L, const sv_transfer *transfer,
                          const sv_outcome *outcome) {
  lua_createtable(L, 0, 10);
  set_integer(L, "status", outcome->status);
  set_body(L, transfer, outcome);
  push_headers(L, transfer);
  lua_setfield(L, -2, "headers");
  lua_pushnumber(L, outcome->elapsed);
  lua_setfield(L, -2, "elapsed");
  set_integer(L, "bytes_sent", outcome->bytes_sent);
  sv_set_text(L, "http_version", version_name(outcome->http_version));
  lua_pushboolean(L, outcome->reused);
  lua_setfield(L, -2, "reused");
}

int sv_push_result(lua_State *L, const sv_transfer *transfer,
                   const sv_outcome *outcome) {
  if (outcome->reason == SV_REASON_NONE) {
    push_response(L, transfer, outcome);
    return 1;
  }
  sv_push_failure(L, outcome);
  if (outcome->phase == SV_PHASE_BODY && !outcome->to_file) {
    set_text(L, transfer); /* the id in it may be that of a task */
    push_headers(L, transfer);
    lua_setfield(L, -2, "headers");
  }
  return 2;
}

int sv_push_answer(lua_State *L, const sv_transfer *transfer, long status) {
  if (status == 0) {
    return 0;
  }
  lua_pushinteger(L, status);
  push_headers(L, transfer);
  lua_pushboolean(L, !transfer->outcome.to_file);
  return 3;
}
