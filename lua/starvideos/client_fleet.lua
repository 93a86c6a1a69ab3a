-- The methods of a client for many orders and many machines: a queue in the ledger,
-- workers that send what is in it, and limits that hold for all of them.
-- `starvideos.client` has them among its own.

local arguments = require "starvideos.arguments"

local call, rows = arguments.call, arguments.rows

---The state of an order in the ledger.
---@alias starvideos.OrderState
---| "staged"
---| "queued"
---| "prepared"
---| "submitting"
---| "unknown"
---| "accepted"
---| "completed"
---| "downloaded"
---| "failed"
---| "cancelled"
---| "refused"
---| "abandoned"

---An order of the ledger.
---@class starvideos.Order
---@field id? string the order's id: 32 hex digits that sort by time
---@field key? string its key; without one given the path of its file
---@field take? integer which order of the key, from 1
---@field account? string your name for the account
---@field label? string your label
---@field state? starvideos.OrderState a state, see Ledger in docs
---@field task_id? string the provider's id of the task
---@field model? string the model
---how the video is made: `text`, `image reference`, `frames`, `video reference` or
---`image + video`; behind it `with audio` where sounds go with it
---@field mode? string
---@field prompt? string the prompt
---@field params? starvideos.Params all parameters, without secrets
---@field base_url? string where it was ordered
---@field path? string where the video is, or is to be
---@field machine? string host name of the machine of `path`
---@field bytes? integer the file's length
---@field sha256? string the file's SHA-256
---@field cost? number what it costs, by your prices
---@field amount? string what the provider says that it charged, without a currency
---@field currency? string the currency's name, of the prices
---@field error? string why it, or its task, failed
---@field attempts? integer how often it was sent
---@field late_tasks? string[] ids of tasks whose answer came late: they were bought, too
---Unix seconds: when the provider first did not know the task any more
---@field missing_since? number
---@field queued_at? number Unix seconds: when its batch was enqueued
---@field not_before? number Unix seconds, before which no worker sends it
---@field accepted_at? number Unix seconds: when the provider took it
---@field created_at? number Unix seconds: when it was placed
---@field updated_at? number Unix seconds: when it last changed
---@field deleted_at? number Unix seconds: when its caller of a gateway deleted it
---@field removed_at? number Unix seconds: when a gateway removed its file
---@field known? boolean of `enqueue`: true where the order was there before

---What `resume` has done.
---@class starvideos.ResumeResult
---@field done integer orders whose video was saved
---@field failed integer orders that ended without one
---@field left integer orders that are still open
---@field orders starvideos.ResumedOrder[] what became of each

---What became of one order of `resume`.
---@class starvideos.ResumedOrder
---@field order starvideos.Order the order
---@field file? starvideos.File the saved video
---@field err? starvideos.Error why there is none

---An order of a list: its params and, beside them, how it is named and where it goes.
---@class starvideos.ListedOrder
---the model; the further fields of its params stand beside it
---@field model starvideos.ModelName|string
---where the video is saved, below the folder of the call or worker that saves it; an
---absolute one counts on this machine only
---@field path? string
---the name of the order; path or key must be there; default the path as it is written
---@field key? string
---@field take? integer another take of a key is another order; default 1
---@field label? string a label of your own, for limits and lists
---@field [string] any the other params of the model

---A list of orders that was checked.
---@class starvideos.CheckedList
---@field entries starvideos.CheckedOrder[] the orders, in the order of the list
---@field warnings starvideos.Warning[] what the documentation only advises
---@field price? starvideos.Price of all, where the client has prices
---@field unpriced? integer how many have no price

---An order of a list that was checked.
---@class starvideos.CheckedOrder
---@field index integer its place in the list
---@field line? integer of a manifest: its line
---@field path? string where the video goes
---@field key? string its key
---@field take? integer which order of the key
---@field label? string your label
---@field mode? string how the video is made, as of an order
---@field price? starvideos.Price what it costs
---@field unpriced? string why it has no price

---What became of one order of `generate_all`.
---@class starvideos.GenerateResult
---@field task? starvideos.Task completed
---@field file? starvideos.File the saved video
---@field err? starvideos.Error why there is none

---What `work` has done.
---@class starvideos.WorkResult
---@field done integer orders whose video was saved here
---@field failed integer orders that ended here without one
---@field unknown integer orders that were sent here and whose outcome is unknown
---@field left integer orders that are open in the ledger

---A copy of a ledger.
---@class starvideos.Backup
---@field path string the copy
---@field bytes integer its length

