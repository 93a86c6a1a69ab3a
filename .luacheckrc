-- What Lua 5.1 to 5.4 and LuaJIT have in common; what only some of them have
-- is named, for it may be used where the others are thought of.
std = "min"
read_globals = {
  "loadstring", "setfenv", "unpack",
  math = { fields = { "tointeger" } },
  table = { fields = { "unpack" } },
  package = { fields = { "loaders", "searchers", "searchpath" } },
}
max_line_length = 100

files["spec/**/*_spec.lua"].std = "+busted"
files["**/*.rockspec"].std = "rockspec"

-- What hosts bring along.
for _, pattern in ipairs { "lua/starvideos/host/ngx/*.lua",
  "lua/starvideos/host/resty_http/*.lua", "spec/hosts/nginx/*.lua",
  "spec/hosts/scenarios.lua", "spec/fixtures/resty/*.lua" } do
  files[pattern].read_globals = { "ngx" }
end
for _, pattern in ipairs { "lua/starvideos/gateway/*.lua",
  "lua/starvideos/gateway/api/*.lua" } do
  files[pattern].globals = { "ngx" }
end
for _, pattern in ipairs { "examples/love*/*.lua", "spec/hosts/love/**/*.lua",
  "spec/bench/hosts/love/**/*.lua" } do
  files[pattern].std = "luajit+love"
end
