--- How a client waits: a runtime does its network and its disk, and lets time
-- pass, as the host of the program has it. There are four:
--
-- - `block`: a call returns when its work is done, on the calling thread;
-- - `frame`: operations go on in `update`, which a game calls once a frame;
-- - `poll`: the same for event loops, which watch a descriptor;
-- - `ngx`: a call waits in its light thread of nginx.
--
-- All times are in seconds. What waits gives true, or nil and why it ended
-- early: `cancelled` (by `cancel` or `close`, or in nginx because the worker is
-- exiting or the caller was killed), `interrupted` (by Ctrl-C), or what the
-- caller's own `sleep` gave as its reason.
--
-- A caller that may be woken or killed while it waits is a waiter. Whoever asks
-- an actor of `starvideos.core` says by `patience` for how long: its function
-- `left(is_closing)` gives the seconds that are left, and with `finish` the
-- wait does not end where the caller is cancelled.
-- @module starvideos.host

local _M = {}

--- The methods that every runtime has, and who calls them.
-- @table methods
-- @field check `(call)` raises where the caller cannot wait, before anything is
--   sent; `call` is named (client)
-- @field now `()` gives a clock that only goes forward (everybody who waits)
-- @field sleep `(seconds)` lets time pass (operations, ledger, client)
-- @field request `(req)` gives a response, or nil and a failure; see below
--   (exchange)
-- @field gather `(functions)` runs functions side by side until all have
--   returned, each called with `also(fn)`, which adds one; raises what the
--   first of them raises, and ends the others where they wait (wait,
--   saving, resume, work)
-- @field disk `(name, ...)` does a job on the disk, see
--   `csrc/system/disk_job.h`; gives its results (download, generate, ledger)
-- @field disk_later `(name, ...)` the same for a caller that cannot wait, which
--   gets no results (download, generate)
-- @field await `(actor, message, number, patience)` waits for the answer to a
--   message: nil, or why the wait ended before, also `timeout` (ledger)
-- @field waiter `()` gives the caller as a waiter; nil where nobody could wake
--   it (create_limit, worker)
-- @field wait `(waiter, seconds)` sleeps until it is woken (create_limit,
--   worker)
-- @field wake `(waiter)` ends its wait (create_limit, worker)
-- @field has_ended `(waiter)` whether it will never go on (create_limit)
-- @field leave `(waiter)` lets go of it: nobody wakes it any more
--   (create_limit, worker)
-- @field close `()` cancels what is under way and closes connections; in
--   `frame` and `poll` once orders on the wire have their answers (client)

--- The methods that some runtimes have. Callers look whether they are there.
-- @table optional
-- @field is_interrupt (block) `(raised)` whether that is Ctrl-C. Without it no
--   error of a listener is (listener)
-- @field interrupt (block) `()` ends what runs side by side, after such an error
--   was caught (exchange)
-- @field shield (ngx) `(body, lost, argument)` runs a function to its end though
--   its caller is killed, and then `lost`; both get the argument. Without it a
--   caller cannot be killed while it waits (send)
-- @field actor (ngx) `(name, make)` gives the actor that all clients share for
--   a name. Without it each client makes and closes its own (ledger)
-- @field notifier (frame poll) `()` gives what wakes the host, for an actor to
--   use. Without it an actor has its own (ledger)
-- @field start (frame poll) `(on_end, body, ...)` starts an operation, gives it
--   (handle)
-- @field current (frame poll) `()` gives the operation that is running. Without
--   it there is none, and no handle shows progress (handle, client, loop)
-- @field cancel (frame poll) `(operation)` ends its waits (handle)
-- @field cancel_all (frame poll) `([why])` ends the waits of all (client)
-- @field is_busy (frame poll) `()` whether an operation has not ended (client,
--   loop)
-- @field update (frame poll) `([seconds])` resumes operations for so long
--   (client)
-- @field timeout (frame poll) `()` gives the seconds until an update is due
--   (client)
-- @field check_outside (frame poll) `(call)` raises within an operation
--   (client)
-- @field run (frame poll) `([seconds])` updates until no operation is under
--   way (client)
-- @field rest (frame poll) `(seconds, body, argument)` sleeps where the caller
--   does nothing afterwards: `body` goes on in a coroutine of its own (wait)
-- @field sleep_outside (frame poll) `(seconds)` sleeps around all operations,
--   which go on (client)
-- @field pollfd (poll) `()` gives the descriptor to watch (client, loop)
-- @field attach (poll) `(host)` attaches the adapter of a loop (loop)
-- @field is_attached (poll) `()` whether one is (loop)

