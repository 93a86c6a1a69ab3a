#include "binding/core.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rules/ip.h"
#include "system/clock.h"
#include "system/descriptor.h"
#include "system/file.h"
#include "system/network.h"
#include "system/path.h"
#include "system/process.h"
#include "system/signals.h"
#include "system/terminal.h"
#include "system/thread.h"

#include "rules/visibility.h"

/* What takes nothing and gives nothing, see its header. */
#define SV_DOES(name, function)            \
  static int system_##name(lua_State *L) { \
    (void)L;                               \
    function();                            \
    return 0;                              \
  }

SV_DOES(begin_terminal, sv_terminal_begin)
SV_DOES(end_terminal, sv_terminal_end)
SV_DOES(begin_termination, sv_termination_begin)
SV_DOES(end_termination, sv_termination_end)
SV_DOES(lose_reader, sv_termination_lose_reader)
SV_DOES(begin_hangup, sv_hangup_begin)
SV_DOES(end_hangup, sv_hangup_end)
SV_DOES(fill_descriptors, sv_descriptor_fill_standard)

/* What gives one value. */
#define SV_GIVES(name, push, value)        \
  static int system_##name(lua_State *L) { \
    push(L, value);                        \
    return 1;                              \
  }

/* Seconds of a clock: of Unix time with a fraction, which os.time() leaves out;
** of one that only goes forward; and of one that goes on in the machine's sleep. */
SV_GIVES(time, lua_pushnumber, sv_time())
SV_GIVES(now, lua_pushnumber, sv_now())
SV_GIVES(boottime, lua_pushnumber, sv_boottime())

/* sleep(seconds) */
static int system_sleep(lua_State *L) {
  sv_sleep(luaL_checknumber(L, 1));
  return 0;
}

/* process_id() -> number. What was opened before a fork is another's after. */
SV_GIVES(process_id, lua_pushinteger, (lua_Integer)sv_process_id())

/* system() -> "posix" or "windows": by whose rules paths are written. */
SV_GIVES(system, lua_pushstring, sv_path_system())

/* is_terminal(descriptor) -> whether it leads to one: 0, 1 or 2. */
SV_GIVES(is_terminal, lua_pushboolean,
         sv_terminal_is((int)luaL_checknumber(L, 1)))

/* can_ask() -> whether there is a person at a terminal of this program's. */
SV_GIVES(can_ask, lua_pushboolean, sv_terminal_can_ask())

/* hangup_came() -> boolean: see signals.h. */
SV_GIVES(hangup_came, lua_pushboolean, sv_hangup_came())

/* kind(path) -> "file", "directory" or "other", or nil where there is none. */
SV_GIVES(kind, lua_pushstring, sv_file_kind(luaL_checkstring(L, 1)))

/* is_private(host) -> whether that of a URL is an address of this machine or of a
** private network, or localhost. Looks no name up. */
SV_GIVES(is_private, lua_pushboolean,
         sv_host_is_private(luaL_checkstring(L, 1)))

/* nil, why and the errno. */
static int failed(lua_State *L, int problem) {
  lua_pushnil(L);
  lua_pushstring(L, sv_file_problem(problem));
  lua_pushinteger(L, problem);
  return 3;
}

/* That of a process; -1 of what is none. */
static long check_process(lua_State *L) {
  lua_Number number = luaL_checknumber(L, 1);
  return number > 0 && number <= (lua_Number)INT_MAX ? (long)number : -1;
}

/* process_exists(number) -> whether there is one; nil where that cannot be
** told from here. */
static int system_process_exists(lua_State *L) {
  int exists = sv_process_exists(check_process(L));
  if (exists < 0) {
    return 0;
  }
  lua_pushboolean(L, exists);
  return 1;
}

/* lifetime(number) -> whether the process runs (nil where that cannot be told
** from here), and the word for when it started, or nil. */
static int system_lifetime(lua_State *L) {
  char start[SV_LIFETIME_ROOM];
  int runs = sv_lifetime_of(check_process(L), start);
  if (runs < 0) {
    lua_pushnil(L);
  } else {
    lua_pushboolean(L, runs);
  }
  lua_pushstring(L, *start ? start : NULL);
  return 2;
}

/* machine(what) -> its `name` or what tells this `boot` from others, or nil. */
static int system_machine(lua_State *L) {
  static const char *const kinds[] = {"name", "boot", NULL};
  char text[256];
  bool is_name = luaL_checkoption(L, 1, NULL, kinds) == 0;
  size_t length = is_name ? sv_machine_name(text, sizeof text)
                          : sv_machine_boot(text, sizeof text);
  lua_pushlstring(L, text, length);
  return length > 0;
}

