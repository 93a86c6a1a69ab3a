-- The seam between systems, and a check that nothing else asks which one it is.
--
-- What differs between systems stands in csrc/system; what differs between Luas,
-- libcurls and compilers in one place each. No other file of csrc has an #if, but
-- for names of our own: the guard of a header, and what a rockspec defines.

local _M = {}

local MAY_ASK = { ["csrc/binding/compat.h"] = true,
  ["csrc/binding/compat.c"] = true, ["csrc/http/libcurl.h"] = true,
  ["csrc/rules/visibility.h"] = true }

--- What is wrong with a file.
-- @tparam string path
-- @tparam string text
-- @treturn table a sentence for each fault
function _M.faults(path, text)
  local faults = {}
  if not path:find "^csrc/" or path:find "^csrc/system/" or MAY_ASK[path] then
    return faults
  end
  for line in text:gmatch "[^\n]+" do
    if line:find "^%s*#%s*if" and not line:find "^#ifn?def SV_[%u%d_]+$" then
      faults[#faults + 1] = ("%s asks '%s': what differs between systems belongs"
        .. " into csrc/system"):format(path, line)
    end
  end
  return faults
end

return _M
