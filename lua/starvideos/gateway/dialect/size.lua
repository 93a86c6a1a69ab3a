--- Sizes in pixels, as OpenAI's API has them, for the provider's resolution and
-- ratio: *720p* and *16:9* are 1280x720. A model without resolutions has no
-- sizes.
-- @module starvideos.gateway.dialect.size

local _M = {}

-- In pixels; the shorter side is the resolution's number. nil where the ratio
-- gives no whole number of them.
local function size_of(resolution, ratio)
  local short = tonumber(resolution:match "^(%d+)p$")
  local across, down = ratio:match "^(%d+):(%d+)$"
  if not short or not across then
    return nil
  end
  across, down = tonumber(across), tonumber(down)
  local least = math.min(across, down)
  local width, height = short * across / least, short * down / least
  if width % 1 == 0 and height % 1 == 0 then
    return ("%.0fx%.0f"):format(width, height)
  end
end

--- The sizes of a model.
-- @tparam table row the model's row of the catalog
-- @treturn table list of `size`, `resolution`, `ratio`, maybe empty
function _M.list(row)
  local sizes = {}
  for _, resolution in ipairs(row.resolution and row.resolution.values or {}) do
    for _, ratio in ipairs(row.ratio and row.ratio.values or {}) do
      sizes[#sizes + 1] = { size = size_of(resolution, ratio),
        resolution = resolution, ratio = ratio }
    end
  end
  return sizes
end

--- What a size is for the provider.
-- @tparam table row the model's row of the catalog
-- @param size as the caller gave it
-- @treturn ?table of `resolution` and `ratio`; nil where the model does not have
--   that size
function _M.find(row, size)
  for _, found in ipairs(_M.list(row)) do
    if found.size and found.size == size then
      return found
    end
  end
end

--- The size of what was ordered; what the order leaves out is as the provider
-- documents it.
-- @tparam table row the model's row of the catalog
-- @tparam table params
-- @treturn ?string nil where nobody knows
function _M.of(row, params)
  local resolution = params.resolution or row.resolution
    and row.resolution.default
  local ratio = params.ratio or row.ratio and row.ratio.default
  return resolution and ratio and size_of(resolution, ratio)
end

return _M
