#include "binding/disk.h"

#include <errno.h>
#include <string.h>

#include "binding/compat.h"
#include "system/descriptor.h"
#include "system/file.h"
#include "system/signals.h"

#include "rules/visibility.h"

#define DISK_JOB "starvideos.disk_job"
#define LOCK "starvideos.lock"
#define FILE_CLASS "starvideos.file"

/* The module's own, see disk_job.h; each Lua state sets the same. */
static sv_disk_digest *_Atomic digest_of_module;

/* --- jobs ------------------------------------------------------------------ */

static sv_disk_action check_action(lua_State *L, int index) {
  const char *name = luaL_checkstring(L, index);
  for (int action = 0; action < SV_DISK_ACTION_COUNT; action++) {
    if (strcmp(name, sv_disk_action_name((sv_disk_action)action)) == 0) {
      return (sv_disk_action)action;
    }
  }
  luaL_argerror(L, index, "no such job");
  return SV_DISK_ACTION_COUNT;
}

/* A name that a NUL would cut. */
static const char *check_path(lua_State *L, int index) {
  size_t size;
  const char *path = luaL_checklstring(L, index, &size);
  luaL_argcheck(L, strlen(path) == size, index, "holds a NUL");
  return path;
}

static const double MOST_BYTES = 1e15;

static double check_bytes(lua_State *L, int index) {
  double bytes = luaL_checknumber(L, index);
  luaL_argcheck(L, bytes >= 0 && bytes < MOST_BYTES, index, "out of range");
  return bytes;
}

/* Of io.open; the first does not write. */
static const char *const modes[] = {"rb", "wb", "ab", "r+b", NULL};
static const sv_file_access accesses[] = {SV_FILE_READ, SV_FILE_REPLACE,
                                          SV_FILE_APPEND, SV_FILE_UPDATE};

sv_disk_job *sv_read_disk_job(lua_State *L, int index) {
  sv_disk_action action = check_action(L, index);
  sv_lock *lock =
      action == SV_DISK_UNLOCK ? luaL_checkudata(L, index + 1, LOCK) : NULL;
  const char *path = lock ? "" : check_path(L, index + 1);
  const char *other = NULL, *text = NULL;
  sv_file_access access = SV_FILE_READ;
  size_t size = 0;
  double bytes = 0, end = -1;
  bool flag = false;
  if (action == SV_DISK_COMMIT) {
    other = check_path(L, index + 2);
    bytes = check_bytes(L, index + 3);
    flag = lua_toboolean(L, index + 4);
  } else if (action == SV_DISK_WRITE) {
    text = luaL_checklstring(L, index + 2, &size);
    access = accesses[luaL_checkoption(L, index + 3, NULL, modes + 1) + 1];
    flag = lua_toboolean(L, index + 4);
    bytes = lua_isnoneornil(L, index + 5) ? -1 : check_bytes(L, index + 5);
  } else if (action == SV_DISK_READ) {
    bytes = lua_isnoneornil(L, index + 2) ? MOST_BYTES
                                          : check_bytes(L, index + 2);
    flag = lua_toboolean(L, index + 3);
  } else if (action == SV_DISK_SHA256 && !lua_isnoneornil(L, index + 2)) {
    bytes = check_bytes(L, index + 2);
    end = check_bytes(L, index + 3);
  } else {
    flag = lua_toboolean(L, index + 2);
  }
  sv_disk_job *job = sv_disk_job_new(action, path, other, text, size);
  if (job) {
    job->access = access;
    job->bytes = bytes;
    job->end = end;
    job->flag = flag;
  }
  if (job && lock) {
    job->lock = *lock;
    lock->path = NULL;
  }
  return job;
}

static const char *reason_of(int problem) {
  return problem == EWOULDBLOCK     ? "busy"
         : problem == EEXIST          ? "exists"
         : problem == SV_FILE_CHANGED ? "changed"
                                      : "io";
}

