---@meta _
-- Made by `make types`, for editors; nothing requires it.
-- luacheck: ignore


---The state of an order changed, and the ledger has it.
---@class starvideos.Event_order
---@field name "order" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field order? string the order's id in the ledger
---@field key? string the order's key
---@field take? number which order of the key, from 1
---@field account? string the account that the order is of
---@field label? string the label that the order was given
---@field state? string the state that it has now
---@field from? string the state before; nil where it was placed
---@field task_id? string the provider's id of the task
---@field attempt? number how often the order was sent
---@field cost? number what it costs by the caller's prices (`currency`)
---@field currency? string the currency's name
---@field elapsed? number since the order was placed (s)
---@field worker? string the id of the worker that changed it
---@field error? string why it is so: a sentence

---A request has its answer, or has failed.
---@class starvideos.Event_exchange
---@field name "exchange" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field operation? string `create`, `query` or `download`
---@field order? string the order's id in the ledger
---@field key? string the order's key
---@field task_id? string the provider's id of the task
---@field method? string `GET` or `POST`
---@field url? string without its query
---@field status? number of HTTP; nil where no answer came
---@field elapsed? number from the request to the end of the answer (s)
---@field failure? string a word: why no answer came, or not all of it
---@field flaw? string what is wrong with the JSON of an answer that was read all the same

---A video is being saved.
---@class starvideos.Event_download
---@field name "download" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field order? string the order's id in the ledger
---@field key? string the order's key
---@field task_id? string the provider's id of the task
---@field path? string of the file
---@field state? string `started`, `progress` (once a second at most), `saved` or `failed`
---@field received? number of the file that are on disk (bytes)
---@field total? number of the whole file; nil while it is unknown (bytes)
---@field error? string why it failed: a sentence

---A limit of the ledger holds orders back, or does no more.
---@class starvideos.Event_limit
---@field name "limit" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field limit? string the name of the limit
---@field state? string `reached` or `lifted`
---@field order? string the order's id in the ledger
---@field key? string the order's key
---@field account? string the account that the order is of
---@field label? string the label that the order was given
---@field retry_at? number when it lifts, where that is known (Unix s)

---Requests are sent slower after a 429, or faster again.
---@class starvideos.Event_rate
---@field name "rate" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field what? string `polls` or `creates`
---@field state? string `lowered` or `raised`
---@field rate? number how many are sent a second from now on, where that is known (1/s)
---@field factor? number the share of the full rate that is left, up to 1

---A worker of this process.
---@class starvideos.Event_worker
---@field name "worker" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field worker? string its id in the ledger
---@field state? string `started`, `draining`, `stopped` or `fenced` (taken for dead: its orders are another's)
---@field claims? number how many orders it has

---The queue was stopped, or goes on.
---@class starvideos.Event_queue
---@field name "queue" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field state? string `halted` or `continued`
---@field reason? string why: a sentence

---An answer came for an order that had another outcome by then; its task is recorded
---beside the order.
---@class starvideos.Event_late_task
---@field name "late_task" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field order? string the order's id in the ledger
---@field key? string the order's key
---@field take? number which order of the key, from 1
---@field account? string the account that the order is of
---@field label? string the label that the order was given
---@field state? string the state that the order has
---@field task_id? string the provider's id of the task

---Something about an order, or the ledger, that you should know.
---@class starvideos.Event_notice
---@field name "notice" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field order? string the order's id in the ledger
---@field key? string the order's key
---@field take? number which order of the key, from 1
---@field account? string the account that the order is of
---@field label? string the label that the order was given
---@field state? string the state that the order has
---@field task_id? string the provider's id of the task
---@field notice? string `forgotten` (the ledger was put back to an earlier time, and the order is recorded again), `shared` (the provider gave its task to another order, too), `elsewhere` (its task was seen with another base URL or account) or `unencrypted` (nobody has said whether the connection to the ledger's server is to be encrypted)
---@field reason? string what happened, and what to do: a sentence

---The ledger failed, and the call goes on without it.
---@class starvideos.Event_ledger
---@field name "ledger" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field failure? string a sentence

---Ctrl-C came while an order was on its way: its answer is waited for.
---@class starvideos.Event_interrupt
---@field name "interrupt" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field timeout? number for which, at most (s)

---A listener raised an error, and the call goes on; told once for each.
---@class starvideos.Event_listener
---@field name "listener" the event's name
---@field at number when it happened, by this machine's clock (Unix s)
---@field listener? string its name, such as `on_progress`
---@field failure? string what it raised

---What `on_event` is told; `name` says which it is.
---@alias starvideos.Event starvideos.Event_order|starvideos.Event_exchange|starvideos.Event_download|starvideos.Event_limit|starvideos.Event_rate|starvideos.Event_worker|starvideos.Event_queue|starvideos.Event_late_task|starvideos.Event_notice|starvideos.Event_ledger|starvideos.Event_interrupt|starvideos.Event_listener
