--- HTTP/1.1 as a server speaks it, in steps of a script.

local _M = {}

local Speech = {}
Speech.__index = Speech

--- The speech of one connection.
function _M.new()
  return setmetatable({ version = 1 }, Speech)
end

--- What comes before the first request.
function Speech.begin()
  return {}
end

--- Read a request.
function Speech.request()
  return { { "head" }, { "body" } }
end

local function lines(text, headers)
  local all = { text }
  for _, header in ipairs(headers) do
    all[#all + 1] = header[1] .. ": " .. header[2]
  end
  return table.concat(all, "\r\n") .. "\r\n\r\n"
end

--- The bytes of an answer.
-- @tparam table answer `status`, `type`, `headers` (a list of pairs), `body`
-- @tparam[opt] table changes `length`: another number than that of the body's
--   bytes, or false for no length
function Speech.text(answer, changes)
  local headers = { { "Content-Type", answer.type or "application/json" } }
  local length = changes and changes.length
  if length == nil then
    length = #answer.body
  end
  if length then
    headers[2] = { "Content-Length", tostring(length) }
  end
  for _, header in ipairs(answer.headers or {}) do
    headers[#headers + 1] = header
  end
  return lines(("HTTP/1.1 %d Answer"):format(answer.status), headers)
    .. answer.body
end

--- Send an answer.
function Speech:answer(answer, changes)
  return { { "send", 0, self.text(answer, changes) } }
end

return _M
