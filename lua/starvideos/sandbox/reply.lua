--- How a scenario's table becomes a response.
-- @module starvideos.sandbox.reply

local answer = require "starvideos.sandbox.answer"

local _M = {}

--- The regular answer, altered where the scenario alters it.
-- @tparam table box
-- @tparam ?table entry the scenario's table for this place
-- @tparam table body not yet encoded
-- @treturn table response
function _M.regular(box, entry, body)
  if entry and entry.alter then
    body = entry.alter(body, box)
  end
  return answer.json(body)
end

local function value_of(value, box)
  if type(value) == "function" then
    return value(box)
  end
  return value
end

-- The scenario's own body where it has one, else the regular response.
local function base(entry, box, regular)
  local body = value_of(entry.body, box)
  if body == nil then
    return regular or answer.json{}
  end
  if type(body) == "table" then
    return answer.json(body)
  end
  local response = answer.json{}
  response.body = body
  return response
end

-- Seconds that an answer waits, of the scenario's N.
local shares = {
  all = function(n)
    return n
  end,
  some = function(n, box)
    return n * box.random()
  end,
}

--- How long an answer is held back.
-- @tparam table box
-- @tparam table entry the scenario's table for this place
-- @tparam ?number n the scenario's N
-- @treturn ?number seconds
function _M.delay(box, entry, n)
  local share = shares[entry.delay]
  return share and share(n, box)
end

--- What is sent when a scenario is met.
-- @tparam table box
-- @tparam ?table entry the scenario's table for this place; nil = none met
-- @tparam ?number n the scenario's N
-- @tparam ?table regular the response without it
-- @treturn table response
function _M.shaped(box, entry, n, regular)
  if not entry then
    return regular
  end
  local response = base(entry, box, regular)
  response.status = entry.status or response.status
  for name, value in pairs(value_of(entry.headers, box) or {}) do
    response.headers[name] = value
  end
  response.delay = _M.delay(box, entry, n)
  response.abort = entry.abort
  response.repeats = entry.repeats
  return response
end

return _M
