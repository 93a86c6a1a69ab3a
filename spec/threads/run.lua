-- Runs the programs of make check-threads against a server of their own, one of
-- them for so many seconds. The exit code is 0 where ThreadSanitizer has nothing
-- to say.

local nginx = require "spec.fixtures.nginx"
local shell = require "starvideos.nginx.shell"

local programs, seconds = ...

local WAYS = [[
location = /hello { return 200 "hello"; }
location = /slow { content_by_lua_block { ngx.sleep(0.02) ngx.print("slow") } }
location = /drip { content_by_lua_block {
  ngx.header.content_type = "video/mp4"
  ngx.print("x") ngx.flush(true) ngx.sleep(0.05) ngx.print("y")
} }
]]

-- What libcurl and OpenSSL do among themselves cannot be seen. Of kernels that
-- lay out memory more at random than the sanitizer expects, nothing is random.
local COMMAND = [[
export TSAN_OPTIONS="exitcode=66 ignore_noninstrumented_modules=1 $TSAN_OPTIONS"
fixed=$(setarch -R true 2>/dev/null && echo setarch -R)
timeout 300 $fixed @programs@/exit @url@/drip @prefix@/late || exit
timeout 300 $fixed @programs@/hammer spec/threads/hammer.lua @url@ @tls_url@ \
  @ca_file@ @prefix@/file @seconds@]]

local server = nginx.start { tls = true, body = WAYS }
local ok = shell.run(shell.fill(COMMAND, { programs = programs, url = server.url,
  tls_url = server.tls_url, ca_file = server.ca_file, prefix = server.prefix,
  seconds = seconds }))
server:stop()
os.exit(ok and 0 or 1, true)
