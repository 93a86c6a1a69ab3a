#include "binding/marshal.h"

#include <string.h>

#include "rules/visibility.h"

enum { MAX_DEPTH = 16 };

/* What a value begins with. */
enum {
  NIL = 'n', YES = 't', NO = 'f', NUMBER = 'd', INTEGER = 'i', TEXT = 's',
  TABLE = '{', END = '}'
};

/* --- writing ------------------------------------------------------------- */

static void add(lua_State *L, sv_buffer *buffer, const void *bytes,
                size_t size) {
  if (!sv_buffer_add(buffer, bytes, size)) {
    luaL_error(L, "not enough memory");
  }
}

static void add_tag(lua_State *L, sv_buffer *buffer, char tag) {
  add(L, buffer, &tag, 1);
}

static void write_number(lua_State *L, int index, sv_buffer *buffer) {
  if (lua_isinteger(L, index)) {
    lua_Integer integer = lua_tointeger(L, index);
    add_tag(L, buffer, INTEGER);
    add(L, buffer, &integer, sizeof integer);
    return;
  }
  lua_Number number = lua_tonumber(L, index);
  add_tag(L, buffer, NUMBER);
  add(L, buffer, &number, sizeof number);
}

static void write_text(lua_State *L, int index, sv_buffer *buffer) {
  size_t size;
  const char *text = lua_tolstring(L, index, &size);
  add_tag(L, buffer, TEXT);
  add(L, buffer, &size, sizeof size);
  add(L, buffer, text, size);
}

static void write_value(lua_State *L, int index, sv_buffer *buffer, int depth);

static void write_table(lua_State *L, int index, sv_buffer *buffer,
                        int depth) {
  if (depth > MAX_DEPTH) {
    luaL_error(L, "a message holds no tables this deep");
  }
  luaL_checkstack(L, 4, "message");
  add_tag(L, buffer, TABLE);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int value = lua_gettop(L);
    write_value(L, value - 1, buffer, depth);
    write_value(L, value, buffer, depth);
    lua_pop(L, 1);
  }
  add_tag(L, buffer, END);
}

static void write_value(lua_State *L, int index, sv_buffer *buffer,
                        int depth) {
  switch (lua_type(L, index)) {
    case LUA_TNIL:
      add_tag(L, buffer, NIL);
      break;
    case LUA_TBOOLEAN:
      add_tag(L, buffer, lua_toboolean(L, index) ? YES : NO);
      break;
    case LUA_TNUMBER:
      write_number(L, index, buffer);
      break;
    case LUA_TSTRING:
      write_text(L, index, buffer);
      break;
    case LUA_TTABLE:
      write_table(L, index, buffer, depth + 1);
      break;
    default:
      luaL_error(L, "a message holds no %s", luaL_typename(L, index));
  }
}

void sv_write_values(lua_State *L, int first, int last, sv_buffer *buffer) {
  for (int index = first; index <= last; index++) {
    write_value(L, index, buffer, 0);
  }
}

/* --- reading ------------------------------------------------------------- */

static void get(const char **from, void *value, size_t size) {
  memcpy(value, *from, size);
  *from += size;
}

static void push_text(lua_State *L, const char **from) {
  size_t size;
  get(from, &size, sizeof size);
  lua_pushlstring(L, *from, size);
  *from += size;
}

static void push_value(lua_State *L, const char **from);

static void push_table(lua_State *L, const char **from) {
  luaL_checkstack(L, 4, "message");
  lua_newtable(L);
  while (**from != END) {
    push_value(L, from);
    push_value(L, from);
    lua_rawset(L, -3);
  }
  ++*from;
}

static void push_value(lua_State *L, const char **from) {
  lua_Number number;
  lua_Integer integer;
  switch (*(*from)++) {
    case NIL:
      lua_pushnil(L);
      break;
    case YES:
      lua_pushboolean(L, 1);
      break;
    case NO:
      lua_pushboolean(L, 0);
      break;
    case NUMBER:
      get(from, &number, sizeof number);
      lua_pushnumber(L, number);
      break;
    case INTEGER:
      get(from, &integer, sizeof integer);
      lua_pushinteger(L, integer);
      break;
    case TEXT:
      push_text(L, from);
      break;
    default:
      push_table(L, from);
  }
}

int sv_push_values(lua_State *L, const sv_buffer *buffer, size_t at) {
  const char *from = buffer->data + at;
  const char *end = buffer->data + buffer->size;
  int count = 0;
  while (from < end) {
    luaL_checkstack(L, 1, "message");
    push_value(L, &from);
    count++;
  }
  return count;
}
