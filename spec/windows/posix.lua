--- What cannot run on Windows, and why: a file of specs, or specs of a file by
-- their full names. Each is run none the less and must fail, so that the list
-- stays true; one whose reason is in a list fails by chance, and may pass.

local FORK = "there is no fork"
local SIGNAL = "there are no signals; Wine ends the process"
local TERMINAL = "it drives a pseudo-terminal"
local MODES = "files have no owner's mode"
local FDS = "it counts descriptors or threads in /proc"
local SOCKET = "it wakes nginx by a unix socket"
local SERVER = "LuaDBI's driver for PostgreSQL is not built for Windows"
local NGINX = "it is about an nginx, which is started on POSIX alone"
local NGINX_TOO = { NGINX }
local ALPN = "libcurl offers no HTTP/2 to Wine's Schannel"
local PROCESSOR = "os.clock is no processor time there"
local NAMESPACES = "it needs Linux's namespaces"
local PRELOAD = "it puts itself before the C library"
local BUFFER = "Windows takes a whole request at once"
local LIMITS = "names have other limits"
local PIPE = "it makes a pipe in a folder"
local ENDED = "Wine ends a process with 0 at a Ctrl-C that nobody handles"
local PROC = "it asks Linux's /proc or shell for what the library asks Windows for"
local LINKS = "Wine shows no link that leads nowhere"
local APPEND = { "Wine loses lines that several processes append to a file" }

