--- An order from the command line's options.
-- @module starvideos.cli.params

local failure = require "starvideos.cli.failure"
local fields = require "starvideos.cli.fields"
local files = require "starvideos.base.file"
local json = require "starvideos.base.json"

local _M = {}

-- Without the mark that editors of Windows put before a text in UTF-8.
local function read_all(env, name)
  local file, problem = env.stdin, nil
  if name ~= "-" then
    file, problem = files.open(name)
  end
  if not file then
    return nil, problem
  end
  local text, why = file:read("*a")
  if name ~= "-" then
    file:close()
  end
  return text and text:gsub("^\239\187\191", "") or nil, why
end

local function read_params(env, name)
  if not name then
    return {}
  end
  local text, problem = read_all(env, name)
  if not text then
    return nil, problem
  end
  local params, why = json.decode(text)
  if type(params) ~= "table" then
    return nil, ("--params %s does not hold a JSON object%s"):format(name,
      why and ": " .. why or "")
  end
  return params
end

local function read_prompt(env, options)
  if options.prompt and options.prompt_file then
    return nil, "give --prompt or --prompt-file, not both"
  elseif options.prompt == "-" or options.prompt_file then
    local text, problem = read_all(env, options.prompt_file or "-")
    local nul = text and text:find("\0", 1, true)
    if nul then
      return nil, ("the prompt holds a NUL at byte %d: save it as UTF-8, one"
        .. " prompt a file; nothing was sent"):format(nul)
    end
    return text and text:gsub("[\r\n]+$", "") or nil, problem
  end
  return options.prompt
end

local function add_further(params, pairs_given)
  for _, pair in ipairs(pairs_given) do
    local name, text = pair:match("^([%w_]+)=(.*)$")
    if not name then
      return nil, ("--param %s is not of the form NAME=VALUE"):format(pair)
    end
    local value = json.decode(text)
    if value == nil then
      value = text
    end
    params[name] = value
  end
  return params
end

local function build(options, env)
  local params, unread = read_params(env, options.params)
  if not params then
    return nil, unread
  end
  local prompt, problem = read_prompt(env, options)
  if problem then
    return nil, problem
  end
  fields.fill(params, options)
  params.prompt = prompt or params.prompt
  return add_further(params, options.param or {})
end

--- Build the parameters of a create.
-- @tparam table options as parsed
-- @tparam table env with `stdin`
-- @treturn ?table params
-- @treturn ?table err
function _M.read(options, env)
  local params, problem = build(options, env)
  if not params then
    return failure.usage(problem)
  end
  return params
end

return _M
