#include "binding/catalog.h"

#include <string.h>

#include "binding/value.h"

#include "rules/visibility.h"

static void push_texts(lua_State *L, const char *const *texts) {
  lua_newtable(L);
  for (int i = 0; i < SV_MAX_CHOICES && texts[i]; i++) {
    lua_pushstring(L, texts[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_numbers(lua_State *L, const double *numbers) {
  lua_newtable(L);
  for (int i = 0; i < SV_MAX_CHOICES && numbers[i] > 0; i++) {
    sv_push_number(L, numbers[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_editions(lua_State *L, unsigned editions) {
  int count = 0;
  lua_newtable(L);
  for (unsigned i = 0; i < SV_EDITION_COUNT; i++) {
    if (editions & SV_BIT(i)) {
      lua_pushstring(L, sv_edition_name((sv_edition)i));
      lua_rawseti(L, -2, ++count);
    }
  }
}

/* Pushes what stands at `place`, or nil where the row sets nothing there. */
static void push_cell(lua_State *L, sv_row_kind kind, const void *place) {
  const char *const *texts = place;
  const double *numbers = place;
  if (kind == SV_ROW_TEXT && *texts) {
    lua_pushstring(L, *texts);
  } else if (kind == SV_ROW_TEXTS && *texts) {
    push_texts(L, texts);
  } else if (kind == SV_ROW_NUMBER && *numbers > 0) {
    sv_push_number(L, *numbers);
  } else if (kind == SV_ROW_NUMBERS && *numbers > 0) {
    push_numbers(L, numbers);
  } else if (kind == SV_ROW_FLAG && *(const bool *)place) {
    lua_pushboolean(L, 1);
  } else if (kind == SV_ROW_EDITIONS && *(const unsigned *)place) {
    push_editions(L, *(const unsigned *)place);
  } else {
    lua_pushnil(L);
  }
}

static void set_cells(lua_State *L, const sv_row_group *group,
                      const sv_model *row) {
  const char *base = (const char *)row + group->place;
  for (size_t k = 0; k < group->count; k++) {
    push_cell(L, group->keys[k].kind, base + group->keys[k].place);
    lua_setfield(L, -2, group->keys[k].name);
  }
}

void sv_push_row(lua_State *L, const sv_model *row) {
  lua_createtable(L, 0, (int)(sv_row_groups[0].count + sv_row_group_count));
  set_cells(L, &sv_row_groups[0], row);
  for (size_t g = 1; g < sv_row_group_count; g++) {
    const sv_row_group *group = &sv_row_groups[g];
    if ((row->takes & group->takes) == group->takes) {
      lua_createtable(L, 0, (int)group->count);
      set_cells(L, group, row);
      lua_setfield(L, -2, group->name);
    }
  }
}

/* Where in the caller's rows a fault lies. */
typedef struct spot {
  int row;
  const char *group, *key;
  int words; /* stack slot of a table for the texts that were read */
} spot;

static int bad_row(lua_State *L, const spot *at, const char *what) {
  return luaL_error(L, "models[%d]%s%s%s%s %s", at->row, at->group ? "." : "",
                    at->group ? at->group : "", at->key ? "." : "",
                    at->key ? at->key : "", what);
}

/* The string at the top of the stack, which `words` keeps alive: its own table
** may be weak, or have made it up in __index. */
static const char *read_word(lua_State *L, const spot *at) {
  size_t length = 0;
  const char *text = lua_type(L, -1) == LUA_TSTRING
                         ? lua_tolstring(L, -1, &length)
                         : NULL;
  if (!text || !sv_is_word(text, length)) {
    bad_row(L, at, "must be a short text without blanks");
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, at->words, (int)lua_rawlen(L, at->words) + 1);
  return text;
}

static double read_limit(lua_State *L, const spot *at) {
  double number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
  if (!sv_is_limit(number)) {
    bad_row(L, at, "must be a number above 0");
  }
  return number;
}

/* Whether the value at the top of the stack is a table and all in it stands
** at positions: a list that was forgotten must not pass for an empty one. */
bool sv_is_list(lua_State *L) {
  size_t count = 0;
  if (!lua_istable(L, -1)) {
    return false;
  }
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    count++;
    lua_pop(L, 1);
  }
  return count == lua_rawlen(L, -1);
}

static size_t list_size(lua_State *L, const spot *at) {
  if (!sv_is_list(L) || lua_rawlen(L, -1) > SV_MAX_CHOICES) {
    bad_row(L, at, "must be a list of at most 16");
  }
  return lua_rawlen(L, -1);
}

static void read_list(lua_State *L, const spot *at, sv_row_kind kind,
                      void *place) {
  size_t size = list_size(L, at);
  for (size_t i = 0; i < size; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    if (kind == SV_ROW_TEXTS) {
      ((const char **)place)[i] = read_word(L, at);
    } else {
      ((double *)place)[i] = read_limit(L, at);
    }
    lua_pop(L, 1);
  }
}

static unsigned read_editions(lua_State *L, const spot *at) {
  unsigned editions = 0;
  size_t size = list_size(L, at);
  for (size_t i = 0; i < size; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    sv_value name = sv_to_value(L, -1);
    sv_edition edition = sv_edition_find(&name);
    if (edition == SV_EDITION_COUNT) {
      bad_row(L, at, "names an edition that does not exist");
    }
    editions |= SV_BIT(edition);
    lua_pop(L, 1);
  }
  return editions;
}

static void read_cell(lua_State *L, const spot *at, sv_row_kind kind,
                      void *place) {
  switch (kind) {
    case SV_ROW_TEXT:
      *(const char **)place = read_word(L, at);
      break;
    case SV_ROW_NUMBER:
      *(double *)place = read_limit(L, at);
      break;
    case SV_ROW_FLAG:
      if (!lua_isboolean(L, -1)) {
        bad_row(L, at, "must be true or false");
      }
      *(bool *)place = lua_toboolean(L, -1);
      break;
    case SV_ROW_EDITIONS:
      *(unsigned *)place = read_editions(L, at);
      break;
    default:
      read_list(L, at, kind, place);
  }
}

static void read_cells(lua_State *L, spot *at, const sv_row_group *group,
                       sv_model *row) {
  char *base = (char *)row + group->place;
  for (size_t k = 0; k < group->count; k++) {
    const sv_row_key *key = &group->keys[k];
    at->key = key->name;
    lua_getfield(L, -1, key->name);
    if (!lua_isnil(L, -1)) {
      read_cell(L, at, key->kind, base + key->place);
    }
    lua_pop(L, 1);
  }
  at->key = NULL;
}

static bool has_key(const sv_row_group *group, const sv_value *name) {
  for (size_t k = 0; k < group->count; k++) {
    if (sv_is_text(name, group->keys[k].name)) {
      return true;
    }
  }
  for (size_t g = 1; !group->name && g < sv_row_group_count; g++) {
    if (sv_is_text(name, sv_row_groups[g].name)) {
      return true;
    }
  }
  return false;
}

/* A misspelt limit must not pass for no limit. */
static void check_keys(lua_State *L, spot *at, const sv_row_group *group) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    sv_value name = sv_to_value(L, -2);
    if (!has_key(group, &name)) {
      at->key = name.kind == SV_TEXT ? name.as.text.at : "[...]";
      bad_row(L, at, "is no part of a row");
    }
    lua_pop(L, 1);
  }
}

static void read_group(lua_State *L, spot *at, const sv_row_group *group,
                       sv_model *row) {
  if (!lua_istable(L, -1)) {
    bad_row(L, at, "must be a table");
  }
  check_keys(L, at, group);
  read_cells(L, at, group, row);
  row->takes |= group->takes;
}

/* The row at the top of the stack; its texts stay Lua's. */
void sv_read_row(lua_State *L, int number, int words, sv_model *row) {
  spot at = {number, NULL, NULL, words};
  memset(row, 0, sizeof *row);
  read_group(L, &at, &sv_row_groups[0], row);
  for (size_t g = 1; g < sv_row_group_count; g++) {
    at.group = sv_row_groups[g].name;
    lua_getfield(L, -1, at.group);
    if (!lua_isnil(L, -1)) {
      read_group(L, &at, &sv_row_groups[g], row);
    }
    lua_pop(L, 1);
  }
  const char *fault = sv_row_fault(row);
  if (fault) {
    luaL_error(L, "models[%d]: %s", number, fault);
  }
}
