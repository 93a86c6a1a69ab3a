---@meta starvideos
-- Made by `make types`, for editors; nothing requires it.
-- luacheck: ignore


---Order AI videos, wait for them, save them. The functions use a client made of the
---environment; `new` makes further ones.
---@class starvideos
---@field _VERSION string the library's version
local starvideos = {}

---Make a client of your own; see `starvideos.client`.
function starvideos.new() end

---Like `assert`, for hosts that print only text: raises the sentence of an error as a
---string. The stand-alone Lua 5.1 and nginx need it.
---Raises tostring(err) where value is false or nil.
---@param value any
---@param err? any
---@param ... any further values
---@return any value and whatever follows it
function starvideos.assert(value, err, ...) end

---Order a video. An order that may have arrived is never sent again; one that certainly
---did not arrive is sent up to three times.
---```lua
---local task = assert(client:create{ model = "videos",
---  prompt = "A kitten in the grass", duration = 5 })
---```
---@param params starvideos.Params the fields of the model; the provider chooses what is left out
---@param options? starvideos.CreateOptions
---@return starvideos.Task? task
---@return (starvideos.Warning[]|starvideos.Error)? err warnings; or without a task an error: validation, config, auth, rate_limited, invalid_request, network (nothing was sent), outcome_unknown (it may have been accepted; with `phase`, `bytes_sent`, `status` and, from a ledger, `order`), task_failed (with the task: it was accepted, and has ended), limited or ledger (with `task` and `order` where it was accepted)
function starvideos.create(params, options) end

---Check a request against the documented limits, and say what it costs; nothing is sent.
---```lua
---local ok, err = client:validate { model = "videos", prompt = "A kitten", duration = 99 }
---assert(not ok and err.violations[1].field == "duration")
---```
---@param params starvideos.Params as for `create`
---@return boolean? ok true
---@return starvideos.Warning[]|starvideos.Error found warnings (a list), or an error with `violations`
---@return starvideos.Price? price where the client has `prices`; nil where it is not known
---@return string? why it is not known
function starvideos.validate(params) end

---The models of this client's edition and their limits.
---```lua
---for _, model in ipairs(client:models()) do
---  print(model.name, model.duration.min, model.duration.max)
---end
---```
---@return starvideos.Model[] models
function starvideos.models() end

---Look at a task once.
---```lua
---local task = assert(client:query "video_123")
---print(task.status, task.progress)
---```
---@param task string|starvideos.Task a task or its id
---@param options? starvideos.QueryOptions
---@return starvideos.Task? task a failed one too
---@return starvideos.Error? err validation (an empty id), config, auth, not_found, rate_limited, server, network, timeout or protocol
function starvideos.query(task, options) end

---Wait until a task ends.
---```lua
---local task = assert(client:wait("video_123", { timeout = 3600,
---  on_progress = function(seen, info)
---    print(seen.status, info.elapsed)
---  end }))
---```
---@param task string|starvideos.Task a task or its id
---@param options? starvideos.WaitOptions
---@return starvideos.Task? task completed
---@return starvideos.Error? err task_failed, timeout (the task goes on; wait again for `err.task`), auth, not_found, rate_limited, protocol, config …
function starvideos.wait(task, options) end

---Wait for many tasks at the same time.
---```lua
---for _, one in ipairs(client:wait_all { "video_123" }) do
---  print(one.id, one.task and one.task.video_url or one.err)
---end
---```
---@param list (string|starvideos.Task)[] tasks or their ids
---@param options? starvideos.WaitOptions they hold for each task
---@return starvideos.WaitResult[] results in the order of the list
function starvideos.wait_all(list, options) end

---Save the video of a completed task.
---```lua
---local file = assert(client:download("video_123", "kitten.mp4"))
---print(file.path, file.bytes, file.sha256)
---```
---@param task string|starvideos.Task an id, or a task without a link, is asked for first
---@param path string the target; `.part` and `.part.json` beside it hold what an interrupted download has left, and the next call or process resumes there. Where the link has expired, another one is asked for, once
---@param options? starvideos.DownloadOptions
---@return starvideos.File? file
---@return starvideos.Error? err io, expired, network, timeout, task_failed, protocol, ledger …; where something was kept, `part` is its path, `bytes` its size
function starvideos.download(task, path, options) end