---A limit of the ledger.
---@class starvideos.Limit
---@field name? string its name, as --remove takes it
---`open` (tasks), `creates` (a minute), `polls` (a second), `spend`
---@field kind? "open"|"creates_per_minute"|"polls_per_second"|"spend"
---@field per? "day"|"total" of a spend: `day` or `total`
---@field account? string for orders of this account alone
---@field label? string for orders with this label alone
---@field cap? number how much may be used
---@field used? number how much is
---@field left? number how much is left
---@field currency? string of a spend
---@field until_? number Unix seconds: when it starts again
---@field refund_failed? boolean of a spend: whether failed tasks give their part back

---A queue that has stopped itself.
---@class starvideos.Halt
---@field account? string whose queue; none: all
---@field base_url? string of which provider
---@field kind? starvideos.ErrorKind the kind of the error that stopped it
---@field reason? string why, as a sentence
---@field since? number Unix seconds

---Rates that a 429 has lowered.
---@class starvideos.LoweredRate
---@field account? string whose orders; none: all
---@field base_url? string of which provider
---@field factor? number the share of the rates that is left
---@field until_? number Unix seconds, before which nothing is sent

---A status or a field of the provider's answers that no document knows.
---@class starvideos.UnknownWord
---@field what? "status"|"field" which of both
---@field word? string its name
---@field base_url? string of which provider
---@field count? integer how many processes have seen it
---@field seen_at? number Unix seconds, when the last of them first saw it

---A worker of the ledger's queue.
---@class starvideos.Worker
---@field id? string the worker's id
---@field machine? string host name of its machine
---@field account? string whose orders it sends
---@field base_url? string to which provider
---@field is_dead? boolean whether its heartbeat has stopped
---@field draining? boolean whether it takes no more orders
---@field claims? integer orders that it has
---@field polls? number its polls a second
---@field started_at? number Unix seconds
---@field silence? number seconds since its last heartbeat

---What a ledger holds, in sums.
---@class starvideos.Status
---@field states? table<starvideos.OrderState, integer> by state how many orders
---@field claimed? integer orders that workers have
---@field unattended? integer tasks of the queue that no worker has had for two minutes
---@field overdue? integer tasks that have not ended after half an hour
---@field spend? table<string, starvideos.Spend> by currency `today` (UTC) and `total`
---@field unpriced? integer orders that were sent without a price
---@field halted? starvideos.Halt[] why queues stopped themselves
---@field rates? starvideos.LoweredRate[] which rates a 429 has lowered
---@field unknown? starvideos.UnknownWord[] what no document knows of the provider's answers
---@field limits? starvideos.Limit[] the limits
---@field workers? starvideos.Worker[] the workers

---What was spent of one currency.
---@class starvideos.Spend
---@field total number in units of the currency
---@field today number of this day, UTC

---@class starvideos.Client
local Client = {}

-- An operation is loaded when it is first called: most programs call none of
-- these.
local function orders_of_list()
  return require "starvideos.fleet.order_list"
end

local function history()
  return require "starvideos.fleet.history"
end

local function limits()
  return require "starvideos.fleet.limits"
end

---Check and price a list of orders; nothing is sent or recorded.
---```lua
---local checked = assert(client:validate_all {
---  { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" } })
---print(#checked.entries)
---```
---@param list starvideos.ListedOrder[] orders, or what `starvideos.manifest` gave
---@return starvideos.CheckedList? checked
---@return starvideos.Error? err of kind validation, with a violation for each fault of
---each order; cancelled
function Client:validate_all(list)
  return call(self, "validate_all", list)
end

rows.validate_all = { takes = { "orders" },
  run = function(context, list)
    return orders_of_list().check(context, list, { drops_orders = true })
  end }

---Put a list of orders into the queue of the ledger, all of them or none. Nothing is
---sent: `work` does that, here or on another machine. The same list again is the same
---orders.
---
---Raises where the client has no ledger, or the list is none.
---```lua
---assert(client:enqueue {
---  { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" } })
---assert(client:work { directory = "videos" })
---```
---@param list starvideos.ListedOrder[] orders, or what `starvideos.manifest` gave
---@param options? starvideos.EnqueueOptions
---@return starvideos.Order[]? orders in the order of the list; `known` is true of those
---that were there
---@return starvideos.Error? err validation, with a violation for each fault of each
---order, and its `next_take` where the order is another than the one that is there
---under its key and take; cancelled; ledger. Nothing was enqueued, unless the message
---says so
function Client:enqueue(list, options)
  return call(self, "enqueue", list, options)
end