int sv_push_problem(lua_State *L, int problem) {
  lua_pushnil(L);
  lua_createtable(L, 0, 3);
  sv_set_text(L, "reason", reason_of(problem));
  sv_set_text(L, "message", sv_file_problem(problem));
  if (problem < SV_FILE_CHANGED) {
    lua_pushinteger(L, problem);
    lua_setfield(L, -2, "errno");
  }
  return 2;
}

static int lock_gc(lua_State *L) {
  sv_lock_release(luaL_checkudata(L, 1, LOCK));
  return 0;
}

static void push_lock(lua_State *L, sv_lock *taken) {
  sv_lock *lock = sv_new_object(L, LOCK, sizeof *lock);
  *lock = *taken;
  taken->path = NULL;
}

static void push_text_or_false(lua_State *L, const char *text) {
  if (text) {
    lua_pushstring(L, text);
  } else {
    lua_pushboolean(L, 0);
  }
}

int sv_push_disk_job(lua_State *L, sv_disk_job *job) {
  if (job->problem) {
    return sv_push_problem(L, job->problem);
  }
  switch (job->action) {
    case SV_DISK_SIZE:
      sv_push_known(L, (long long)job->number);
      break;
    case SV_DISK_REAL:
      lua_pushlstring(L, job->text, job->size);
      lua_pushstring(L, job->kind);
      return 2;
    case SV_DISK_ROOM:
      lua_pushnumber(L, job->number);
      lua_pushlstring(L, job->text, job->size);
      return 2;
    case SV_DISK_READ:
      lua_pushlstring(L, job->text ? job->text : "", job->size);
      break;
    case SV_DISK_KIND:
      lua_pushstring(L, job->kind);
      break;
    case SV_DISK_SHA256:
      push_text_or_false(L, *job->sha256 ? job->sha256 : NULL);
      break;
    case SV_DISK_VIDEO:
      push_text_or_false(L, job->video.container);
      lua_pushstring(L, job->video.state);
      return 2;
    case SV_DISK_LOCK:
      push_lock(L, &job->lock);
      break;
    default:
      lua_pushboolean(L, 1);
  }
  return 1;
}

static int job_gc(lua_State *L) {
  sv_disk_job **box = luaL_checkudata(L, 1, DISK_JOB);
  if (*box) {
    sv_disk_job_free(*box);
    *box = NULL;
  }
  return 0;
}

/* In a box, for what is pushed of it may raise. */
static int disk(lua_State *L) {
  lua_settop(L, 6);
  sv_disk_job **box = sv_new_object(L, DISK_JOB, sizeof *box);
  *box = sv_read_disk_job(L, 1);
  if (!*box) {
    return sv_push_problem(L, ENOMEM);
  }
  sv_signals held;
  sv_signals_hold(&held); /* this is the host's thread */
  (*box)->is_quick = !digest_of_module; /* in nginx, the worker's */
  sv_disk_job_run(*box, digest_of_module, NULL);
  sv_signals_release(&held);
  int results = sv_push_disk_job(L, *box);
  sv_disk_job_free(*box);
  *box = NULL;
  return results;
}

/* --- open files ----------------------------------------------------------- */

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

static const luaL_Reg file_methods[] = {
    {"read", file_read},   {"write", file_write}, {"seek", file_seek},
    {"close", file_close}, {"__gc", file_close},  {NULL, NULL},
};

/* open(path, mode, own) -> a regular file, or nil, why and errno; `own` as of
** sv_file_open_own. */
static int file_open(lua_State *L) {
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

/* -------------------------------------------------------------------------- */

static const luaL_Reg functions[] = {
    {"disk", disk},
    {"open", file_open},
    {NULL, NULL},
};

void sv_add_disk(lua_State *L, sv_disk_digest *digest) {
  digest_of_module = digest;
  sv_make_class(L, DISK_JOB, (luaL_Reg[]){{"__gc", job_gc}, {NULL, NULL}});
  sv_make_class(L, LOCK, (luaL_Reg[]){{"__gc", lock_gc}, {NULL, NULL}});
  sv_make_class(L, FILE_CLASS, file_methods);
  luaL_setfuncs(L, functions, 0);
}