---Order a video, wait for it and save it. Before it orders, it checks that the target can
---be written.
---```lua
---local task, file = assert(client:generate({ model = "videos",
---  prompt = "A kitten in the grass", duration = 5 }, { path = "kitten.mp4" }))
---print(task.id, file.path)
---```
---@param params starvideos.Params as for `create`
---@param options starvideos.GenerateOptions
---@return starvideos.Task? task
---@return (starvideos.File|starvideos.Error)? file the saved video, or an error; after the order `err.task_id` says what to wait for or download
function starvideos.generate(params, options) end

---List the orders of the ledger about which something is still to be done: to wait for, to
---download or to decide about.
---Raises where the client has no ledger.
---```lua
---for _, order in ipairs(assert(client:pending())) do
---  print(order.key, order.state, order.task_id)
---end
---```
---@param options? starvideos.PendingOptions
---@return starvideos.Order[]? orders oldest first. The queries of URLs in `params` are left out. One that has ended is listed for its `late_tasks`
---@return (string|starvideos.Error)? after what to pass as `after` for the next page, nil where this was the last; or an error of kind ledger
function starvideos.pending(options) end

---Look an order of the ledger up, open or not.
---Raises where the client has no ledger.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param options? starvideos.TakeOptions
---@return starvideos.Order? order
---@return starvideos.Error? err not_found; ledger
function starvideos.order(order, options) end

---List the orders of the ledger, whatever became of them.
---Raises where the client has no ledger.
---```lua
---for _, order in ipairs(assert(client:orders { state = "failed" })) do
---  print(order.key, order.error)
---end
---```
---@param options? starvideos.OrdersOptions
---@return starvideos.Order[]? orders oldest first
---@return (string|starvideos.Error)? after what to pass as `after` for the next page, nil where this was the last; or an error of kind ledger
function starvideos.orders(options) end

---Wait for every open order of the ledger and save its video. Nothing is ordered.
---Raises where the client has no ledger.
---```lua
---local result = assert(client:resume { directory = "videos" })
---print(result.done, result.failed, result.left)
---```
---@param options? starvideos.ResumeOptions
---@return starvideos.ResumeResult? result
---@return starvideos.Error? err of kind ledger
function starvideos.resume(options) end

---Say which task an order of unknown fate has become, as your account with the provider
---shows it. From then on it is waited for like any other.
---Raises where the client has no ledger.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param task string|starvideos.Task a task or its id
---@param options? starvideos.TakeOptions
---@return starvideos.Order? order accepted or, where the task has ended, as it ended
---@return starvideos.Error? err not_found (the order or the task); validation where the fate of the order is known, or the task belongs to another; those of `query`; ledger
function starvideos.adopt(order, task, options) end

---Abandon an order of the ledger: it is not pending any more, and its take is used up. For
---one that has ended: acknowledge its late tasks.
---Raises where the client has no ledger.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param options? starvideos.DismissOptions
---@return starvideos.Order? order abandoned
---@return starvideos.Error? err not_found; validation where the order is being sent, was bought or its video saved; ledger
function starvideos.dismiss(order, options) end

---Say of which account an order is, and all takes of its key that have no account with it.
---Raises where the client has no ledger, or no account is given.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param account? string the client's own
---@param options? starvideos.TakeOptions
---@return starvideos.Order? order
---@return starvideos.Error? err not_found; validation where it is of another account, or being sent; ledger
function starvideos.label(order, account, options) end

---Drop prompts and parameters of orders that ended some time ago. Their keys and outcomes
---stay, so that the same orders are still known, and nothing is bought again.
---Raises where the client has no ledger.
---@param options? starvideos.ArchiveOptions
---@return integer? count how many orders
---@return starvideos.Error? err of kind ledger
function starvideos.archive(options) end

