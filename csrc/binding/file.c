#include "binding/file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "binding/class.h"
#include "binding/video.h"
#include "system/descriptor.h"
#include "system/file.h"
#include "system/signals.h"

#include "rules/visibility.h"

#define FILE_CLASS "starvideos.base.file"

/* --- results -------------------------------------------------------------- */

/* As those of Lua's io: nil, why and the errno; `path` may be NULL. */
static int failed(lua_State *L, const char *path, int problem) {
  lua_pushnil(L);
  if (path) {
    lua_pushfstring(L, "%s: %s", path, sv_file_problem(problem));
  } else {
    lua_pushstring(L, sv_file_problem(problem));
  }
  lua_pushinteger(L, problem);
  return 3;
}

static int results(lua_State *L, const char *path, int problem) {
  if (problem) {
    return failed(L, path, problem);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* A name that a NUL would cut. */
static const char *check_path(lua_State *L, int index) {
  size_t size;
  const char *path = luaL_checklstring(L, index, &size);
  luaL_argcheck(L, strlen(path) == size, index, "holds a NUL");
  return path;
}

/* --- an open file --------------------------------------------------------- */

static sv_descriptor *descriptor_of(lua_State *L) {
  return luaL_checkudata(L, 1, FILE_CLASS);
}

static int open_number(lua_State *L) {
  sv_descriptor *file = descriptor_of(L);
  luaL_argcheck(L, file->number >= 0, 1, "closed file");
  return file->number;
}

/* After a fork the number may be another's. */
static int file_close(lua_State *L) {
  return results(L, NULL, sv_descriptor_close(descriptor_of(L)));
}

/* file:read(bytes) -> that many, fewer before the end, nil at it;
** file:read "*a" -> all that is left. Or nil, why and errno. */
static int file_read(lua_State *L) {
  luaL_Buffer buffer;
  int file = open_number(L), problem = 0;
  bool all = lua_type(L, 2) != LUA_TNUMBER;
  double left = all ? 0 : luaL_checknumber(L, 2);
  size_t count = 1, got = 0;
  luaL_argcheck(L, !all || strcmp(luaL_checkstring(L, 2), "*a") == 0, 2,
                "neither a number nor *a");
  luaL_buffinit(L, &buffer);
  while (!problem && count > 0 && (all || left > 0)) {
    char *into = luaL_prepbuffer(&buffer);
    size_t room = LUAL_BUFFERSIZE;
    room = !all && left < (double)room ? (size_t)left : room;
    problem = sv_file_read(file, into, room, &count);
    luaL_addsize(&buffer, count);
    left -= (double)count;
    got += count;
  }
  luaL_pushresult(&buffer);
  if (problem) {
    return failed(L, NULL, problem);
  } else if (!all && got == 0 && count == 0) {
    lua_pushnil(L);
  }
  return 1;
}

/* file:write(text) -> true, or nil, why and errno. */
static int file_write(lua_State *L) {
  size_t size, written;
  int file = open_number(L);
  const char *text = luaL_checklstring(L, 2, &size);
  sv_signals held;
  sv_signals_hold(&held);
  int problem = sv_file_write(file, text, size, &written);
  sv_signals_release(&held);
  return results(L, NULL, problem);
}

/* file:seek("set", position) -> true, or nil, why and errno. */
static int file_seek(lua_State *L) {
  static const char *const from[] = {"set", NULL};
  int file = open_number(L);
  luaL_checkoption(L, 2, NULL, from);
  double position = luaL_checknumber(L, 3);
  luaL_argcheck(L, position >= 0 && position < 9007199254740992.0, 3,
                "out of range");
  return results(L, NULL, sv_file_seek(file, (long long)position));
}

/* file:video() -> container and state, as of core/video.h; false and a state of
** what is no video. Or nil, why and errno. */
static int file_video(lua_State *L) {
  sv_video video;
  long long size;
  int file = open_number(L);
  int problem = sv_file_size(file, &size);
  problem = problem ? problem
                    : sv_video_look(&video, file, size, sv_file_read_at);
  if (problem) {
    return failed(L, NULL, problem);
  }
  sv_push_video(L, &video);
  return 2;
}

static const luaL_Reg methods[] = {
    {"read", file_read},   {"write", file_write}, {"seek", file_seek},
    {"video", file_video}, {"close", file_close}, {"__gc", file_close},
    {NULL, NULL},
};

void sv_make_file_class(lua_State *L) {
  sv_make_class(L, FILE_CLASS, methods);
}

/* --- files by name -------------------------------------------------------- */

/* open(path, mode, own) -> a regular file, or nil, why and errno; the modes are
** those of io.open that are here; `own` as of sv_file_open_own. */
static int file_open(lua_State *L) {
  static const char *const modes[] = {"rb", "r+b", "wb", "ab", NULL};
  static const sv_file_access accesses[] = {SV_FILE_READ, SV_FILE_UPDATE,
                                            SV_FILE_REPLACE, SV_FILE_APPEND};
  const char *path = check_path(L, 1);
  sv_file_access access = accesses[luaL_checkoption(L, 2, "rb", modes)];
  sv_descriptor *file = lua_newuserdata(L, sizeof *file);
  int number;
  *file = sv_descriptor_of(-1);
  luaL_setmetatable(L, FILE_CLASS);
  int problem = lua_toboolean(L, 3)
                    ? sv_file_open_own(&number, path, access, false)
                    : sv_file_open(&number, path, access, false);
  *file = sv_descriptor_of(number);
  return problem ? failed(L, path, problem) : 1;
}

/* remove(path) -> true, or nil, why and errno. */
static int file_remove(lua_State *L) {
  const char *path = check_path(L, 1);
  return results(L, path, sv_file_remove(path));
}

/* rename(from, to, overwrite) -> true, or nil, why and errno: EEXIST where `to`
** is there and is not to be overwritten. */
static int file_rename(lua_State *L) {
  const char *from = check_path(L, 1), *to = check_path(L, 2);
  return results(L, from, sv_file_rename(from, to, lua_toboolean(L, 3)));
}

/* file_size(path) -> bytes, or nil where there is none. */
static int file_size(lua_State *L) {
  long long size = sv_file_size_at(check_path(L, 1));
  if (size < 0) {
    return 0;
  }
  sv_push_integer(L, size);
  return 1;
}

static const luaL_Reg functions[] = {
    {"open", file_open},     {"remove", file_remove},
    {"rename", file_rename}, {"file_size", file_size},
    {NULL, NULL},
};

void sv_add_file_functions(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
