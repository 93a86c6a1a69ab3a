-- What the provider's API can be asked to do, a record each. All records stand in one
-- file, so that what differs between two operations can be read off side by side;
-- docs/contracts.md has their fields.

local address = require "starvideos.provider.address"

local BASE_URL = "check base_url, which looks like " .. address.default

local BETWEEN = "a proxy or firewall in front of the provider refused the %s"
  .. " (%%s)"
local LOOK_BETWEEN = "look at this network's proxy and its login, then at"
  .. " base_url"

local UNKNOWN = "the order was sent, but no answer says whether it was accepted"
  .. " (%s); it may have been bought: check your account with the provider"
  .. " before you order again"

local NAMED = "the order was sent, and its answer names task %s, but not whether"
  .. " the order was accepted (%s); it may have been bought: query that task"
  .. " before you order again"

local NOTHING_BOUGHT = "%s; nothing was sent, and nothing was bought"

-- Time that ran out before anything was sent is a matter of the network.
local reading = {
  unsent = { invalid = "config", insecure = "config", private = "protocol",
    too_large = "protocol", protocol = "protocol", io = "io", busy = "io", late = "cancelled",
    cancelled = "cancelled", other = "network" },
  sent = { invalid = "config", insecure = "config", private = "protocol",
    timeout = "timeout", stalled = "timeout", too_large = "protocol",
    protocol = "protocol",
    io = "io", busy = "io", late = "cancelled", cancelled = "cancelled",
    other = "network" },
}

-- For an order only one question counts: can it have arrived?
local ordering = {
  unsent = { invalid = "config", insecure = "config", late = "cancelled",
    cancelled = "cancelled", io = "io", other = "network" },
  sent = { other = "outcome_unknown" },
}

local as_it_is = { other = "%s" }

local function encoded(char)
  return ("%%%02X"):format(char:byte())
end

-- An id may have any bytes; they are percent-encoded, dots too where it has nothing
-- else and would name another folder.
local function result_url(base_url, call)
  local id = call.task_id
  if not id:find "[^%w_~-]" then -- as most
    return base_url .. "/v1/result/" .. id
  end
  local segment = id:gsub("[^%w_.~-]", encoded)
  if segment:find("^%.+$") then
    segment = segment:gsub("%.", encoded)
  end
  return base_url .. "/v1/result/" .. segment
end

local _M = {}

--- Order a video. `call` has the `endpoint` of the model.
_M.create = {
  name = "create",
  method = "POST",
  url = function(base_url, call)
    return base_url .. call.endpoint
  end,
  billable = true,
  kinds = {
    [204] = "auth", [401] = "auth", [403] = "auth", [404] = "config",
    [408] = "outcome_unknown", [425] = "outcome_unknown",
    [429] = "rate_limited", ["3xx"] = "config", ["4xx"] = "invalid_request",
    ["5xx"] = "outcome_unknown", unreadable = "outcome_unknown",
    -- See other: by HTTP the order was processed (RFC 9110, 15.4.4). Not
    -- modified is no answer to a POST.
    [303] = "outcome_unknown", [304] = "outcome_unknown",
    -- An order names nothing that it could be in conflict with, or that could be
    -- locked, but a copy of itself that something on the way has sent before.
    [409] = "outcome_unknown", [423] = "outcome_unknown",
    -- A gateway stopped to wait for the provider.
    [499] = "outcome_unknown",
  },
  refuses = { [409] = true, [423] = true },
  between = BETWEEN:format "order" .. "; nothing was bought; " .. LOOK_BETWEEN,
  named = NAMED,
  refused = {
    auth = "the provider refused the API key (%s); nothing was bought; check"
      .. " STARVIDEOS_API_KEY or api_key",
    config = "the provider has no such path (%s); nothing was bought; "
      .. BASE_URL,
    invalid_request = "the provider refused the order (%s); nothing was bought;"
      .. " %s",
    rate_limited = "too many requests (%s); nothing was bought; order again %s",
    outcome_unknown = UNKNOWN,
  },
  failures = ordering,
  failed = {
    outcome_unknown = UNKNOWN,
    network = NOTHING_BOUGHT
      .. "; order again once the provider can be reached",
    other = NOTHING_BOUGHT,
  },
}

--- Look at a task. `call` has its `task_id`.
_M.query = {
  name = "query",
  method = "GET",
  url = result_url,
  kinds = {
    [204] = "auth", [401] = "auth", [403] = "auth", [404] = "not_found",
    [408] = "timeout", [425] = "server", [429] = "rate_limited",
    ["3xx"] = "config", ["4xx"] = "invalid_request", ["5xx"] = "server",
    unreadable = "protocol",
  },
  between = BETWEEN:format "request" .. "; " .. LOOK_BETWEEN,
  refused = {
    auth = "the provider refused the API key (%s); check STARVIDEOS_API_KEY or"
      .. " api_key",
    config = "the provider has no such path (%s); " .. BASE_URL,
    invalid_request = "the provider refused the request (%s)",
    rate_limited = "too many requests (%s)",
    not_found = "the provider knows no task with this id (%s)",
    server = "the provider failed (%s)",
    timeout = "the provider timed out (%s)",
    protocol = "the answer could not be understood (%s)",
  },
  failures = reading,
  failed = as_it_is,
}

--- Fetch a video.
_M.download = { name = "download", failures = reading, failed = as_it_is }

return _M
