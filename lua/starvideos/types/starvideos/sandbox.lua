---@meta starvideos.sandbox
-- Made by `make types`, for editors; nothing requires it.
-- luacheck: ignore


---Options of `new` of `starvideos.sandbox`.
---@class starvideos.SandboxOptions
---@field key? string the API key it knows; default "sandbox-key"
---@field seconds? number from create to completed; default 5
---@field queued_seconds? number how many of these a task is queued; default 1
---@field clock? fun(): number Unix seconds; default os.time
---@field sleep? fun(seconds: number) called with the seconds that a delayed answer takes, such as one that puts the clock forward
---@field random? fun(): number a number from 0 up to 1; default math.random
---@field edition? "xingchao"|"mingyan" the models and limits of that documentation; default the newest text of each model
---@field link_seconds? number until a link expires; default 3600
---@field scenario? string a fault, for every request: `NAME`, `NAME=N`, several with commas
---@field clip? string an MP4 file to serve in place of the bundled one
---@field base_url? string of the API
---@field media_url? string origin of the media
---@field max_body? integer bytes of the largest create; default 1048576
---@field secret? string what links are signed with; default "sandbox"
---@field open? integer tasks that its account may have open; a create beyond gets HTTP 429
---@field creates_per_minute? number of that account
---@field polls_per_second? number of that account
---@field price? number of each of its tasks; default 0
---@field balance? number that it has to spend; then HTTP 402
---@field poll_interval? number seconds that should lie between two polls of a task; default 30
---@field accounts? table<string, table> further accounts by name, each with `key` and these limits
---@field store? table where tasks are kept; default this process
---@field clips? table which clip a task gets; default the same for all

---What arrived at a sandbox.
---@class starvideos.SandboxRecord
---@field tasks table[] in order of creation: `id`, `model`, `prompt`, `params`, `created`, `status`, `scenario`, `billed`, `posts`, `queries`, `media_requests`
---@field creates table[] every POST in order: `path`, `at`, `bytes`, `outcome`, `id`, `scenario`, `account`
---@field posts integer how many creates arrived
---@field billed integer how many tasks were billed
---@field queries integer how many queries arrived
---@field media table `requests`, and `with_authorization`, which must stay 0

---A stand-in for the provider inside this process.
---@class starvideos.Sandbox
---@field key string the API key it knows
---@field base_url string of its API
---@field media_url string origin of its media
local Provider = {}

local sandbox = {}

---Set the default scenario for all requests that follow.
---@param spec? string `NAME`, `NAME=N`, several with commas; none: no fault
function Provider:scenario(spec) end

---What was created and billed; see `starvideos.sandbox.control`.
---@return starvideos.SandboxRecord record
function Provider:tasks() end

---Change the limits of an account, or add one.
---@param wanted table `account` (a name; default: that of `key`), `key` of a new one, and the limits of `starvideos.sandbox.new`; false removes one
function Provider:limit(wanted) end

---Who broke which limit; see `starvideos.sandbox.accounts`.
---@return table report
function Provider:record() end

---Forget all tasks and counters, and go back to the first scenario and limits.
function Provider:reset() end

---A transport for `starvideos.new` that calls this provider in process. Each is a client
---of its own in the record.
---@return starvideos.Transport transport
function Provider:transport() end

---Make a sandbox.
---```lua
---local sandbox = require "starvideos.sandbox"
---local now = 1000
---local provider = sandbox.new{ clock = function() return now end }
---local client = require("starvideos").new{
---  api_key = provider.key, transport = provider:transport() }
---local task = assert(client:create{ model = "videos",
---  prompt = "A kitten [scenario:failed]", duration = 5 })
---now = now + 5
---assert(client:query(task).status == "failed")
---```
---@param options? starvideos.SandboxOptions
---@return starvideos.Sandbox provider
function sandbox.new(options) end

---Every scenario there is; see `starvideos.sandbox.scenario`.
---@return starvideos.Scenario[] scenarios
function sandbox.scenarios() end

return sandbox
