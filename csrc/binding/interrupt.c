#include "binding/interrupt.h"

#include <stddef.h>

#include "rules/visibility.h"

/* As the stand-alone interpreters of all Luas set it: at whatever comes next.
** Their hook takes itself away. */
void sv_raise_interrupt(lua_State *L) {
  const int anything = LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT;
  lua_Hook hook = lua_gethook(L);
  if (hook != NULL && lua_gethookcount(L) == 1 &&
      (lua_gethookmask(L) & anything) == anything) {
    lua_Debug record = {0};
    record.event = LUA_HOOKCOUNT;
    hook(L, &record);
  }
}
