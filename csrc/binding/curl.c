/*
** Module starvideos.curl: the engine for Lua. Converts, and decides nothing.
*/
#include "binding/compat.h"
#include "binding/disk.h"
#include "binding/network.h"
#include "binding/request.h"
#include "binding/response.h"
#include "http/engine.h"
#include "http/libcurl.h"
#include "system/digest.h"

#define ENGINE "starvideos.curl.engine"
#define TRANSFER "starvideos.curl.transfer"

/* --- arguments --------------------------------------------------------- */

/* A NULL pointer is the closed flag. */
static sv_engine **check_engine(lua_State *L) {
  return luaL_checkudata(L, 1, ENGINE);
}

static sv_engine *open_engine(lua_State *L) {
  sv_engine **box = check_engine(L);
  if (!*box) {
    luaL_error(L, "attempt to use a closed engine");
  }
  return *box;
}

/* NULL once the result was taken out. */
static sv_transfer *check_transfer(lua_State *L) {
  return *(sv_transfer **)luaL_checkudata(L, 1, TRANSFER);
}

/* --- engine ------------------------------------------------------------ */

static int engine_close(lua_State *L) {
  sv_engine **box = check_engine(L);
  sv_engine *engine = *box;
  *box = NULL;
  if (engine) {
    sv_engine_close(engine);
    sv_engine_release(engine);
  }
  return 0;
}

/* Whether it is open shows once no more Lua may run, finalizers among it. With
** a true third argument the number follows by which `take` tells of its end. */
static int engine_submit(lua_State *L) {
  sv_request request;
  sv_header few[SV_FEW_HEADERS];
  sv_outcome failure;
  luaL_checktype(L, 2, LUA_TTABLE);
  bool announced = lua_toboolean(L, 3);
  lua_settop(L, 2);
  check_engine(L);
  sv_read_request(L, 2, &request, few);
  sv_transfer **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, TRANSFER);
  if (sv_guard_request(L, 2, &failure)) {
    *box = sv_engine_submit(open_engine(L), &request, &failure);
  }
  if (*box && announced) {
    sv_push_integer(L, sv_engine_announce(open_engine(L), *box));
    return 2;
  } else if (*box) {
    return 1;
  }
  lua_pushnil(L);
  sv_push_failure(L, &failure);
  return 2;
}

static int engine_take(lua_State *L) {
  long long number = sv_engine_take(open_engine(L));
  if (number == 0) {
    return 0;
  }
  sv_push_integer(L, number);
  return 1;
}

static int engine_step(lua_State *L) {
  sv_engine *engine = open_engine(L);
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 2, "out of range");
  lua_pushboolean(L, sv_engine_step(engine, seconds));
  sv_raise_interrupt(L);
  return 1;
}

static int engine_in_flight(lua_State *L) {
  lua_pushinteger(L, sv_engine_in_flight(open_engine(L)));
  return 1;
}

/* --- transfer ---------------------------------------------------------- */

static int transfer_gc(lua_State *L) {
  sv_transfer **box = luaL_checkudata(L, 1, TRANSFER);
  sv_transfer *transfer = *box;
  *box = NULL;
  if (transfer) {
    sv_transfer_release(transfer);
  }
  return 0;
}

static int transfer_done(lua_State *L) {
  const sv_transfer *transfer = check_transfer(L);
  lua_pushboolean(L, !transfer || sv_transfer_done(transfer));
  return 1;
}

static int transfer_cancel(lua_State *L) {
  sv_transfer *transfer = check_transfer(L);
  if (transfer) {
    sv_transfer_cancel(transfer);
  }
  return 0;
}

/* wait(seconds) -> whether it is done, once its engine was driven for so long at
** most; nothing where it was never submitted. */
static int transfer_wait(lua_State *L) {
  sv_transfer *transfer = check_transfer(L);
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 2, "out of range");
  if (!transfer) {
    return 0;
  }
  if (!sv_transfer_done(transfer)) {
    sv_engine_step(transfer->engine, seconds);
  }
  lua_pushboolean(L, sv_transfer_done(transfer));
  sv_raise_interrupt(L);
  return 1;
}

