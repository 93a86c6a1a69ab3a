-- A check that numbers with a fraction are written, and the case of letters is
-- changed, in one place of each language: the host's locale may have another
-- decimal point, and other capitals.

local _M = {}

local MAY = { ["lua/starvideos/base/c_locale.lua"] = true,
  ["csrc/rules/text.c"] = true }

-- `%.0f` writes no point.
local FORM = "%%[-+ #0-9.*]*l?[eEfgG]%f[%A]"

-- A form that `c_locale` is given, and the frontier of a pattern.
local function without_others(line)
  return (line:gsub('c_locale%.number%(%b""', ""):gsub("%%%.0f", "")
    :gsub("%%f%[", ""))
end

local function fault_in(line)
  local form = without_others(line):match(FORM)
  if form then
    return "writes a number with " .. form
  elseif line:find ":lower%(" or line:find ":upper%(" or line:find "string%.lower"
    or line:find "string%.upper" then
    return "changes the case of letters"
  end
end

--- What is wrong with a file.
-- @tparam string path
-- @tparam string text
-- @treturn table a sentence for each fault
function _M.faults(path, text)
  local faults, number = {}, 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local fault = not MAY[path] and not line:find "^%s*%-%-" and fault_in(line)
    if fault then
      faults[#faults + 1] = ("%s:%d %s as the locale of the host wants it: %s"
        .. " does not"):format(path, number, fault, path:find "%.lua$"
        and "starvideos.base.c_locale" or "sv_show_number")
    end
  end
  return faults
end

return _M
