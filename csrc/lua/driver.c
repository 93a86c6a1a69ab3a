#include "lua/driver.h"

#include <errno.h>
#include <string.h>

#include "lua/class.h"
#include "curl/driver.h"
#include "platform/file.h"
#include "lua/notifier.h"
#include "lua/request.h"
#include "lua/response.h"

#define DRIVER "starvideos.curl.driver"
#define TICKET "starvideos.curl.ticket"
#define DISK_JOB "starvideos.curl.disk_job"
#define LOCK "starvideos.curl.lock"

/* --- arguments --------------------------------------------------------- */

/* A NULL pointer is the closed flag. */
static sv_driver **check_driver(lua_State *L) {
  return luaL_checkudata(L, 1, DRIVER);
}

static sv_driver *open_driver(lua_State *L) {
  sv_driver **box = check_driver(L);
  if (!*box) {
    luaL_error(L, "attempt to use a closed driver");
  }
  return *box;
}

static sv_ticket *check_ticket(lua_State *L) {
  sv_ticket **box = luaL_checkudata(L, 1, TICKET);
  luaL_argcheck(L, *box, 1, "the ticket was never issued");
  return *box;
}

/* --- jobs on the disk --------------------------------------------------- */

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

/* Reads the arguments from `index` on. NULL where memory is short; raises
** before it takes any. */
static sv_disk_job *read_job(lua_State *L, int index) {
  sv_disk_action action = check_action(L, index);
  sv_lock *lock =
      action == SV_DISK_UNLOCK ? luaL_checkudata(L, index + 1, LOCK) : NULL;
  const char *path = lock ? "" : luaL_checkstring(L, index + 1);
  const char *other = NULL, *text = NULL, *mode = NULL;
  size_t size = 0;
  double bytes = 0;
  bool flag = false;
  if (action == SV_DISK_COMMIT) {
    other = luaL_checkstring(L, index + 2);
    bytes = check_bytes(L, index + 3);
    flag = lua_toboolean(L, index + 4);
  } else if (action == SV_DISK_WRITE) {
    text = luaL_checklstring(L, index + 2, &size);
    mode = modes[luaL_checkoption(L, index + 3, NULL, modes)];
    flag = lua_toboolean(L, index + 4);
  } else if (action == SV_DISK_READ) {
    bytes = lua_isnoneornil(L, index + 2) ? MOST_BYTES
                                          : check_bytes(L, index + 2);
  } else {
    flag = lua_toboolean(L, index + 2);
  }
  sv_disk_job *job = sv_disk_job_new(action, path, other, text, size, mode);
  if (job) {
    job->bytes = bytes;
    job->flag = flag;
  }
  if (job && lock) {
    job->lock = *lock;
    lock->path = NULL;
  }
  return job;
}

static const char *reason_of(int problem) {
  return problem == EWOULDBLOCK ? "busy"
         : problem == EEXIST    ? "exists"
         : problem == ESTALE    ? "changed"
                                : "io";
}

static int push_problem(lua_State *L, int problem) {
  lua_pushnil(L);
  lua_createtable(L, 0, 3);
  lua_pushstring(L, reason_of(problem));
  lua_setfield(L, -2, "reason");
  lua_pushstring(L, sv_file_problem(problem));
  lua_setfield(L, -2, "message");
  sv_set_integer(L, "errno", problem);
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

static int push_done(lua_State *L, sv_disk_job *job) {
  if (job->problem) {
    return push_problem(L, job->problem);
  }
  switch (job->action) {
    case SV_DISK_SIZE:
      if (job->number < 0) {
        lua_pushnil(L);
      } else {
        sv_push_integer(L, (long long)job->number);
      }
      break;
    case SV_DISK_READ:
      lua_pushlstring(L, job->text ? job->text : "", job->size);
      break;
    case SV_DISK_KIND:
      lua_pushstring(L, job->kind);
      break;
    case SV_DISK_SHA256:
      lua_pushstring(L, job->sha256);
      break;
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
  lua_settop(L, 5);
  sv_disk_job **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, DISK_JOB);
  *box = read_job(L, 1);
  if (!*box) {
    return push_problem(L, ENOMEM);
  }
  sv_disk_job_run(*box, NULL);
  int results = push_done(L, *box);
  sv_disk_job_free(*box);
  *box = NULL;
  return results;
}

/* --- driver ------------------------------------------------------------ */

int sv_lua_driver(lua_State *L) {
  int max_in_flight;
  const char *ca_file = sv_read_engine(L, 1, &max_in_flight);
  sv_driver **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, DRIVER);
  *box = sv_driver_new(ca_file, max_in_flight);
  if (!*box) {
    return luaL_error(L, "no driver: %s", strerror(errno));
  }
  return 1;
}

static int driver_close(lua_State *L) {
  sv_driver **box = check_driver(L);
  sv_driver *driver = *box;
  *box = NULL;
  if (driver) {
    sv_driver_close(driver);
    sv_driver_release(driver);
  }
  return 0;
}

static sv_ticket **new_ticket(lua_State *L) {
  sv_ticket **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, TICKET);
  return box;
}