return {
  ["spec/integration/cli/gateway_spec.lua"] = NGINX,
  ["spec/integration/completion_spec.lua"] = "it types at shells of POSIX",
  ["spec/integration/cookbook_spec.lua"] = "its recipes are commands of a POSIX shell",
  ["spec/integration/descriptors_spec.lua"] = FORK,
  ["spec/integration/descriptors_ledger_spec.lua"] = FORK,
  ["spec/integration/network_slow_disk_spec.lua"] = PRELOAD,
  ["spec/integration/fleet_spec.lua"] = SERVER,
  ["spec/integration/install_spec.lua"] = "make and LuaRocks install for Linux",
  ["spec/integration/ledger_clocks_spec.lua"] = NAMESPACES,
  ["spec/integration/ledger_file_spec.lua"] = "nobody moves an open file there",
  ["spec/integration/ledger_fork_spec.lua"] = FORK,
  ["spec/integration/ledger_outage_spec.lua"] = SERVER,
  ["spec/integration/ledger_spec.lua"] = SERVER,
  ["spec/integration/ledger_working_spec.lua"] = SERVER,
  ["spec/integration/pooler_spec.lua"] = SERVER,
  ["spec/integration/libcurl_spec.lua"] = PRELOAD,
  ["spec/integration/private_spec.lua"] = PRELOAD,
  ["spec/integration/limits_spec.lua"] = SERVER,
  ["spec/integration/sandbox_nginx_spec.lua"] = NGINX,
  ["spec/integration/planted_spec.lua"] = "it plants links and pipes by a POSIX shell",
  ["spec/integration/search_path_spec.lua"] = "it starts the command in a POSIX shell",
  ["spec/integration/signals_spec.lua"] = SIGNAL,
  ["spec/unit/cli/next_steps_spec.lua"] = {
    ["a command to type has in escapes what a terminal obeys, and means the "
      .. "same word"]
      = "it types at bash",
  },
  ["spec/unit/cli/gateway_spec.lua"] = NGINX,
  ["spec/unit/binding/signals_spec.lua"] = FORK,

  ["spec/hosts/luv_spec.lua"] = {
    ["inside luv ticks on while a TLS handshake gets no answer"] = "it needs LuaSocket",
  },
  ["spec/integration/actor_spec.lua"] = {
    ["an actor answers a child with a thread of its own"] = FORK,
    ["an actor finishes before a fork happens"] = FORK,
    ["an actor gets no signals, and wakes who waits for it when one comes"] = SIGNAL,
    ["an actor has no thread before its first message, nor after its end"] = FDS,
    ["an actor is not waited for by a fork for long, and lost in the child"] = FORK,
    ["an actor that shares an notifier wakes nobody in the parent of who looks"] = FORK,
  },
  ["spec/integration/batch_spec.lua"] = {
    ["a list of videos is asked about, shown and drained at a terminal"] = TERMINAL,
    ["a list of videos is drained by SIGTERM, and goes on by the command "
      .. "that is told"]
      = SIGNAL,
    ["a list of videos is not ordered after Ctrl-C at the question"] = TERMINAL,
    ["a list of videos may come from stdin while a person is asked"] = TERMINAL,
  },
  ["spec/integration/command_spec.lua"] = {
    ["the command drains at SIGTERM: takes the answers on the wire, and "
      .. "hands the rest back"]
      = SIGNAL,
    ["the command quits at a second Ctrl-C at once"] = ENDED,
    ["the command quits at a second SIGTERM at once"] = SIGNAL,
    ["the command runs the sandbox until SIGINT, and leaves no file"] = NGINX_TOO,
    ["the command runs the sandbox until SIGTERM, and leaves no file"] = NGINX_TOO,
    ["the command says at SIGTERM which task goes on, and exits 143"] = SIGNAL,
    ["the command takes the two SIGTERMs that timeout sends for one"] = SIGNAL,
    ["the command waits at SIGTERM for the answer to an order that was sent"] = SIGNAL,
  },
  ["spec/integration/curl_answer_spec.lua"] = {
    ["the engine answers joins thousands of values in no more time each "
      .. "than a few"]
      = PROCESSOR,
    ["the engine answers speaks HTTP/2 over TLS and keeps the connection"] = ALPN,
  },
  ["spec/integration/curl_file_spec.lua"] = {
    ["the engine a file beyond the limit on file sizes fails, and the "
      .. "process lives"]
      = "it limits the size of files by the system",
  },
  ["spec/integration/curl_spec.lua"] = {
    ["the engine fork ends a child's wait for the parent's transfer at once"] = FORK,
    ["the engine fork gives the child an engine of its own"] = FORK,
    ["the engine fork leaves alone what the child has put in the place of a file"] = FORK,
    ["the engine fork leaves what is in flight to the parent"] = FORK,
    ["the engine starts nothing when the module is loaded"] = FDS,
    ["the engine time is cut short by a signal, in flight or not"] = SIGNAL,
  },
  ["spec/integration/download_spec.lua"] = {
    ["a download is one process's at a time"] = FORK,
    ["a download of a process that was killed is as open to others as other "
      .. "files, and its notes are not"]
      = FORK,
    ["a download of a process that was killed is gone on with by several that "
      .. "are killed, too"]
      = FORK,
    ["a download of a process that was killed is gone on with by the next"] = FORK,
    ["a download of a process that was killed is restarted where a byte of it "
      .. "has changed"]
      = FORK,
    ["a download of a process that was killed is restarted where the server "
      .. "does not say so itself"]
      = FORK,
    ["a download of a process that was killed is restarted where the server "
      .. "has another file now"]
      = FORK,
    ["a download onto a disk that is full continues when there is room"] = NAMESPACES,
    ["a download onto a disk that is full keeps what fits and continues "
      .. "later"]
      = NAMESPACES,
  },
  ["spec/integration/network_disk_spec.lua"] = {
    ["a network has jobs done by a driver: writing what its owner alone may "
      .. "read, beside what others may"]
      = MODES,
    ["a network has jobs done on the calling thread: writing what its owner "
      .. "alone may read, beside what others may"]
      = MODES,
  },
  ["spec/integration/network_exit_spec.lua"] = {
    ["a network ends at once though no descriptor was left to wake its thread"] = FDS,
    ["a network keeps no file in a child that the parent downloads to"] = FORK,
  },
  ["spec/integration/network_spec.lua"] = {
    ["a network sends over TLS, and again over the same connection"] = ALPN,
    ["a network starts its thread with the first ticket, and ends it when closed"] = FDS,
  },
  ["spec/integration/network_wake_spec.lua"] = {
    ["a network 's socket carries one byte for all that ends until it is "
      .. "cleared"]
      = SOCKET,
    ["a network 's socket ends with the driver"] = SOCKET,
    ["a network 's socket goes to no folder that is not there"] = SOCKET,
    ["a network 's socket is gone when the driver is closed, or listens again"] = SOCKET,
    ["a network 's socket lies where nobody else may go, and is gone once "
      .. "connected"]
      = SOCKET,
    ["a network 's socket may break without harm"] = SOCKET,
    ["a network 's socket tells a new peer what nobody heard"] = SOCKET,
    ["a network after a fork cancels the jobs of the parent in the child only"] = FORK,
    ["a network after a fork ends in the child with the state, and in the "
      .. "parent goes on"]
      = FORK,
    ["a network after a fork gives the child what was lost and what is new"] = FORK,
    ["a network after a fork has a thread of its own in the child, and "
      .. "connections"]
      = FORK,
    ["a network after a fork has its socket in the parent only, and another "
      .. "one in the child"]
      = SOCKET,
    ["a network after a fork is of use in children of children"] = FORK,
    ["a network after a fork is of use whatever the thread was doing"] = FORK,
    ["a network after a fork leaves alone what the child has put in the "
      .. "place of its files"]
      = SOCKET,
    ["a network after a fork leaves to the parent what is under way"] = FORK,
    ["a network after a fork tells each process of its own tickets alone"] = FORK,
    ["a network lends no descriptor to the programs that are started"] = SOCKET,
  },
  ["spec/integration/engine_spec.lua"] = {
    ["the engine counts no more than it handed over of 200000 bytes"] = BUFFER,
    ["the engine counts no more than it handed over of 60000 bytes"] = BUFFER,
    ["the engine over HTTP/2 joins no silent connection where a stream is "
      .. "open, but one other"]
      = ALPN,
    ["the engine over TLS, once it may have begun to send, nor where time "
      .. "runs out there"]
      = BUFFER,
    ["the engine with a child before_each"] = PIPE,
    ["the engine with a child lets go of a file that the child holds open"] = FORK,
    ["the engine with a disk that failed once asks again where a signal came"] = PRELOAD,
    ["the engine with a disk that failed once gives up a file that it "
      .. "cannot look at"]
      = PRELOAD,
    ["the engine with a full disk says so of a download, and keeps what "
      .. "there was room for"]
      = PRELOAD,
    ["the engine with a full disk says so of a job, in the system's words"] = PRELOAD,
  },
  ["spec/integration/locale_spec.lua"] = {
    ["where the decimal point is a comma an order is priced, and a 429 holds "
      .. "all, on a server"] = SERVER,
  },
  ["spec/integration/order_spec.lua"] = {
    ["an order inline arrives once where a connection was ended by GOAWAY before"] = ALPN,
    ["an order inline arrives once where a stream was refused before"] = ALPN,
    ["an order inline is no business of the polls that begin meanwhile"] = ALPN,
    ["an order is not sent by a machine that has slept past its lease"] = PRELOAD,
    ["an order threaded arrives once where a connection was ended by GOAWAY "
      .. "before"]
      = ALPN,
    ["an order threaded arrives once where a stream was refused before"] = ALPN,
    ["an order threaded is no business of the polls that begin meanwhile"] = ALPN,
  },
  ["spec/integration/run_spec.lua"] = {
    ["a program without a loop with the runtime frame sleeps as long as it "
      .. "is told"]
      = PROCESSOR,
    ["a program without a loop with the runtime frame sleeps until an "
      .. "answer wakes it"]
      = PROCESSOR,
    ["a program without a loop with the runtime poll sleeps as long as it "
      .. "is told"]
      = PROCESSOR,
    ["a program without a loop with the runtime poll sleeps until an answer "
      .. "wakes it"]
      = PROCESSOR,
  },
  ["spec/unit/order/create_limit_spec.lua"] = {
    ["an order of a client is sent by the parent of a fork, not by the child"] = FORK,
  },
  ["spec/unit/architecture_spec.lua"] = {
    ["the map of the house names only files that are there"]
      = "it opens folders as files",
  },
  ["spec/unit/cli/console_spec.lua"] = {
    ["the log of events has whole lines where several processes write to it"] = APPEND,
  },
  ["spec/unit/rules/validate_spec.lua"] = {
    ["the size of a terminal is what it is at present, and nothing where "
      .. "there is none"]
      = TERMINAL,
  },
  ["spec/unit/gateway/callers_secret_spec.lua"] = {
    ["the secret of a gateway stays the same in its folder, for its owner alone"] = MODES,
  },
  ["spec/unit/ledger/init_spec.lua"] = {
    ["a ledger in a file an order that is being sent whose sender is seen "
      .. "to run is dismissed by force after its lease, and not before"]
      = PROC,
    ["a ledger in a file an order that is being sent whose sender is seen "
      .. "to run stays with its sender after its lease, too"]
      = PROC,
    ["a ledger in a file keeping orders pending tells of an order all that "
      .. "is known"]
      = PROC,
    ["a ledger in a file a file with several spellings is not ordered where a "
      .. "link leads nowhere"] = LINKS,
    ["a ledger in a file a file with several spellings is not bought a third "
      .. "time where it was bought twice"] = LINKS,
    ["a ledger in a file a file with several spellings is one order of a list, "
      .. "and two are a fault"] = LINKS,
    ["the file of a ledger on a full disk sends nothing"]
      = "it limits the size of files by the system",
    ["the file of a ledger copied while it is in use is for its owner alone"] = MODES,
    ["the file of a ledger on a disk that fills up meanwhile names the task"]
      = "it limits the size of files by the system",
    ["the file of a ledger says what is wrong where it may not be written"] = MODES,
    ["the file of a ledger serves both sides of a fork, each with orders of "
      .. "its own"]
      = FORK,
  },
  ["spec/unit/binding/system_spec.lua"] = {
    ["real is none of a link to nothing, or in a circle, or too long"] = LINKS,
    ["real is not what a link of /proc is called, where that is no path"] = PROC,
  },
  ["spec/unit/ledger/owner_spec.lua"] = {
    ["the process that has taken an order does not run where it is a zombie"]
      = "there are no zombies",
  },
  ["spec/unit/binding/actor_spec.lua"] = {
    ["an actor marks no connection with what a host may have chosen for its "
      .. "own"]
      = "connections have no mark",
  },
  ["spec/unit/cli/doctor_spec.lua"] = {
    ["doctor says that a ledger is a link to nothing"] = LINKS,
  },
  ["spec/unit/gateway/access_spec.lua"] = {
    ["the guard of a gateway reads headers in a time that grows with their length"] =
      { PROCESSOR },
  },
  ["spec/unit/order/download_spec.lua"] = {
    ["download the target may be no pipe, nor have one beside it, and "
      .. "nobody waits for one"]
      = PIPE,
  },
  ["spec/unit/binding/disk_spec.lua"] = {
    ["the jobs on files of starvideos.core make a directory with all above it"] = LIMITS,
    ["the jobs on files of starvideos.curl leave a lock to the process that "
      .. "took it"]
      = FORK,
    ["the jobs on files of starvideos.curl make a directory with all above it"] = LIMITS,
  },
  ["spec/unit/host/resty_http/sink_spec.lua"] = {
    ["the file of a download is closed once where it cannot be emptied"] = NGINX,
  },
}