rows.enqueue = { takes = { "orders" }, ledger = true,
  run = function(...)
    return require("starvideos.fleet.enqueue").run(...)
  end }

---Order a list of videos, wait for them and save them, some at a time. With a ledger a
---call that was interrupted can be made again: nothing is ordered twice. All orders are
---checked before the first is sent.
---```lua
---local results = assert(client:generate_all({
---  { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" },
---}, { directory = "videos" }))
---assert(results[1].file, results[1].err)
---```
---@param list starvideos.ListedOrder[] orders, or what `starvideos.manifest` gave.
---Without a ledger an order has no take
---@param options? starvideos.GenerateAllOptions
---@return starvideos.GenerateResult[]? results in the order of the list. After a
---refused key or an empty balance no further order is begun
---@return starvideos.Error? err validation, see `enqueue`; io where a folder cannot be
---made; cancelled after Ctrl-C, with the results so far in `result`
function Client:generate_all(list, options)
  return call(self, "generate_all", list, options)
end

rows.generate_all = { takes = { "orders" },
  key = true, run = function(...)
    return require "starvideos.fleet.generate_all" (...)
  end }

---Set limits of the ledger, or remove them, and list all there are. They hold for every
---order that any process sends, of a queue or not, and count what is there when they
---are set. An order that does not fit is not sent.
---
---Raises where the client has no ledger.
---```lua
---assert(client:limits { open = 5, spend = 200, per = "day", currency = "USD" })
---```
---@param options? starvideos.LimitsOptions
---@return starvideos.Limit[]? limits all of them, as they stand
---@return starvideos.Error? err validation (a spend without a currency), ledger
function Client:limits(options)
  return call(self, "limits", options)
end

rows.limits = { takes = {}, ledger = true,
  refuses = function(...)
    return limits().misuse(...)
  end,
  run = function(...)
    return limits().set(...)
  end }

---List the orders of the ledger, whatever became of them.
---
---Raises where the client has no ledger.
---```lua
---for _, order in ipairs(assert(client:orders { state = "failed" })) do
---  print(order.key, order.error)
---end
---```
---@param options? starvideos.OrdersOptions
---@return starvideos.Order[]? orders oldest first
---@return (string|starvideos.Error)? after what to pass as `after` for the next page,
---nil where this was the last; or an error of kind ledger
function Client:orders(options)
  return call(self, "orders", options)
end

rows.orders = { takes = {}, ledger = true,
  run = function(...)
    return history().orders(...)
  end }

---What the ledger holds, in sums.
---
---Raises where the client has no ledger.
---```lua
---print(assert(client:status()).states.downloaded)
---```
---@return starvideos.Status? status
---@return starvideos.Error? err of kind ledger
function Client:status()
  return call(self, "status")
end

rows.status = { takes = {}, ledger = true,
  run = function(...)
    return history().status(...)
  end }

---Drop prompts and parameters of orders that ended some time ago. Their keys and
---outcomes stay, so that the same orders are still known, and nothing is bought again.
---
---Raises where the client has no ledger.
---@param options? starvideos.ArchiveOptions
---@return integer? count how many orders
---@return starvideos.Error? err of kind ledger
function Client:archive(options)
  return call(self, "archive", options)
end

rows.archive = { takes = {}, ledger = true,
  run = function(...)
    return history().archive(...)
  end }

---Copy a ledger in a file while others use it.
---
---Raises where the client has no ledger.
---@param path string of the copy, which must not be there
---@return starvideos.Backup? copy
---@return starvideos.Error? err io; ledger; config where it is on a PostgreSQL server,
---which has a program of its own for that
function Client:backup(path)
  return call(self, "backup", path)
end

rows.backup = { takes = { "path" }, ledger = true,
  run = function(...)
    return history().backup(...)
  end }

---Work off the queue of the ledger: send what is queued, wait for it and save the
---videos, beside any number of other workers on this machine and others. What a worker
---that died has left is taken over. Ctrl-C ends it when the orders on the wire have
---their answers, and hands the rest back.
---
---Raises where the client has no ledger.
---@param options? starvideos.WorkOptions
---@return starvideos.WorkResult? result
---@return starvideos.Error? err with that `result`: cancelled (after Ctrl-C); the kind
---of what has stopped the queue: auth, config, invalid_request (no money left),
---task_failed or outcome_unknown (five in a row); limited (a limit that will not lift);
---io (videos cannot be saved); ledger
function Client:work(options)
  return call(self, "work", options)
end

rows.work = { takes = {}, ledger = true, key = true,
  run = function(...)
    return require("starvideos.fleet.work").run(...)
  end }

return Client
