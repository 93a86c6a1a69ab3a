#include "binding/response.h"

#include "rules/text.h"
#include "http/answer.h"

#include "rules/visibility.h"

enum {
  USUAL_HEADERS = 8, /* of an answer; more make a table that grows */
  MOST_READ = 8,
};

void sv_set_integer(lua_State *L, const char *name, long long number) {
  sv_push_integer(L, number);
  lua_setfield(L, -2, name);
}

void sv_push_failure(lua_State *L, const sv_outcome *outcome) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, sv_reason_name(outcome->reason));
  lua_setfield(L, -2, "reason");
  lua_pushstring(L, sv_phase_name(outcome->phase));
  lua_setfield(L, -2, "phase");
  lua_pushstring(L, outcome->message);
  lua_setfield(L, -2, "message");
  lua_pushboolean(L, outcome->sent);
  lua_setfield(L, -2, "sent");
  sv_set_integer(L, "bytes_sent", outcome->bytes_sent);
  sv_set_integer(L, "received", outcome->received);
  if (outcome->status) {
    sv_set_integer(L, "status", outcome->status);
  }
  if (outcome->system_error) {
    sv_set_integer(L, "errno", outcome->system_error);
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

/* The names of the headers that somebody reads; the list holds the texts. */
typedef struct names {
  const char *text[MOST_READ];
  size_t size[MOST_READ];
  int count; /* -1: all are read */
} names;

static names read_names(lua_State *L, int list) {
  names wanted = {.count = -1};
  if (lua_istable(L, list)) {
    int count = (int)lua_rawlen(L, list);
    luaL_argcheck(L, count <= MOST_READ, list, "too many headers are read");
    for (int i = 0; i < count; i++) {
      lua_rawgeti(L, list, i + 1);
      luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, list,
                    "the name of a header is no string");
      wanted.text[i] = lua_tolstring(L, -1, &wanted.size[i]);
      lua_pop(L, 1);
    }
    wanted.count = count;
  }
  return wanted;
}

/* Whether there is any that is read: without the first the others say nothing. */
static bool has_first(const sv_transfer *transfer, const names *wanted) {
  size_t size;
  const char *head = sv_transfer_head(transfer, &size);
  sv_header_line line;
  return wanted->count < 0 ||
         (wanted->count > 0 && sv_head_find(head, size, wanted->text[0], &line));
}

static bool is_read(const names *wanted, const sv_header_line *line) {
  for (int i = 0; i < wanted->count; i++) {
    if (line->name_size == wanted->size[i] &&
        sv_starts_with(line->name, line->name_size, wanted->text[i])) {
      return true;
    }
  }
  return wanted->count < 0;
}

static void push_headers(lua_State *L, const sv_transfer *transfer,
                         const names *wanted) {
  size_t size;
  const char *cursor = sv_transfer_head(transfer, &size);
  const char *end = cursor ? cursor + size : cursor;
  bool repeated = false;
  sv_header_line line;
  luaL_checkstack(L, LUA_MINSTACK, "headers");
  lua_createtable(L, 0, wanted->count < 0 ? USUAL_HEADERS : 0);
  int headers = lua_gettop(L);
  while (cursor && sv_head_next(&cursor, end, &line)) {
    if (is_read(wanted, &line)) {
      repeated = add_header(L, headers, &line) || repeated;
    }
  }
  if (repeated) {
    join_lists(L, headers);
  }
}

static const char *version_name(long version) {
  return version == 20 ? "2" : version == 10 ? "1.0" : "1.1";
}

static void set_text(lua_State *L, const sv_transfer *transfer) {
  size_t size;
  const char *body = sv_transfer_body(transfer, &size);
  lua_pushlstring(L, body ? body : "", size);
  lua_setfield(L, -2, "body");
}

static void set_body(lua_State *L, const sv_transfer *transfer,
                     const sv_outcome *outcome) {
  if (outcome->to_file) {
    sv_set_integer(L, "file_offset", outcome->file_offset);
    sv_set_integer(L, "file_bytes", outcome->file_bytes);
    lua_pushstring(L, outcome->sha256);
    lua_setfield(L, -2, "sha256");
  } else {
    set_text(L, transfer);
  }
}

static void set_connection(lua_State *L, const sv_outcome *outcome) {
  sv_set_integer(L, "bytes_sent", outcome->bytes_sent);
  lua_pushstring(L, version_name(outcome->http_version));
  lua_setfield(L, -2, "http_version");
  lua_pushboolean(L, outcome->reused);
  lua_setfield(L, -2, "reused");
}

static void push_response(lua_State *L, const sv_transfer *transfer,
                          const sv_outcome *outcome, const names *wanted) {
  bool is_whole = wanted->count < 0;
  lua_createtable(L, 0, is_whole ? 10 : 4);
  sv_set_integer(L, "status", outcome->status);
  set_body(L, transfer, outcome);
  if (has_first(transfer, wanted)) {
    push_headers(L, transfer, wanted);
    lua_setfield(L, -2, "headers");
  }
  lua_pushnumber(L, outcome->elapsed);
  lua_setfield(L, -2, "elapsed");
  if (is_whole) {
    set_connection(L, outcome);
  }
}

int sv_push_result(lua_State *L, int reads, const sv_transfer *transfer,
                   const sv_outcome *outcome) {
  if (outcome->reason == SV_REASON_NONE) {
    names wanted = read_names(L, reads);
    push_response(L, transfer, outcome, &wanted);
    return 1;
  }
  lua_pushnil(L);
  sv_push_failure(L, outcome);
  if (outcome->phase == SV_PHASE_BODY && !outcome->to_file) {
    set_text(L, transfer); /* the id in it may be that of a task */
    push_headers(L, transfer, &(names){.count = -1});
    lua_setfield(L, -2, "headers");
  }
  return 2;
}

int sv_push_answer(lua_State *L, const sv_transfer *transfer, long status) {
  if (status == 0) {
    return 0;
  }
  const names all = {.count = -1};
  lua_pushinteger(L, status);
  push_headers(L, transfer, &all);
  lua_pushboolean(L, !sv_transfer_is_saved(transfer));
  return 3;
}

int sv_push_progress(lua_State *L, sv_progress progress) {
  sv_push_integer(L, progress.received);
  if (progress.total >= 0) {
    sv_push_integer(L, progress.total);
  } else {
    lua_pushnil(L);
  }
  sv_push_integer(L, progress.sent);
  return 3;
}
