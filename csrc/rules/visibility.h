/*
** Included last by every source file but those of luaopen_*: what it defines is
** seen by its own module alone, or it would meet symbols of the host. A pragma,
** for who builds with LuaRocks gives the compiler no flags of ours. No header
** comes after it: the system's functions are not ours to hide.
*/
#pragma GCC visibility push(hidden)
