/*
** What a file is, as Lua gets it.
*/
#ifndef SV_BINDING_VIDEO_H
#define SV_BINDING_VIDEO_H

#include "rules/video.h"
#include "binding/compat.h"

/* Pushes the container, false where it is none, and the state. */
static inline void sv_push_video(lua_State *L, const sv_video *video) {
  if (video->container) {
    lua_pushstring(L, video->container);
  } else {
    lua_pushboolean(L, 0);
  }
  lua_pushstring(L, video->state);
}

#endif
