--- Runs the hammer, built with ThreadSanitizer.

local nginx = require "spec.fixtures.nginx"
local shell = require "starvideos.sandbox.shell"

local COMMAND = [[
mkdir @prefix@/hammered
TSAN_OPTIONS="exitcode=66" timeout 300 build/hammer/hammer \
  @url@/clip @ca@ @prefix@/hammered @rounds@ 2>&1; echo $?]]

--- Run it.
-- @tparam number rounds
-- @treturn boolean whether nothing was wrong
-- @treturn string what it printed
return function(rounds)
  local server = nginx.start { tls = true, body = "" }
  server:serve("clip", ("starvideos"):rep(5000))
  local output = shell.read(shell.fill(COMMAND, { prefix = server.prefix,
    url = server.tls_url, ca = server.ca_file, rounds = rounds }))
  server:stop()
  local printed, status = output:match("^(.-)(%d+)%s*$")
  return status == "0", printed
end
