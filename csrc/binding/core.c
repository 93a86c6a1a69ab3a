/*
** Module starvideos.core: all of the library for Lua but what needs libcurl or
** libcrypto. Decides nothing.
*/
#include "binding/core.h"

#include "binding/disk.h"
#include "rules/text.h"
#include "rules/video.h"

SV_TELL_VERSION

/* content_range(text) -> first, last, total of the header Content-Range, in
** bytes; nil for each that it does not say, and for all of none. */
static int core_content_range(lua_State *L) {
  size_t size;
  const char *text = luaL_optlstring(L, 1, "", &size);
  sv_content_range range = sv_content_range_read(text, size);
  const long long numbers[] = {range.first, range.last, range.total};
  for (int i = 0; i < 3; i++) {
    sv_push_known(L, numbers[i]);
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

static const luaL_Reg functions[] = {
    {"content_range", core_content_range},
    {"container", core_container},
    {NULL, NULL},
};

LUALIB_API int luaopen_starvideos_core(lua_State *L) {
  luaL_newlib(L, functions);
  sv_add_actor(L);
  sv_add_catalog(L);
  sv_add_system(L);
  sv_add_watch(L);
  sv_add_disk(L, NULL);
  lua_pushinteger(L, SV_VIDEO_BEGINNING);
  lua_setfield(L, -2, "BEGINNING");
  return 1;
}
