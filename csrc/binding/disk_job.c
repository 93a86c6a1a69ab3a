#include "binding/disk_job.h"

#include <errno.h>
#include <string.h>

#include "binding/class.h"
#include "binding/response.h"
#include "binding/video.h"
#include "system/file.h"
#include "system/signals.h"

#include "rules/visibility.h"

#define DISK_JOB "starvideos.curl.disk_job"
#define LOCK "starvideos.curl.lock"

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

static const double MOST_BYTES = 1e15;

static double check_bytes(lua_State *L, int index) {
  double bytes = luaL_checknumber(L, index);
  luaL_argcheck(L, bytes >= 0 && bytes < MOST_BYTES, index, "out of range");
  return bytes;
}

/* Replace, append, write over. */
static const char *const modes[] = {"wb", "ab", "r+b", NULL};

sv_disk_job *sv_read_disk_job(lua_State *L, int index) {
  sv_disk_action action = check_action(L, index);
  sv_lock *lock =
      action == SV_DISK_UNLOCK ? luaL_checkudata(L, index + 1, LOCK) : NULL;
  const char *path = lock ? "" : luaL_checkstring(L, index + 1);
  const char *other = NULL, *text = NULL, *mode = NULL;
  size_t size = 0;
  double bytes = 0, end = -1;
  bool flag = false;
  if (action == SV_DISK_COMMIT) {
    other = luaL_checkstring(L, index + 2);
    bytes = check_bytes(L, index + 3);
    flag = lua_toboolean(L, index + 4);
  } else if (action == SV_DISK_WRITE) {
    text = luaL_checklstring(L, index + 2, &size);
    mode = modes[luaL_checkoption(L, index + 3, NULL, modes)];
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
  sv_disk_job *job = sv_disk_job_new(action, path, other, text, size, mode);
  if (job) {
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
  lua_pushstring(L, reason_of(problem));
  lua_setfield(L, -2, "reason");
  lua_pushstring(L, sv_file_problem(problem));
  lua_setfield(L, -2, "message");
  if (problem < SV_FILE_CHANGED) {
    sv_set_integer(L, "errno", problem);
  }
  return 2;
}

static int lock_gc(lua_State *L) {
  sv_lock_release(luaL_checkudata(L, 1, LOCK));
  return 0;
}

static void push_lock(lua_State *L, sv_lock *taken) {
  sv_lock *lock = lua_newuserdata(L, sizeof *lock);
  memset(lock, 0, sizeof *lock);
  luaL_setmetatable(L, LOCK);
  *lock = *taken;
  taken->path = NULL;
}

int sv_push_disk_job(lua_State *L, sv_disk_job *job) {
  if (job->problem) {
    return sv_push_problem(L, job->problem);
  }
  switch (job->action) {
    case SV_DISK_SIZE:
      if (job->number < 0) {
        lua_pushnil(L);
      } else {
        sv_push_integer(L, (long long)job->number);
      }
      break;
    case SV_DISK_REAL:
      lua_pushlstring(L, job->text, job->size);
      lua_pushstring(L, job->kind);
      return 2;
    case SV_DISK_READ:
      lua_pushlstring(L, job->text ? job->text : "", job->size);
      break;
    case SV_DISK_KIND:
      lua_pushstring(L, job->kind);
      break;
    case SV_DISK_SHA256:
      lua_pushstring(L, job->sha256);
      break;
    case SV_DISK_VIDEO:
      sv_push_video(L, &job->video);
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
int sv_lua_disk(lua_State *L) {
  lua_settop(L, 6);
  sv_disk_job **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, DISK_JOB);
  *box = sv_read_disk_job(L, 1);
  if (!*box) {
    return sv_push_problem(L, ENOMEM);
  }
  sv_signals held;
  sv_signals_hold(&held); /* this is the host's thread */
  sv_disk_job_run(*box, NULL);
  sv_signals_release(&held);
  int results = sv_push_disk_job(L, *box);
  sv_disk_job_free(*box);
  *box = NULL;
  return results;
}

static const luaL_Reg job_methods[] = {
    {"__gc", job_gc},
    {NULL, NULL},
};

static const luaL_Reg lock_methods[] = {
    {"__gc", lock_gc},
    {NULL, NULL},
};

void sv_make_disk_job_classes(lua_State *L) {
  sv_make_class(L, DISK_JOB, job_methods);
  sv_make_class(L, LOCK, lock_methods);
}
