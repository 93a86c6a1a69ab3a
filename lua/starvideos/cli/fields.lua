--- The options for the fields of an order, from the catalog's list of them: a
-- new field needs no change here, but may be described better.
-- @module starvideos.cli.fields

local c_locale = require "starvideos.base.c_locale"
local catalog = require "starvideos.cli.catalog"
local core = require "starvideos.core"

local _M = {}

local SERVERS_OWN = "the model's own"

-- By the field's name, what its option has beside the field's own help: a short
-- word, more help, the word for its value.
local described = {
  model = { "-m", "; see `starvideos models`", "NAME",
    required = true, choices = catalog.models },
  prompt = { "-p", "; - reads it from stdin", "TEXT", required = true },
  duration = { "-d", "; starvideos_o3 alone has a default", "SECONDS" },
  ratio = { nil, "", "W:H", default = SERVERS_OWN,
    choices = catalog.values "ratio" },
  resolution = { nil, "", "NAME", default = SERVERS_OWN,
    choices = catalog.values "resolution" },
  first_image = { nil, "; needs --last-image" },
  last_image = { nil, "; needs --first-image" },
}

-- By the kind of a field: how its text becomes a value.
local readers = {
  -- "8" becomes a number; the validation names "eight".
  duration = function(text)
    return c_locale.tonumber(text) or text
  end,
}

local arguments = { frame = "URL", media = "URL" }

-- `referenceImages` is a list: each `--reference-image` adds one.
local function option_of(field)
  local words = field.name:gsub("%u", function(letter)
    return "-" .. c_locale.lower(letter)
  end):gsub("_", "-")
  return "--" .. (field.kind == "media" and words:gsub("s$", "") or words)
end

local function row_of(field)
  local about = described[field.name] or {}
  local is_list = field.kind == "media"
  return { (about[1] and about[1] .. " " or "") .. option_of(field),
    field.help .. (about[2] or is_list and "; may be repeated" or ""),
    about[3] or arguments[field.kind] or "VALUE",
    is_list and "*" or nil, required = about.required,
    default = about.default, choices = about.choices }
end

local list = {}
for _, field in ipairs(core.fields()) do
  if not field.renamed then -- an old name: --param takes it
    list[#list + 1] = { name = field.name, row = row_of(field),
      key = option_of(field):sub(3):gsub("-", "_"),
      is_list = field.kind == "media", read = readers[field.kind] }
  end
end

--- The options, as `starvideos.cli.declarations` has them.
-- @treturn table a list of rows
function _M.rows()
  local rows = {}
  for index, field in ipairs(list) do
    rows[index] = field.row
  end
  return rows
end

--- Put what the options say into the parameters of a create.
-- @tparam table params
-- @tparam table options as parsed
function _M.fill(params, options)
  for _, field in ipairs(list) do
    local value = options[field.key]
    if value ~= nil and not (field.is_list and #value == 0) then
      params[field.name] = field.read and field.read(value) or value
    end
  end
end

return _M
