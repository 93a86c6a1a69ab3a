--- What a gateway was started with: settings.json in its folder.
--
-- * `base_url`, `edition`, `insecure_http`: of the provider
-- * `ledger`: a file or a URL; `callers`, `prices`: paths, or nil
-- * `hosts`: list of names that requests may be for, with their ports
-- * `public_url`: that callers see, or nil: as they asked
-- * `is_tls`, `port`
-- * `keep_days`, `keep_bytes`: of videos
-- * `interval`: seconds between two polls of a task, nil for the default
-- @module starvideos.gateway.settings

local json = require "starvideos.json"

local _M = {}

--- Read them.
-- @tparam string folder
-- @treturn ?table settings
-- @treturn ?string what is wrong
function _M.read(folder)
  local file, why = io.open(folder .. "/settings.json", "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  local found = text and json.decode(text)
  if type(found) ~= "table" then
    return nil, why or folder .. "/settings.json is no JSON object"
  end
  return found
end

return _M
