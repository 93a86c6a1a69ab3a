--- How long to wait and how often to poll, from the command line's options.
-- @module starvideos.cli.wait_options

local c_locale = require "starvideos.base.c_locale"
local failure = require "starvideos.cli.failure"

local _M = {}

local names = { "timeout", "interval", "max_interval", "first_poll" }
local may_be_zero = { first_poll = true }

local function option(name)
  return "--" .. name:gsub("_", "-")
end

--- Read them.
-- @tparam table options as parsed
-- @treturn ?table those that were given, in seconds
-- @treturn ?table err
function _M.read(options)
  local found = {}
  for _, name in ipairs(names) do
    local text = options[name]
    local number = c_locale.tonumber(text)
    if text and not (number and number >= 0 and number < math.huge) then
      return failure.usage(("%s takes a number of seconds, not %s"):format(
        option(name), text))
    elseif number == 0 and not may_be_zero[name] then
      return failure.usage(option(name) .. " must be above 0")
    end
    found[name] = number
  end
  return found
end

return _M
