/*
** Module starvideos.core: the catalog and the validator for Lua, and what
** actor.h and system.h add.
** Converts tables into values and reports into tables, and decides nothing.
*/
#include <string.h>

#include "rules/catalog.h"
#include "rules/text.h"
#include "rules/report.h"
#include "rules/validate.h"
#include "rules/value.h"
#include "rules/video.h"
#include "binding/actor.h"
#include "binding/class.h"
#include "binding/disk.h"
#include "binding/compat.h"
#include "binding/catalog.h"
#include "binding/sqlite_file.h"
#include "binding/system.h"
#include "binding/value.h"
#include "binding/watch.h"

SV_TELL_VERSION

#define CATALOG "starvideos.core.catalog"
#define REPORT "starvideos.core.report"

enum {
  STACK_ENTRIES = 48, /* as many fit a request without further memory */
  MAX_DEPTH = 3,      /* params, an array in them, a medium in that */
};

/* Slots of the stack: of validate, and of catalog. */
enum { PARAMS = 2, ROOM = 3 };
enum { OPTIONS = 1, NEW_CATALOG = 2, WORDS = 3 };

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

/* An empty report that Lua's collector closes, whatever happens. */
static sv_report *new_report(lua_State *L) {
  sv_report *report = lua_newuserdata(L, sizeof *report);
  memset(report, 0, sizeof *report);
  report->resize = sv_heap;
  luaL_setmetatable(L, REPORT);
  return report;
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
  lua_pushstring(L, issue->field);
  lua_setfield(L, -2, "field");
  lua_pushstring(L, sv_code_name(issue->code));
  lua_setfield(L, -2, "code");
  lua_pushstring(L, issue->message);
  lua_setfield(L, -2, "message");
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
  sv_report *report = new_report(L);
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
    sv_push_row(L, catalog->models[i]);
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
  sv_push_row(L, row);
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
  luaL_argcheck(L, sv_is_list(L), OPTIONS, "models must be a list of rows");
  int count = (int)lua_rawlen(L, -1);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    sv_read_row(L, i, WORDS, &row);
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
  sv_catalog *catalog = lua_newuserdata(L, sizeof *catalog);
  memset(catalog, 0, sizeof *catalog);
  catalog->resize = sv_heap;
  luaL_setmetatable(L, CATALOG);
  if (!sv_catalog_open(catalog, edition)) {
    return luaL_error(L, "not enough memory");
  }
  lua_newtable(L);
  add_rows(L, catalog);
  lua_settop(L, NEW_CATALOG);
  return 1;
}

/* --- module -------------------------------------------------------------- */

/* content_range(text) -> first, last, total of the header Content-Range, in
** bytes; nil for each that it does not say, and for all of none. */
static int core_content_range(lua_State *L) {
  size_t size;
  const char *text = luaL_optlstring(L, 1, "", &size);
  sv_content_range range = sv_content_range_read(text, size);
  const long long numbers[] = {range.first, range.last, range.total};
  for (int i = 0; i < 3; i++) {
    if (numbers[i] >= 0) {
      sv_push_integer(L, numbers[i]);
    } else {
      lua_pushnil(L);
    }
  }
  return 3;
}

/* container(text) -> the container of a video that begins so, see video.h; nil
** of what is none, or begins with too few bytes to tell. */
static int core_container(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  lua_pushstring(L, sv_video_container(text, size));
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
    lua_pushstring(L, sv_field_name(field));
    lua_setfield(L, -2, "name");
    lua_pushstring(L, sv_field_kind(field));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, sv_field_label(field));
    lua_setfield(L, -2, "label");
    lua_pushstring(L, sv_field_help(field));
    lua_setfield(L, -2, "help");
    if (now != field) {
      lua_pushstring(L, sv_field_name(now));
      lua_setfield(L, -2, "renamed");
    }
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* sized(items, fields) -> an empty table with room for so many: one that grows
** while it is filled is made anew each time. */
static int core_sized(lua_State *L) {
  int items = (int)luaL_checkinteger(L, 1);
  lua_createtable(L, items, (int)luaL_checkinteger(L, 2));
  return 1;
}

static const luaL_Reg catalog_methods[] = {
    {"validate", catalog_validate}, {"models", catalog_models},
    {"model", catalog_model},       {"__gc", catalog_gc},
    {NULL, NULL},
};

static const luaL_Reg report_methods[] = {
    {"__gc", report_gc},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"catalog", core_catalog},
    {"actor", sv_lua_actor},
    {"heartbeat", sv_lua_heartbeat},
    {"socket_mark", sv_lua_socket_mark},
    {"content_range", core_content_range},
    {"container", core_container},
    {"fields", core_fields},
    {"sized", core_sized},
    {NULL, NULL},
};

static void set_codes(lua_State *L, const char *name, int from, int to) {
  lua_newtable(L);
  for (int code = from; code < to; code++) {
    lua_pushstring(L, sv_code_name((sv_code)code));
    lua_rawseti(L, -2, code - from + 1);
  }
  lua_setfield(L, -2, name);
}

LUALIB_API int luaopen_starvideos_core(lua_State *L) {
  sv_make_class(L, CATALOG, catalog_methods);
  sv_make_class(L, REPORT, report_methods);
  sv_make_actor_classes(L);
  luaL_newlib(L, functions);
  sv_add_system_functions(L);
  sv_add_sqlite_file(L);
  sv_add_watch(L);
  sv_add_disk(L, NULL);
  lua_pushinteger(L, SV_VIDEO_BEGINNING);
  lua_setfield(L, -2, "BEGINNING");
  set_codes(L, "codes", 0, SV_FIRST_WARNING);
  set_codes(L, "warning_codes", SV_FIRST_WARNING, SV_CODE_COUNT);
  return 1;
}
