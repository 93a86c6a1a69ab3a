rockspec_format = "3.0"
package = "starvideos"
version = "scm-1"

-- For `luarocks make` in a checkout, which fetches nothing.
source = {
  url = "git+file://.",
}

description = {
  summary = "Client for an asynchronous video generation API",
  detailed = [[
Orders AI videos, waits for them and saves them: checks a request before it is
sent, never sends an order twice, and reports every failure as nil and an
error that a program can branch on. Needs libcurl and libcrypto, and lua-cjson
at run time; its command line needs argparse, its ledger LuaDBI.]],
  license = "MIT",
}

-- lua-cjson, argparse and LuaDBI are not named here, for where they come from differs:
-- OpenResty brings a cjson of its own, Debian has all as packages, and
-- LuaRocks, which knows of none, would insist on fetching them again.
dependencies = {
  "lua >= 5.1, < 5.6",
}

-- The Makefile asks pkg-config and the compiler for curl; LuaRocks' own search
-- does not look into multiarch folders.
build = {
  type = "make",
  build_variables = {
    BUILD = "build/luarocks",
    CFLAGS = "$(CFLAGS) -DSV_TELL_LUA",
    LIBFLAG = "$(LIBFLAG)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
  install_variables = {
    BUILD = "build/luarocks",
    CFLAGS = "$(CFLAGS) -DSV_TELL_LUA",
    LIBFLAG = "$(LIBFLAG)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    INST_LUADIR = "$(LUADIR)",
    INST_LIBDIR = "$(LIBDIR)",
    INST_BINDIR = "$(BINDIR)",
    IN_A_TREE = "yes",
  },
}

-- The wrapper of LuaRocks would run what lies in the folder of whoever calls it.
deploy = {
  wrap_bin_scripts = false,
}