--- What `request` takes, and every transport. All but `url` may be missing; a
-- transport may leave out what only the engine can do.
-- @table request
-- @field method `GET` (the default) or `POST`
-- @field url absolute, https, or http as `insecure_http` says
-- @field headers by name, strings; requests share the table
-- @field body text of a POST, which may be empty
-- @field timeout seconds for all of it, the queue included; none
-- @field connect_timeout seconds until a connection stands; the transport's own
-- @field send_by of `starvideos.core.boottime`: from then on it is not sent
-- @field stall_seconds after which an answer is given up that is slower than
--   `stall_bytes` (1) a second; none
-- @field max_body bytes of an answer in memory, 4 MiB
-- @field redirects how many are followed, 0
-- @field reads lower-case names of the headers that the caller reads, none where
--   the first is missing: a response may leave out the others, and `bytes_sent`,
--   `http_version` and `reused`; all
-- @field fresh sent at most once, by a connection of its own, at once
-- @field insecure_http whether http may leave this machine
-- @field public_only whether an address of this machine or a private network is
--   refused, at redirects too: the one connected to, or where that is a proxy's
--   the one in the URL; resty_http sees the latter alone
-- @field sink where the body of a 200, 203 or 206 goes instead of memory: `path`,
--   `offset` (where a 206 must begin, 0), `any` (also what is called a page, and
--   does not begin as a video), `sync` (to the disk at the end), `max` (bytes
--   that the file may have), and of the file that a 206 must continue `etag`,
--   `modified`, `total` (bytes) and `before` (its digest so far); `notes` (a file
--   that says how many bytes of it count)
-- @field finish whether it goes on to its answer though the caller is cancelled
--   or interrupted: an order. The outcome has `interrupted` then
-- @field on_interrupt called at the first Ctrl-C of a request with `finish`
-- @field on_answer `(status, headers, in_memory)`, called before the body comes;
--   with a sink `in_memory` says that the body does not go there
-- @field on_progress `(received, total, sent)` in bytes, ten times a second;
--   total is nil while unknown

--- What an answered request gives.
-- @table response
-- @field status of HTTP
-- @field headers by lower-case name; those that come again are joined by ", "
-- @field body text, where there was no sink or the status was another
-- @field file_offset where in the file the body began
-- @field file_bytes that were written there
-- @field sha256 of the whole file, in hexadecimal; nil where it is not known
-- @field bytes_sent of the request
-- @field http_version `1.0`, `1.1` or `2`
-- @field reused whether the connection was used before
-- @field elapsed seconds
-- @field interrupted whether the caller was interrupted or cancelled meanwhile

--- What a request without an answer gives behind nil.
-- @table failure
-- @field reason `invalid`, `insecure`, `resolve`, `connect`, `tls`, `timeout`,
--   `stalled`, `reset`, `protocol`, `too_large`, `io`, `busy`, `changed`,
--   `late` or `cancelled`
-- @field message a sentence, without headers and queries of URLs
-- @field phase how far it came: `queue`, `connect`, `request`, `answer`, `body`
-- @field sent false where not one byte can have left; anything else is taken
--   for true
-- @field bytes_sent of the request
-- @field received bytes of the body
-- @field status of HTTP, where it is known
-- @field body what came of the answer's body, where it went into memory; of one that
--   is `too_large` as much as `max_body` allows
-- @field headers of the answer, where its head came; as in a response
-- @field errno of the system, where it gave one
-- @field interrupted whether Ctrl-C has ended it; of a request with `finish`,
--   whether the caller was interrupted or cancelled meanwhile

local core = require "starvideos.core"
local errors = require "starvideos.errors"

-- The module of each, and its function that makes one.
local makers = {
  block = { "starvideos.host.block", "new" },
  frame = { "starvideos.host.loop", "frame" },
  poll = { "starvideos.host.loop", "poll" },
  ngx = { "starvideos.host.ngx", "new" },
}

-- Where nginx runs Lua, blocking would hold up all its requests.
local function default()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.get_phase and "ngx" or "block"
end

--- Make a runtime.
-- @tparam table options of `starvideos.new`: `runtime`, `transport`, `clock`,
--   `sleep`, `ca_file`, `max_in_flight`
-- @treturn table runtime
-- @treturn string its name
-- @raise where the host has no such runtime, or the runtime no such transport
function _M.new(options)
  local name = options.runtime or default()
  if name == "ngx" and default() ~= "ngx" then
    errors.misuse("the runtime ngx is for nginx; here it is block, frame or poll")
  elseif name == "ngx" and core.system() == "windows" then
    errors.misuse("the runtime ngx does not run on Windows: there this library is for"
      .. " scripts, loops and games (block, poll, frame)")
  elseif options.transport == "resty_http" and name ~= "ngx" then
    errors.misuse("the transport resty_http needs the runtime ngx")
  end
  local module, maker = makers[name][1], makers[name][2]
  return require(module)[maker](options), name
end

return _M
