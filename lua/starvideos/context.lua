-- What a client knows: made once, of the options of `starvideos.new`, and found again
-- by its client. No other field is added later; `docs/contracts.md` ("What a client
-- knows: the context") has them all.

local address = require "starvideos.provider.address"
local core = require "starvideos.core"
local create_limit = require "starvideos.order.create_limit"
local exchange = require "starvideos.provider.exchange"
local listener = require "starvideos.base.listener"
local random = require("starvideos.base.fingerprint").random
local rate_limit = require "starvideos.wait.rate_limit"
local locations = require "starvideos.ledger.location"
local hosts = require "starvideos.host"

---Limits of a prompt.
---@class starvideos.PromptLimits
---@field max? number characters at most; none: no limit is documented

---Limits of a duration.
---@class starvideos.DurationLimits
---@field min? number seconds at least
---@field max? number seconds at most
---@field default? number what the provider takes where it is left out
---@field required? boolean true: it must be given
---@field advised? integer[] the only values that newer programs send

---What a ratio or resolution may be.
---@class starvideos.ChoiceLimits
---@field values? string[] what may be chosen
---@field default? string what the provider takes where it is left out

---How frames are named.
---@class starvideos.FrameLimits
---true: the old names `image` and `lastFrameImage` are known, too
---@field legacy_aliases? boolean

---Limits of references.
---@class starvideos.MediaLimits
---@field max? number how many at most
---@field max_with_video? number how many at most beside a reference video
---@field max_bytes? number bytes of each
---@field below? boolean true: of fewer bytes than that
---@field total_bytes? number bytes of all
---@field min_duration? number seconds of each at least
---@field max_duration? number seconds of each at most
---@field total_duration? number seconds of all
---@field min_pixels? number pixels at least, of the shorter side of each
---@field max_pixels? number pixels at most, of the shorter side of each
---true: duration and ratio of the order do not count beside it, and are not sent
---@field sets_output? boolean

---A model and its limits, as its documentation has them. What it does not take has no
---field.
---@class starvideos.Model
---@field name? string the model, as --model takes it
---@field endpoint? string path it is ordered at
---@field editions? string[] the editions of the documentation that have it
---@field billing? string how it is billed; none: no document says it
---@field best_for? string what the documentation offers it for
---@field prompt? starvideos.PromptLimits limits of the prompt
---@field duration? starvideos.DurationLimits limits of the length
---@field ratio? starvideos.ChoiceLimits what ratios there are
---@field resolution? starvideos.ChoiceLimits what resolutions there are
---@field frames? starvideos.FrameLimits first_image and last_image are taken
---@field referenceImages? starvideos.MediaLimits limits of reference images
---@field referenceVideos? starvideos.MediaLimits limits of reference videos
---@field referenceAudios? starvideos.MediaLimits limits of reference sounds

local _M = {}

-- 4 GiB, this library's choice: the longest documented video, 15 s, has 0.2 GiB at
-- 100 Mbit/s.
local MAX_VIDEO = 4294967296

-- 256 KiB, this library's choice: a refusal may quote a whole order, which has 64 KiB
-- at most; more would hold up a frame.
local MAX_ANSWER = 262144

-- Stands here and not in the client, so that no dump of the client shows the
-- key.
local contexts = setmetatable({}, { __mode = "k" })

-- Keep the context of a client.
function _M.keep(client, context)
  contexts[client] = context
end

-- The context of a client. Returns context; nil for what is no client.
function _M.of(client)
  return contexts[client]
end

-- nil where there is no key: validating and listing need none, so the first call
-- that does says so.
local function check_key(key)
  if key == nil or key == "" then
    return true, nil
  elseif key:find("[%c\127]") then
    return false, "the API key holds a line break or control character; a key"
      .. " read from a file often ends in one"
  elseif key:find("^%s") or key:find("%s$") then
    return false, "the API key begins or ends with a blank"
  elseif key:find "^[\"']" or key:find "^[Bb]earer%s" then
    return false, "the API key begins with a quote or with Bearer: give the key"
      .. " alone"
  elseif key:find "[\128-\255]" then
    return false, "the API key holds a character beyond ASCII"
  end
  return true, key
end

local function headers_with(key)
  return { ["Authorization"] = key and "Bearer " .. key or nil,
    ["Accept"] = "application/json",
    ["User-Agent"] = exchange.USER_AGENT }
end

local function ledger_for(context, options)
  return require("starvideos.ledger").new {
    address = options.ledger,
    fsync = options.ledger_fsync,
    account = options.account,
    base_url = context.base_url,
    clock = require("starvideos.core").time,
    boottime = context.boottime,
    random = context.random,
    timeout = context.timeout,
    runtime = context.runtime,
    blocks = context.blocks,
    tell = options.on_event and function(event)
      listener.event(context, event)
    end,
  }
end

-- What a call would load when it is made: it could not where the host has entered
-- another root by then, or has no descriptor left.
local function load_operations(with_ledger)
  for name in ("generate_all order_list" .. (with_ledger
    and " enqueue history limits resume work" or "")):gmatch "%S+" do
    require("starvideos.fleet." .. name)
  end
end

-- Make the context of a client. `options`: of `starvideos.new`, checked. Raises where
-- the host has no such runtime. Returns why not: a malformed key, base URL, address of
-- a ledger, or price.
function _M.new(options)
  local ok, key = check_key(options.api_key)
  if not ok then
    return nil, key
  end
  local base_url, problem = address.normalise(
    options.base_url or address.default, options.insecure_http)
  if not base_url then
    return nil, problem
  end
  local chance = options.random or random()
  local runtime, host = hosts.new(options)
  local blocks = host == "block"
  local context = {
    api_key = key,
    headers = headers_with(key),
    base_url = base_url,
    account = options.account,
    catalog = core.catalog { edition = options.edition,
      models = options.models },
    validation = options.validation or "strict",
    runtime = runtime,
    blocks = blocks,
    interrupts = blocks and (options.interrupts or "raise") or "return",
    random = chance,
    wall_clock = core.time,
    boottime = core.boottime,
    process_id = core.process_id,
    timeout = options.timeout or 60,
    connect_timeout = options.connect_timeout or 10,
    insecure_http = options.insecure_http,
    private_links = options.private_links
      or core.is_private((base_url:match "//([^/]*)":gsub(":%d+$", ""))),
    max_video = options.max_video or MAX_VIDEO,
    max_answer = options.max_answer or MAX_ANSWER,
    rate_limiter = rate_limit.new(chance, options.poll_rate),
    slots = create_limit.new(options.max_creates),
    shared = options.shared,
    on_event = options.on_event,
    told = {},
    closed = false,
  }
  if options.shared then
    context.shared_cache =
      require("starvideos.wait.shared_cache").new(context)
  end
  if options.prices then
    context.prices, problem = require("starvideos.provider.prices").load(
      options.prices, context.catalog)
    if not context.prices then
      return nil, problem
    end
  end
  load_operations(options.ledger)
  if options.ledger then
    context.ledger, problem = ledger_for(context, options)
    local warning = context.ledger and locations.unencrypted(options.ledger)
    if warning then
      listener.event(context, { name = "notice", notice = "unencrypted",
        reason = warning })
    end
    return context.ledger and context, problem
  end
  return context
end

return _M
