--- Who is measured. `command` is a program of spec/bench/peers, and its `way`;
-- `one`: queries one after the other, on the server's core, `many`: 64 at once.
-- The first is what all are compared with; `goals` are multiples of what the best
-- other one in Lua, `lua_curl`, takes.

return {
  { name = "plain", title = "libcurl alone, in C, whose answers nobody reads",
    command = "build/bench/query_plain", one = true, many = true },
  { name = "ours_block", title = "**starvideos**, `query`; `wait_all`",
    command = "lua5.4 spec/bench/peers/ours.lua", one = true, many = true,
    goals = { one = "<= 1.25" } },
  { name = "ours_poll", title = "**starvideos**, coroutines of the runtime `poll`",
    command = "lua5.4 spec/bench/peers/ours.lua", way = "poll", many = true,
    goals = { many = "<= 1.25" } },
  { name = "lua_curl", title = "Lua-cURL 3, an easy handle used again; a multi handle",
    command = "lua5.4 spec/bench/peers/lua_curl.lua", one = true, many = true },
  { name = "debian_curl", title = "Debian's lua-curl, another binding, without a multi"
    .. " handle", command = "lua5.2 spec/bench/peers/debian_curl.lua", one = true },
  { name = "luasocket_kept", title = "LuaSocket, a connection kept by a hook of ours",
    command = "lua5.4 spec/bench/peers/luasocket.lua", way = "kept", one = true },
  { name = "luasocket", title = "LuaSocket, as it comes: a connection each",
    command = "lua5.4 spec/bench/peers/luasocket.lua", way = "fresh", one = true },
  { name = "lua_http_kept", title = "lua-http, streams of a kept connection; coroutines"
    .. " of cqueues", command = "lua5.2 spec/bench/peers/lua_http.lua", way = "kept",
    one = true, many = true },
  { name = "lua_http", title = "lua-http, its `request`: a connection each",
    command = "lua5.2 spec/bench/peers/lua_http.lua", way = "fresh", one = true,
    many = true },
  { name = "node_fetch", title = "node's `fetch`; `Promise.all`",
    command = "node spec/bench/peers/node_fetch.mjs", one = true, many = true },
  { name = "openai", title = "OpenAI's client for node; `Promise.all`",
    command = "node spec/bench/peers/openai.mjs", one = true, many = true },
}