/* result(reads, keeps) takes the result out, once: Lua's collector knows nothing
** of a body's size, and may leave the transfer alone for long. One that is kept
** can be had again. */
static int transfer_result(lua_State *L) {
  bool keeps = lua_toboolean(L, 3);
  lua_settop(L, 2);
  sv_transfer *transfer = check_transfer(L);
  luaL_argcheck(L, transfer, 1, "its result was taken");
  luaL_argcheck(L, sv_transfer_done(transfer), 1, "still under way");
  int count = sv_push_result(L, 2, transfer, sv_transfer_outcome(transfer));
  if (!keeps) {
    *(sv_transfer **)lua_touserdata(L, 1) = NULL;
    sv_transfer_release(transfer);
  }
  return count;
}

static int transfer_answer(lua_State *L) {
  const sv_transfer *transfer = check_transfer(L);
  return transfer ? sv_push_answer(L, transfer, sv_transfer_status(transfer))
                  : 0;
}

static int transfer_progress(lua_State *L) {
  const sv_transfer *transfer = check_transfer(L);
  return transfer ? sv_push_progress(L, sv_transfer_progress(transfer)) : 0;
}

/* --- module ------------------------------------------------------------ */

static int curl_libcurl_version(lua_State *L) {
  lua_pushstring(L, sv_libcurl_version());
  return 1;
}

/* sha256(text) -> its 64 lowercase hex digits. */
static int curl_sha256(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  char hex[SV_SHA256_HEX];
  if (sv_digest_bytes(text, size, hex) != 0) {
    return luaL_error(L, "out of memory");
  }
  lua_pushstring(L, hex);
  return 1;
}

/* hmac_sha256(key, text) -> 64 lowercase hex digits. */
static int curl_hmac_sha256(lua_State *L) {
  size_t key_size, size;
  const char *key = luaL_checklstring(L, 1, &key_size);
  const char *text = luaL_checklstring(L, 2, &size);
  char hex[SV_SHA256_HEX];
  if (sv_digest_signed(key, key_size, text, size, hex) != 0) {
    return luaL_error(L, "out of memory");
  }
  lua_pushstring(L, hex);
  return 1;
}

/* equal(text, text) -> boolean, in a time that tells of their lengths alone. */
static int curl_equal(lua_State *L) {
  size_t size, other_size;
  const char *one = luaL_checklstring(L, 1, &size);
  const char *other = luaL_checklstring(L, 2, &other_size);
  lua_pushboolean(L, size == other_size && sv_digest_same(one, other, size));
  return 1;
}

static int curl_engine(lua_State *L) {
  int max_in_flight;
  const char *ca_file = sv_read_engine(L, 1, &max_in_flight);
  sv_engine **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, ENGINE);
  *box = sv_engine_new(ca_file, max_in_flight);
  if (!*box) {
    return luaL_error(L, "out of memory");
  }
  return 1;
}

static const luaL_Reg engine_methods[] = {
    {"submit", engine_submit},       {"step", engine_step},
    {"take", engine_take},
    {"in_flight", engine_in_flight}, {"close", engine_close},
    {"__gc", engine_close},          {"__close", engine_close},
    {NULL, NULL},
};

static const luaL_Reg transfer_methods[] = {
    {"done", transfer_done},         {"result", transfer_result},
    {"answer", transfer_answer},     {"progress", transfer_progress},
    {"cancel", transfer_cancel},     {"wait", transfer_wait},
    {"__gc", transfer_gc},           {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"engine", curl_engine},
    {"driver", sv_lua_network},
    {"sha256", curl_sha256},
    {"hmac_sha256", curl_hmac_sha256},
    {"equal", curl_equal},
    {"version", curl_libcurl_version},
    {NULL, NULL},
};

LUALIB_API int luaopen_starvideos_curl(lua_State *L);

LUALIB_API int luaopen_starvideos_curl(lua_State *L) {
  char problem[SV_LIBCURL_TEXT];
  if (sv_libcurl_is_old(problem)) {
    lua_pushstring(L, problem);
    return lua_error(L);
  }
  sv_make_class(L, ENGINE, engine_methods);
  sv_make_class(L, TRANSFER, transfer_methods);
  sv_make_network_classes(L);
  luaL_newlib(L, functions);
  sv_add_disk(L, sv_digest_file);
  return 1;
}