/* namespace(kind) -> name of this process's `pid` or `time` namespace, or nil
** where it cannot be told. */
static int system_namespace(lua_State *L) {
  static const char *const kinds[] = {"pid", "time", NULL};
  char name[64];
  const char *kind = kinds[luaL_checkoption(L, 1, NULL, kinds)];
  size_t length = sv_process_namespace(kind, name, sizeof name);
  lua_pushlstring(L, name, length);
  return length > 0;
}

/* private_file(path) -> true where an empty file was made that its owner alone
** may read; or nil, why and whether there is something of that name. */
static int system_private_file(lua_State *L) {
  int problem = sv_file_create_private(luaL_checkstring(L, 1));
  if (problem == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(problem));
  lua_pushboolean(L, problem == EEXIST);
  return 3;
}

/* random_bytes(count) -> that many of the system's, 64 at most; nil where it
** gives none. */
static int system_random_bytes(lua_State *L) {
  char bytes[64];
  lua_Number count = luaL_checknumber(L, 1);
  luaL_argcheck(L, count >= 0 && count <= sizeof bytes, 1, "out of range");
  if (!sv_random_bytes(bytes, (size_t)count)) {
    return 0;
  }
  lua_pushlstring(L, bytes, (size_t)count);
  return 1;
}

/* directory() -> path, or nil where it was removed or cannot be told. */
static int system_directory(lua_State *L) {
  char path[SV_PATH_ROOM];
  lua_pushstring(L, sv_process_directory(path, sizeof path));
  return 1;
}

/* absolute(path) -> the path from the root on, one text for each file; nil where
** it is too long. */
static int system_absolute(lua_State *L) {
  char absolute[SV_PATH_ROOM];
  bool fits = sv_path_absolute(luaL_checkstring(L, 1), absolute,
                               sizeof absolute);
  lua_pushstring(L, fits ? absolute : NULL);
  return 1;
}

/* real(path) -> the path of the file itself, see path.h; or nil, why not and
** the errno, where it is one. */
static int system_real(lua_State *L) {
  char real[SV_PATH_ROOM];
  int problem = sv_path_real(luaL_checkstring(L, 1), real, sizeof real);
  if (problem == 0) {
    lua_pushstring(L, real);
    return 1;
  }
  return failed(L, problem);
}

/* folded(path) -> the path in small letters where this system does not tell
** capitals from them. */
static int system_folded(lua_State *L) {
  char folded[SV_PATH_ROOM];
  lua_pushstring(L, sv_path_folded(luaL_checkstring(L, 1), folded,
                                   sizeof folded));
  return 1;
}

/* getenv(name) -> the value of a variable, in UTF-8, or nil. */
static int system_getenv(lua_State *L) {
  size_t room, size;
  const char *name = luaL_checkstring(L, 1);
  if (!sv_environment_get(name, NULL, 0, &room)) {
    return 0;
  }
  char *value = lua_newuserdata(L, room);
  if (!sv_environment_get(name, value, room, &size) || size > room) {
    return 0; /* another thread has changed it */
  }
  lua_pushstring(L, value);
  return 1;
}

/* words() -> list of the command line's words in UTF-8, the program's name
** first; nil where `arg` has them so. */
static int system_words(lua_State *L) {
  int count;
  char *words = sv_environment_words(&count);
  if (!words) {
    return 0;
  }
  lua_createtable(L, count, 0);
  const char *word = words;
  for (int i = 1; i <= count; i++) {
    lua_pushstring(L, word);
    lua_rawseti(L, -2, i);
    word += strlen(word) + 1;
  }
  free(words);
  return 1;
}

/* terminal_size(descriptor) -> columns, rows, each nil where it is not known. */
static int system_terminal_size(lua_State *L) {
  int columns, rows;
  sv_terminal_size((int)luaL_checknumber(L, 1), &columns, &rows);
  sv_push_known(L, columns > 0 ? columns : -1);
  sv_push_known(L, rows > 0 ? rows : -1);
  return 2;
}

