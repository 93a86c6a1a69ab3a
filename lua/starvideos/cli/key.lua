-- The API key of a command: out of a file, as people and their tools write it, or out
-- of the environment.

local c_locale = require "starvideos.base.c_locale"
local files = require "starvideos.base.file"

local _M = {}

local NAME = "STARVIDEOS_API_KEY"

-- What an assignment, as in an .env file, gives to which name.
local function assigned(line)
  return line:gsub("^export%s+", ""):match "^([%u_][%u%d_]*)%s*=%s*(.+)$"
end

-- The line that holds the key. Others may follow it.
local function line_in(text)
  local lines = {}
  for whole in text:gmatch "[^\r\n]+" do
    local line = (whole:match "^.*%S" or ""):gsub("^%s+", "")
    if assigned(line) == NAME then
      return line
    elseif line ~= "" and line:sub(1, 1) ~= "#" then
      lines[#lines + 1] = line
    end
  end
  if lines[2] and assigned(lines[1]) then
    return nil, "has several lines, and none of them is " .. NAME .. "=KEY"
  end
  return lines[1], "holds no key"
end

local function bare(line)
  local key = select(2, assigned(line)) or line
  key = key:match '^"(.*)"$' or key:match "^'(.*)'$" or key
  local scheme, rest = key:gsub("^%a+:%s+", ""):match "^(%a+)%s+(.*)$"
  return scheme and c_locale.lower(scheme) == "bearer" and rest or key
end

-- The key in the text of a file; nil and what is wrong. A message shows none of it.
local function read(text)
  if text:find "%z" or text:find "^\255\254" or text:find "^\254\255" then
    return nil, "is no text, or is one in UTF-16: save it as UTF-8"
  end
  local line, problem = line_in((text:gsub("^\239\187\191", "")))
  local key = line and bare(line)
  if not key then
    return nil, problem
  elseif key:find "[^!-~]" or key:find "[\"'{}<>]" then
    return nil, "holds more than a key: a blank, a quote, a bracket or a character"
      .. " beyond ASCII"
  end
  return key
end

-- The key of a job. Returns key, nil where there is none, and why it could not be read
-- from its file.
function _M.of(job)
  local name = job.options.api_key_file
  if not name then
    return job.env.getenv(NAME)
  end
  local file, problem = files.open(name)
  if not file then
    return nil, problem
  end
  local text
  text, problem = file:read "*a"
  file:close()
  if not text then
    return nil, problem
  end
  local key, wrong = read(text)
  return key, wrong and name .. " " .. wrong
end

return _M
