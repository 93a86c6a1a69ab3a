--- A temporary authority, and a certificate for the loopback address.
-- @module starvideos.sandbox.nginx.certificate

local shell = require "starvideos.nginx.shell"

local _M = {}

-- The authority's key is deleted at once, so that it signs nothing else.
-- nginx's cosockets look for an address among the names.
local COMMANDS = [[
mkdir -p @directory@ && cd @directory@ && exec 2>openssl.log >&2 &&
printf '%s\n' \
  'subjectAltName = DNS:localhost, DNS:127.0.0.1, IP:127.0.0.1' \
  'extendedKeyUsage = serverAuth' >server.ext &&
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -days 2 -subj '/CN=starvideos sandbox authority' -keyout ca.key \
  -out ca.pem &&
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -subj '/CN=localhost' -keyout server.key -out server.csr &&
openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key \
  -CAcreateserial -extfile server.ext -out server.pem &&
rm ca.key]]

--- Make them: `ca.pem`, `server.pem`, `server.key`.
-- @tparam string directory
-- @treturn ?boolean true, or nil
-- @treturn ?string what is wrong
function _M.make(directory)
  if shell.run(shell.fill(COMMANDS, { directory = directory })) then
    return true
  end
  return nil, "openssl made no certificate: is the package openssl installed?"
    .. " See " .. directory .. "/openssl.log"
end

return _M
