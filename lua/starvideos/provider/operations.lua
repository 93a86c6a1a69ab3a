--- What the provider's API can be asked to do, a record each. All records stand
-- in one file, so that what differs between two operations can be read off side
-- by side. A record has
--
-- * `name`, by which events call it;
-- * `method`, and `url(base_url, call)`;
-- * `billable`: whether it may cost money. Such an operation is sent by
--   `order/send`: on a connection of its own, and not interrupted once it is on
--   its way. Its answer must tell the id of what was bought, that to
--   another operation the status of a task;
-- * `kinds`: the error kind of an HTTP status, or of a `code` in the body;
--   `3xx` to `5xx` for all that are not listed, `unreadable` for an answer
--   that makes no sense. A `code` of 204 is the provider's way to refuse a
--   key, not "no content";
-- * `refused`: the message for each of these kinds, with a place for the facts.
--   The words of an answer can mean only a kind that has a message here;
-- * `between`: the message where a proxy or a firewall refused the request;
-- * `refuses`, of a billable one: the statuses that leave open what was bought
--   unless the answer is a refusal in the provider's own form (`object: "error"`);
--   `named`: the message of an unknown outcome whose answer names a task, with
--   places for its id and the facts;
-- * `failures`: the error kind of a transport's reason, where nothing was sent,
--   and where something was or may have been;
-- * `failed`: the message for each of those kinds.
--
-- A video is fetched from a media host: `download` knows how transports fail.
-- @module starvideos.provider.operations

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
  url = function(base_url, call)
    return address.of_result(base_url, call.task_id)
  end,
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
