#include "binding/core.h"

#include <string.h>

#include "rules/model.h"
#include "rules/report.h"
#include "rules/validate.h"

#include "rules/visibility.h"

#define CATALOG "starvideos.core.catalog"
#define REPORT "starvideos.core.report"

enum {
  STACK_ENTRIES = 48, /* as many fit a request without further memory */
  MAX_DEPTH = 3,      /* params, an array in them, a medium in that */
};

/* Slots of the stack: of validate, and of catalog. */
enum { PARAMS = 2, ROOM = 3 };
enum { OPTIONS = 1, NEW_CATALOG = 2, WORDS = 3 };

/* --- rows --------------------------------------------------------------- */

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
  if ((kind == SV_ROW_TEXT || kind == SV_ROW_PHRASE) && *texts) {
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

static void push_row(lua_State *L, const sv_model *row) {
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
static const char *read_text(lua_State *L, const spot *at, sv_row_kind kind) {
  bool is_phrase = kind == SV_ROW_PHRASE;
  size_t length = 0;
  const char *text = lua_type(L, -1) == LUA_TSTRING
                         ? lua_tolstring(L, -1, &length)
                         : NULL;
  if (!text || !(is_phrase ? sv_is_phrase : sv_is_word)(text, length)) {
    bad_row(L, at, is_phrase ? "must be a short text of one line"
                             : "must be a short text without blanks");
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
static bool is_list(lua_State *L) {
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
  if (!is_list(L) || lua_rawlen(L, -1) > SV_MAX_CHOICES) {
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
      ((const char **)place)[i] = read_text(L, at, SV_ROW_TEXT);
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
    case SV_ROW_PHRASE:
      *(const char **)place = read_text(L, at, kind);
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
static void read_row(lua_State *L, int number, int words, sv_model *row) {
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

/* --- tables to values --------------------------------------------------- */

/* Room for the entries of a request. What does not fit only counts, in
** `used`: an allocation half-way could set the collector to work, and with it
** finalizers and weak tables, which take away what entries point at. */
typedef struct arena {
  sv_entry *entries;
  size_t used, room;
} arena;

static sv_entry *new_entry(arena *a) {
  size_t at = a->used++;
  return &a->entries[at < a->room ? at : 0];
}

/* The entries of the table at the top of the stack, in any order. Takes two
** slots of the stack for each level and allocates nothing. */
static sv_entry *to_entries(lua_State *L, arena *a, int depth) {
  sv_entry *first = NULL;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    sv_entry *entry = new_entry(a);
    entry->key = sv_to_value(L, -2);
    entry->value = sv_to_value(L, -1);
    entry->next = first;
    first = entry;
    if (entry->value.kind == SV_TABLE && depth < MAX_DEPTH &&
        (depth > 1 || sv_looks_into(&entry->key))) {
      sv_entry *inner = to_entries(L, a, depth + 1);
      entry->value.as.entries = inner;
    }
    lua_pop(L, 1);
  }
  return first;
}

/* The request at PARAMS. What does not fit the arena goes to userdata that
** ROOM holds. The entries are good until Lua allocates again. */
static sv_params to_params(lua_State *L, arena *a) {
  for (;;) {
    sv_params params;
    a->used = 0;
    lua_pushvalue(L, PARAMS);
    params.entries = to_entries(L, a, 1);
    lua_pop(L, 1);
    if (a->used <= a->room) {
      return params;
    }
    a->entries = lua_newuserdata(L, a->used * sizeof *a->entries);
    a->room = a->used;
    lua_replace(L, ROOM);
  }
}

/* --- reports to tables --------------------------------------------------- */

static int report_gc(lua_State *L) {
  sv_report_close(luaL_checkudata(L, 1, REPORT));
  return 0;
}

static void set_value(lua_State *L, const char *name, const sv_value *value) {
  if (value->kind == SV_NUMBER) {
    sv_push_number(L, value->as.number);
  } else if (value->kind == SV_TEXT) {
    lua_pushlstring(L, value->as.text.at, value->as.text.length);
  } else {
    return;
  }
  lua_setfield(L, -2, name);
}

static void push_issue(lua_State *L, const sv_issue *issue) {
  lua_createtable(L, 0, 5);
  sv_set_text(L, "field", issue->field);
  sv_set_text(L, "code", sv_code_name(issue->code));
  sv_set_text(L, "message", issue->message);
  set_value(L, "limit", &issue->limit);
  set_value(L, "actual", &issue->actual);
}

static void push_issues(lua_State *L, const sv_report *report, bool warnings) {
  int count = 0;
  lua_newtable(L);
  for (size_t i = 0; i < report->kept; i++) {
    const sv_issue *issue = &report->issues[i];
    if ((issue->code >= SV_FIRST_WARNING) == warnings) {
      push_issue(L, issue);
      lua_rawseti(L, -2, ++count);
    }
  }
}

static int push_report(lua_State *L, const sv_report *report) {
  int results = 1;
  lua_pushboolean(L, report->violations == 0);
  if (report->violations > 0) {
    push_issues(L, report, false);
    results++;
  }
  if (report->warnings > 0) {
    push_issues(L, report, true);
    results++;
  }
  return results;
}

/* --- catalog ------------------------------------------------------------- */

static sv_catalog *check_catalog(lua_State *L) {
  return luaL_checkudata(L, 1, CATALOG);
}

static int catalog_gc(lua_State *L) {
  sv_catalog_close(check_catalog(L));
  return 0;
}

static int catalog_validate(lua_State *L) {
  const sv_catalog *catalog = check_catalog(L);
  sv_entry entries[STACK_ENTRIES];
  arena a = {entries, 0, STACK_ENTRIES};
  luaL_checktype(L, PARAMS, LUA_TTABLE);
  lua_settop(L, ROOM);
  sv_report *report = sv_new_object(L, REPORT, sizeof *report);
  sv_params params = to_params(L, &a);
  sv_validate(catalog, &params, report);
  if (report->out_of_memory) {
    return luaL_error(L, "not enough memory");
  }
  return push_report(L, report);
}

static int catalog_models(lua_State *L) {
  const sv_catalog *catalog = check_catalog(L);
  lua_createtable(L, (int)catalog->count, 0);
  for (size_t i = 0; i < catalog->count; i++) {
    push_row(L, catalog->models[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static int catalog_model(lua_State *L) {
  const sv_catalog *catalog = check_catalog(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  sv_value name = sv_to_value(L, 2);
  const sv_model *row = sv_catalog_find(catalog, &name);
  if (!row) {
    return 0;
  }
  push_row(L, row);
  return 1;
}

static sv_edition read_edition(lua_State *L) {
  sv_edition edition = SV_EDITION_COUNT;
  lua_getfield(L, OPTIONS, "edition");
  if (!lua_isnil(L, -1)) {
    sv_value name = sv_to_value(L, -1);
    edition = sv_edition_find(&name);
    if (edition == SV_EDITION_COUNT) {
      luaL_error(L, "edition must be xingchao or mingyan");
    }
  }
  lua_pop(L, 1);
  return edition;
}

static void add_rows(lua_State *L, sv_catalog *catalog) {
  sv_model row;
  lua_getfield(L, OPTIONS, "models");
  if (lua_isnil(L, -1)) {
    return;
  }
  luaL_argcheck(L, is_list(L), OPTIONS, "models must be a list of rows");
  int count = (int)lua_rawlen(L, -1);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    read_row(L, i, WORDS, &row);
    if (!sv_catalog_add(catalog, &row)) {
      luaL_error(L, "not enough memory");
    }
    lua_pop(L, 1);
  }
}

static int core_catalog(lua_State *L) {
  lua_settop(L, OPTIONS);
  if (lua_isnil(L, OPTIONS)) {
    lua_newtable(L);
    lua_replace(L, OPTIONS);
  }
  luaL_checktype(L, OPTIONS, LUA_TTABLE);
  sv_edition edition = read_edition(L);
  sv_catalog *catalog = sv_new_object(L, CATALOG, sizeof *catalog);
  if (!sv_catalog_open(catalog, edition)) {
    return luaL_error(L, "not enough memory");
  }
  lua_newtable(L);
  add_rows(L, catalog);
  lua_settop(L, NEW_CATALOG);
  return 1;
}

/* fields() -> list of { name =, kind =, label =, help =, renamed = }, in the
** order in which faults are reported: each field of a request, of which kind it
** is (model, prompt, duration, choice, frame, old_frame or media), and what
** people are shown; of an old name the field's name now instead. */
static int core_fields(lua_State *L) {
  lua_createtable(L, SV_FIELD_COUNT, 0);
  for (int i = 0; i < SV_FIELD_COUNT; i++) {
    sv_field field = (sv_field)i, now = sv_field_renamed(field);
    lua_createtable(L, 0, 4);
    sv_set_text(L, "name", sv_field_name(field));
    sv_set_text(L, "kind", sv_field_kind(field));
    sv_set_text(L, "label", sv_field_label(field));
    sv_set_text(L, "help", sv_field_help(field));
    if (now != field) {
      sv_set_text(L, "renamed", sv_field_name(now));
    }
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static void set_codes(lua_State *L, const char *name, int from, int to) {
  lua_newtable(L);
  for (int code = from; code < to; code++) {
    lua_pushstring(L, sv_code_name((sv_code)code));
    lua_rawseti(L, -2, code - from + 1);
  }
  lua_setfield(L, -2, name);
}

static const luaL_Reg catalog_methods[] = {
    {"validate", catalog_validate}, {"models", catalog_models},
    {"model", catalog_model},       {"__gc", catalog_gc},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"catalog", core_catalog},
    {"fields", core_fields},
    {NULL, NULL},
};

void sv_add_catalog(lua_State *L) {
  sv_make_class(L, CATALOG, catalog_methods);
  sv_make_class(L, REPORT, (luaL_Reg[]){{"__gc", report_gc}, {NULL, NULL}});
  luaL_setfuncs(L, functions, 0);
  set_codes(L, "codes", 0, SV_FIRST_WARNING);
  set_codes(L, "warning_codes", SV_FIRST_WARNING, SV_CODE_COUNT);
}