static int push_number(lua_State *L, const sv_ticket *ticket) {
  sv_push_integer(L, sv_ticket_number(ticket));
  return 2;
}

/* Whether it is open shows once no more Lua may run, finalizers among it. */
static int driver_submit(lua_State *L) {
  sv_request request;
  sv_outcome failure;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  check_driver(L);
  sv_read_request(L, 2, &request);
  sv_ticket **box = new_ticket(L);
  *box = sv_driver_submit(open_driver(L), &request, &failure);
  if (*box) {
    return push_number(L, *box);
  }
  lua_pushnil(L);
  sv_push_failure(L, &failure);
  return 2;
}

static int driver_disk(lua_State *L) {
  lua_settop(L, 6);
  sv_ticket **box = new_ticket(L);
  sv_driver *driver = open_driver(L);
  sv_disk_job *job = read_job(L, 2);
  *box = job ? sv_driver_disk(driver, job) : NULL;
  return *box ? push_number(L, *box) : push_problem(L, job ? errno : ENOMEM);
}

static int driver_ready(lua_State *L) {
  lua_pushboolean(L, sv_driver_ready(open_driver(L)));
  return 1;
}

static int driver_take(lua_State *L) {
  long long number = sv_driver_take(open_driver(L));
  if (number == 0) {
    return 0;
  }
  sv_push_integer(L, number);
  return 1;
}

static int driver_in_flight(lua_State *L) {
  lua_pushinteger(L, sv_driver_in_flight(open_driver(L)));
  return 1;
}

static sv_notifier *notifier_of(lua_State *L) {
  return sv_driver_notifier(open_driver(L));
}

static int driver_wake(lua_State *L) {
  sv_notifier_notify(notifier_of(L));
  return 0;
}

static int driver_notifier(lua_State *L) {
  sv_push_notifier(L, notifier_of(L));
  return 1;
}

static int driver_wait(lua_State *L) {
  sv_notifier *notifier = notifier_of(L);
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0, 2, "less than 0"); /* nor no number */
  sv_notifier_wait(notifier, seconds);
  return 0;
}

/* --- ticket ------------------------------------------------------------ */

static int ticket_gc(lua_State *L) {
  sv_ticket **box = luaL_checkudata(L, 1, TICKET);
  sv_ticket *ticket = *box;
  *box = NULL;
  if (ticket) {
    sv_ticket_release(ticket);
  }
  return 0;
}

static int ticket_done(lua_State *L) {
  lua_pushboolean(L, sv_ticket_done(check_ticket(L)));
  return 1;
}

static int ticket_cancel(lua_State *L) {
  sv_ticket_cancel(check_ticket(L));
  return 0;
}

static int push_lost(lua_State *L) {
  lua_pushnil(L);
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "cancelled");
  lua_setfield(L, -2, "reason");
  lua_pushliteral(L, "cancelled by a fork");
  lua_setfield(L, -2, "message");
  return 2;
}

static int ticket_result(lua_State *L) {
  sv_ticket *ticket = check_ticket(L);
  luaL_argcheck(L, sv_ticket_done(ticket), 1, "still under way");
  if (!sv_ticket_is_disk_job(ticket)) {
    return sv_push_result(L, sv_ticket_transfer(ticket),
                          sv_ticket_outcome(ticket));
  }
  sv_disk_job *job = sv_ticket_disk_job(ticket);
  return job ? push_done(L, job) : push_lost(L);
}

static int ticket_answer(lua_State *L) {
  sv_ticket *ticket = check_ticket(L);
  return sv_push_answer(L, sv_ticket_transfer(ticket),
                        sv_ticket_status(ticket));
}

static int ticket_progress(lua_State *L) {
  return sv_push_progress(L, sv_ticket_progress(check_ticket(L)));
}

static const luaL_Reg driver_methods[] = {
    {"submit", driver_submit},       {"disk", driver_disk},
    {"ready", driver_ready},         {"take", driver_take},
    {"in_flight", driver_in_flight}, {"wake", driver_wake},
    {"notifier", driver_notifier},   {"wait", driver_wait},
    {"close", driver_close},         {"__gc", driver_close},
    {"__close", driver_close},       {NULL, NULL},
};

static const luaL_Reg ticket_methods[] = {
    {"done", ticket_done},         {"result", ticket_result},
    {"answer", ticket_answer},     {"progress", ticket_progress},
    {"cancel", ticket_cancel},     {"__gc", ticket_gc},
    {NULL, NULL},
};

static const luaL_Reg job_methods[] = {
    {"__gc", job_gc},
    {NULL, NULL},
};

static const luaL_Reg lock_methods[] = {
    {"__gc", lock_gc},
    {NULL, NULL},
};

void sv_make_driver_classes(lua_State *L) {
  sv_make_notifier_class(L);
  sv_make_class(L, DRIVER, driver_methods);
  sv_add_notifier_methods(L, DRIVER, notifier_of);
  sv_make_class(L, TICKET, ticket_methods);
  sv_make_class(L, DISK_JOB, job_methods);
  sv_make_class(L, LOCK, lock_methods);
}