---Copy a ledger in a file while others use it.
---Raises where the client has no ledger.
---@param path string of the copy, which must not be there
---@return starvideos.Backup? copy
---@return starvideos.Error? err io; ledger; config where it is on a PostgreSQL server, which has a program of its own for that
function starvideos.backup(path) end

---What the ledger holds, in sums.
---Raises where the client has no ledger.
---```lua
---print(assert(client:status()).states.downloaded)
---```
---@return starvideos.Status? status
---@return starvideos.Error? err of kind ledger
function starvideos.status() end

---Check and price a list of orders; nothing is sent or recorded.
---```lua
---local checked = assert(client:validate_all {
---  { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" } })
---print(#checked.entries)
---```
---@param list starvideos.ListedOrder[] orders, or what `starvideos.manifest` gave
---@return starvideos.CheckedList? checked
---@return starvideos.Error? err of kind validation, with a violation for each fault of each order; cancelled
function starvideos.validate_all(list) end

---Order a list of videos, wait for them and save them, some at a time. With a ledger a
---call that was interrupted can be made again: nothing is ordered twice. All orders are
---checked before the first is sent.
---```lua
---local results = assert(client:generate_all({
---  { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" },
---}, { directory = "videos" }))
---assert(results[1].file, results[1].err)
---```
---@param list starvideos.ListedOrder[] orders, or what `starvideos.manifest` gave. Without a ledger an order has no take
---@param options? starvideos.GenerateAllOptions
---@return starvideos.GenerateResult[]? results in the order of the list. After a refused key or an empty balance no further order is begun
---@return starvideos.Error? err validation, see `enqueue`; io where a folder cannot be made; cancelled after Ctrl-C, with the results so far in `result`
function starvideos.generate_all(list, options) end

---Put a list of orders into the queue of the ledger, all of them or none. Nothing is sent:
---`work` does that, here or on another machine. The same list again is the same orders.
---Raises where the client has no ledger, or the list is none.
---```lua
---assert(client:enqueue {
---  { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" } })
---assert(client:work { directory = "videos" })
---```
---@param list starvideos.ListedOrder[] orders, or what `starvideos.manifest` gave
---@param options? starvideos.EnqueueOptions
---@return starvideos.Order[]? orders in the order of the list; `known` is true of those that were there
---@return starvideos.Error? err validation, with a violation for each fault of each order, and its `next_take` where the order is another than the one that is there under its key and take; cancelled; ledger. Nothing was enqueued, unless the message says so
function starvideos.enqueue(list, options) end

---Work off the queue of the ledger: send what is queued, wait for it and save the videos,
---beside any number of other workers on this machine and others. What a worker that died
---has left is taken over. Ctrl-C ends it when the orders on the wire have their answers,
---and hands the rest back.
---Raises where the client has no ledger.
---@param options? starvideos.WorkOptions
---@return starvideos.WorkResult? result
---@return starvideos.Error? err with that `result`: cancelled (after Ctrl-C); the kind of what has stopped the queue: auth, config, invalid_request (no money left), task_failed or outcome_unknown (five in a row); limited (a limit that will not lift); io (videos cannot be saved); ledger
function starvideos.work(options) end

---Set limits of the ledger, or remove them, and list all there are. They hold for every
---order that any process sends, of a queue or not, and count what is there when they are
---set. An order that does not fit is not sent.
---Raises where the client has no ledger.
---```lua
---assert(client:limits { open = 5, spend = 200, per = "day", currency = "USD" })
---```
---@param options? starvideos.LimitsOptions
---@return starvideos.Limit[]? limits all of them, as they stand
---@return starvideos.Error? err validation (a spend without a currency), ledger
function starvideos.limits(options) end

---Read a list of orders from a file of JSON lines, for `enqueue` and `generate_all`; see
---`starvideos.fleet.manifest`.
---@param path string
---@return starvideos.ListedOrder[]? list
---@return starvideos.Error? err of kind io or validation
function starvideos.manifest(path) end

return starvideos