/* write_terminal(descriptor, text) -> true, or nil and why. */
static int system_write_terminal(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  int problem = sv_terminal_write((int)luaL_checknumber(L, 1), text, size);
  if (problem) {
    return failed(L, problem);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* read_terminal(seconds) -> the line that this person has ended; nil where there
** is none yet; false where there will be none. */
static int system_read_terminal(lua_State *L) {
  char line[4096];
  double seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds >= 0 && seconds <= 1, 1, "out of range");
  sv_terminal_answer answer = sv_terminal_read(seconds, line, sizeof line);
  sv_raise_interrupt(L);
  switch (answer) {
  case SV_TERMINAL_LINE:
    lua_pushstring(L, line);
    break;
  case SV_TERMINAL_END:
    lua_pushboolean(L, 0);
    break;
  case SV_TERMINAL_NOT_YET:
    lua_pushnil(L);
    break;
  }
  return 1;
}

/* with_signals_held(fn, ...) -> what fn returns: its writes end this process with no
** signal. A coroutine cannot yield within. */
static int system_with_signals_held(lua_State *L) {
  sv_signals held;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  sv_signals_hold(&held);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  sv_signals_release(&held);
  return status == 0 ? lua_gettop(L) : lua_error(L);
}

/* act_as(uid, gid, fn, ...) -> true and what fn returns, done with the rights of that
** account; or nil and why that could not be. A coroutine cannot yield within. */
static int system_act_as(lua_State *L) {
  luaL_checktype(L, 3, LUA_TFUNCTION);
  int problem = sv_process_act_as((unsigned)luaL_checknumber(L, 1),
                                  (unsigned)luaL_checknumber(L, 2));
  if (problem != 0) {
    return failed(L, problem);
  }
  int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
  sv_process_act_as_oneself();
  if (status != 0) {
    return lua_error(L);
  }
  lua_pushboolean(L, 1);
  lua_replace(L, 1);
  lua_remove(L, 2);
  return lua_gettop(L);
}

/* termination_came() -> "signal", "reader" or nil: see signals.h. */
static int system_termination_came(lua_State *L) {
  static const char *const names[] = {
      [SV_TERMINATION_NONE] = NULL,
      [SV_TERMINATION_READER] = "reader",
      [SV_TERMINATION_SIGNAL] = "signal",
  };
  lua_pushstring(L, names[sv_termination_came()]);
  return 1;
}

/* is_loopback(host) -> whether the host of a URL is this machine; none is with
** a NUL in it, which would hide the rest. */
static int system_is_loopback(lua_State *L) {
  size_t size;
  const char *host = luaL_checklstring(L, 1, &size);
  lua_pushboolean(L, strlen(host) == size && sv_address_is_loopback(host));
  return 1;
}

/* read_ip(text) -> the 4 or 16 bytes of an address, or nil where it is none. */
static int system_read_ip(lua_State *L) {
  size_t size;
  unsigned char ip[SV_IP_ROOM];
  const char *text = luaL_checklstring(L, 1, &size);
  size = strlen(text) == size ? sv_ip_read(text, ip) : 0;
  if (size) {
    lua_pushlstring(L, (const char *)ip, size);
  }
  return size ? 1 : 0;
}

/* file_system(path) -> its name, or nil where it is not known; see
** file_system.h. */
static int system_file_system(lua_State *L) {
  char name[SV_FILE_SYSTEM_ROOM];
  sv_file_system_of(luaL_checkstring(L, 1), name);
  lua_pushstring(L, *name ? name : NULL);
  return 1;
}

/* call_in_c_locale(function, ...) -> as pcall. */
static int system_call_in_c_locale(lua_State *L) {
  sv_locale locale;
  luaL_checkany(L, 1);
  bool entered = !sv_locale_has_point() && sv_locale_enter(&locale);
  bool ok = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) == 0;
  if (entered) {
    sv_locale_leave(&locale);
  }
  lua_pushboolean(L, ok);
  lua_insert(L, 1);
  return lua_gettop(L);
}

static const luaL_Reg functions[] = {
    {"process_id", system_process_id},
    {"process_exists", system_process_exists},
    {"lifetime", system_lifetime},
    {"machine", system_machine},
    {"namespace", system_namespace},
    {"private_file", system_private_file},
    {"time", system_time},
    {"now", system_now},
    {"boottime", system_boottime},
    {"sleep", system_sleep},
    {"random_bytes", system_random_bytes},
    {"directory", system_directory},
    {"system", system_system},
    {"absolute", system_absolute},
    {"real", system_real},
    {"folded", system_folded},
    {"getenv", system_getenv},
    {"words", system_words},
    {"terminal_size", system_terminal_size},
    {"is_terminal", system_is_terminal},
    {"write_terminal", system_write_terminal},
    {"can_ask", system_can_ask},
    {"read_terminal", system_read_terminal},
    {"begin_terminal", system_begin_terminal},
    {"end_terminal", system_end_terminal},
    {"begin_termination", system_begin_termination},
    {"end_termination", system_end_termination},
    {"lose_reader", system_lose_reader},
    {"termination_came", system_termination_came},
    {"with_signals_held", system_with_signals_held},
    {"act_as", system_act_as},
    {"fill_descriptors", system_fill_descriptors},
    {"begin_hangup", system_begin_hangup},
    {"end_hangup", system_end_hangup},
    {"hangup_came", system_hangup_came},
    {"kind", system_kind},
    {"is_loopback", system_is_loopback},
    {"is_private", system_is_private},
    {"read_ip", system_read_ip},
    {"file_system", system_file_system},
    {"call_in_c_locale", system_call_in_c_locale},
    {NULL, NULL},
};

void sv_add_system(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
