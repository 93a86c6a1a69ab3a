/*
** Module starvideos.curl: the network for Lua. Converts, and decides nothing.
*/
#include "binding/compat.h"
#include "binding/disk.h"
#include "binding/network.h"
#include "http/libcurl.h"
#include "system/digest.h"

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

static const luaL_Reg functions[] = {
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
  luaL_newlib(L, functions);
  sv_add_network(L);
  sv_add_disk(L, sv_digest_file);
  return 1;
}
