-- The commands and their options, as data. The command line reads it, and so do its
-- help, the manual page, the completions and the spec of the reference.
--
-- An option is a list: words, description, argument's name (none for a flag), "*" if
-- repeatable. By name, where they apply: `default`; `required`; `choices` (a list, or a
-- function that returns one), which help lists unless they are `unlisted`; `kept`: it
-- holds for the next command as well, and none of these is the key; `needs_ledger`. A
-- group of options is a list with a `title` that no other group has.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local states = require "starvideos.ledger.states"

local _M = {}

-- What the models have of a field, each once.
local function words_of(get)
  local list, known = {}, {}
  for _, row in ipairs(core.catalog({}):models()) do
    for _, word in ipairs(get(row) or {}) do
      if not known[word] then
        known[word] = true
        list[#list + 1] = word
      end
    end
  end
  return list
end

local function model_names()
  return words_of(function(row) return { row.name } end)
end

-- A function that lists the words that any model takes for a field.
local function values_of(name)
  return function()
    return words_of(function(row) return row[name] and row[name].values end)
  end
end

local function scenario_names()
  local list = {}
  for index, row in ipairs(require("starvideos.sandbox.scenario").list()) do
    list[index] = row.name
  end
  return list
end

local SERVERS_OWN = "the model's own"

-- By the field's name, what its option has beside the field's own help: a short
-- word, more help, the word for its value.
local described = {
  model = { "-m", "; see `starvideos models`", "NAME",
    required = true, choices = model_names },
  prompt = { "-p", "; - reads it from stdin", "TEXT", required = true },
  duration = { "-d", "; starvideos_o3 alone has a default", "SECONDS" },
  ratio = { nil, "", "W:H", default = SERVERS_OWN,
    choices = values_of "ratio" },
  resolution = { nil, "", "NAME", default = SERVERS_OWN,
    choices = values_of "resolution" },
  first_image = { nil, "; needs --last-image" },
  last_image = { nil, "; needs --first-image" },
}

-- By the kind of a field: how its text becomes a value.
local readers = {
  -- "8" becomes a number; the validation names "eight".
  duration = function(text)
    return c_locale.tonumber(text) or text
  end,
}

local argument_words = { frame = "URL", media = "URL" }

-- `referenceImages` is a list: each `--reference-image` adds one.
local function option_of(field)
  local words = field.name:gsub("%u", function(letter)
    return "-" .. c_locale.lower(letter)
  end):gsub("_", "-")
  return "--" .. (field.kind == "media" and words:gsub("s$", "") or words)
end

local function field_option(field)
  local about = described[field.name] or {}
  local is_list = field.kind == "media"
  return { (about[1] and about[1] .. " " or "") .. option_of(field),
    field.help .. (about[2] or is_list and "; may be repeated" or ""),
    about[3] or argument_words[field.kind] or "VALUE",
    is_list and "*" or nil, required = about.required,
    default = about.default, choices = about.choices }
end

local fields = {}
for _, field in ipairs(core.fields()) do
  if not field.renamed then -- an old name: --param takes it
    fields[#fields + 1] = { name = field.name, row = field_option(field),
      key = option_of(field):sub(3):gsub("-", "_"),
      is_list = field.kind == "media", read = readers[field.kind] }
  end
end

-- The options for the fields of an order, one for each that the catalog knows. Returns
-- a list of rows.
function _M.field_options()
  local rows = {}
  for index, field in ipairs(fields) do
    rows[index] = field.row
  end
  return rows
end

-- Put what the options say into the parameters of a create.
function _M.fill(params, options)
  for _, field in ipairs(fields) do
    local value = options[field.key]
    if value ~= nil and not (field.is_list and #value == 0) then
      params[field.name] = field.read and field.read(value) or value
    end
  end
end

local common = {
  title = "Output and connection",
  { "--json", "the result on stdout as JSON, on a terminal too; errors and notes"
    .. " on stderr as JSON, one object a line" },
  { "-q --quiet", "no progress and no notes on stderr" },
  { "-v --verbose", "every exchange on stderr; never the key" },
  { "--base-url", "API address", "URL", kept = true,
    default = "STARVIDEOS_BASE_URL, else the provider's" },
  { "--api-key-file", "file with the key on its first line, or with a line"
    .. " STARVIDEOS_API_KEY=KEY; no option takes the key itself, because others can"
    .. " read a program's arguments", "FILE",
    kept = true,
    default = "the environment's STARVIDEOS_API_KEY" },
  { "--edition", "the provider documents its models twice, with different"
    .. " limits: take one of these editions alone, models and limits", "NAME",
    choices = { "xingchao", "mingyan" },
    default = "for each model the newest documentation that has it" },
  { "--ca-file", "certificates to trust", "FILE", kept = true,
    default = "SSL_CERT_FILE, else the system's" },
  { "--insecure-http", "allow http to another host than this one",
    kept = true },
  { "--private-links", "save videos also from this machine or a private network,"
    .. " though the provider is elsewhere", kept = true },
  { "--max-video", "largest video that is saved", "SIZE", kept = true,
    default = "4G" },
  { "--max-answer", "how much of an answer of the API is read", "SIZE",
    kept = true, default = "256K" },
}

local video = _M.field_options()
video.title = "The video"
for _, row in ipairs {
  { "--prompt-file", "file that holds the prompt", "FILE" },
  { "--param", "any other field; the value as JSON, else as text; may be"
    .. " repeated", "NAME=VALUE", "*" },
  { "--params", "file with all fields as a JSON object; - is stdin", "FILE" },
  { "--validation", "how limits are checked; strict: what breaks a documented"
    .. " one is not sent; advisory: it is, with a warning; off: nothing is"
    .. " checked", "MODE",
    choices = { "strict", "advisory", "off" }, unlisted = true,
    default = "strict" },
} do
  video[#video + 1] = row
end

local recording = {
  title = "The record",
  { "--ledger", "ledger that records every order, so that none is lost or"
    .. " bought twice: a file, or a postgres:// URL, whose password is better"
    .. " left to the environment", "FILE", kept = true,
    default = "STARVIDEOS_LEDGER, else none" },
  { "--account", "your own name for the account that the key belongs to, for"
    .. " a ledger that several accounts share", "NAME", kept = true,
    default = "STARVIDEOS_ACCOUNT, else none" },
  { "--log", "append every event to a file, a line of JSON each", "FILE",
    kept = true },
}

-- The same for commands that find their ledger in the current folder.
local keeping = {
  title = "The record of many",
  { "--ledger", "ledger that holds the orders: a file, or a postgres:// URL,"
    .. " whose password is better left to the environment", "FILE",
    kept = true,
    default = "STARVIDEOS_LEDGER, else starvideos.db in this folder" },
  recording[2], recording[3],
}

local naming = {
  title = "Name of the order",
  { "--key", "your own name for this order (needs a ledger); the same key again"
    .. " orders nothing and returns the same task", "NAME",
    needs_ledger = true, default = "the file's path" },
  { "--take", "another take of a key is another order: for when the first"
    .. " failed, or its outcome is unknown and you have checked your account with"
    .. " the provider", "N", needs_ledger = true, default = "1" },
  { "--label", "a label of your own, for limits and lists (needs a ledger)",
    "NAME", needs_ledger = true },
}

local waiting = {
  title = "Waiting",
  { "--timeout", "stop waiting after so many seconds; the task goes on",
    "SECONDS", default = "1800" },
  { "--interval", "seconds between polls at first", "SECONDS",
    default = "30" },
  { "--max-interval", "and in the end", "SECONDS", default = "60" },
  { "--first-poll", "seconds until the first poll", "SECONDS",
    default = "one interval; for wait and resume: 0" },
}

-- The same for many orders.
local waiting_for_all = { title = "Waiting for many", waiting[1], waiting[2],
  waiting[3] }

local pricing = {
  title = "Prices",
  { "--prices", "what orders cost, by model, as JSON: see Many videos in docs;"
    .. " without prices nothing is sent where a spend is limited", "FILE",
    kept = true },
}

local spend = { "--spend", "spend no more than that each day (UTC), or in all;"
  .. " the ledger keeps this limit, for all programs that use it",
  "N[/day|/total]" }
local folder_of_all = { "-o --output", "folder for the videos, made where it is"
  .. " missing", "DIR", default = "this one" }
local claims = { "--claims", "orders that it works on at the same time", "N",
  default = "64" }

local batching = {
  title = "The list",
  { "-n --dry-run", "check and price every line; order nothing" },
  { "-y --yes", "order without asking" },
  { "--at-most", "no more tasks open at the same time; the ledger keeps this"
    .. " limit, for all programs that use it", "N" },
  spend,
  { "--label", "label of the lines that have none, for limits and lists",
    "NAME" },
  claims,
}

local working = {
  title = "The queue",
  { "--follow", "wait for further orders when none is left" },
  { "--resume", "let a queue go on that has stopped itself; see status" },
  claims,
}

local json_lines = { "--json-lines", "as --json, and each order of the list as an object on"
  .. " a line of its own; in the last line the sums, where the command has any" }

local listing = {
  title = "Which orders",
  { "--state", "only orders in this state; may be repeated", "STATE", "*",
    choices = states.names },
  { "--since", "only orders placed since: 30m, 12h or 7d ago, a date (UTC) or"
    .. " Unix seconds", "TIME" },
  { "--before", "only orders placed before", "TIME" },
  { "--label", "only orders with this label", "NAME" },
  { "--limit", "so many at most", "N" },
}

local limiting = {
  title = "Limits",
  { "--open", "tasks open at the same time", "N" },
  { "--creates-per-minute", "orders sent in any 60 seconds", "N" },
  { "--polls-per-second", "polls of all programs together", "N" },
  spend,
  { "--currency", "of the spend", "NAME", default = "that of the prices" },
  { "--refund-failed", "the provider pays failed tasks back: they give their"
    .. " part of the spend back" },
  { "--for-label", "for orders with this label only", "NAME" },
  { "--for-account", "for orders of this account only", "NAME" },
  { "--remove", "remove a limit, by its name in the list; may be repeated",
    "NAME", "*", choices = { "open", "creates", "polls", "spend/day",
      "spend/total" } },
}

local archiving = {
  title = "How old",
  { "--before", "orders that ended so many days ago, or longer", "DAYS",
    default = "30" },
}

local output = { "-o --output", "file to save the video in", "FILE",
  required = true }
local wanted_output = { output[1], output[2], output[3] }
local later = { "-o --output", "file that resume is to save the video in (needs"
  .. " a ledger)", "FILE", needs_ledger = true }
local folder = { "-o --output", "folder for the videos whose order named no"
  .. " file, and for those ordered on another machine", "DIR",
  default = "this one" }
local also_missing = { "--missing", "also query tasks that the provider has not"
  .. " known for a day" }
local force = { "-f --force --overwrite", "overwrite the file" }

local accept = { "--accept", "what is saved: a video, told by its bytes, or"
  .. " anything that the media host sends", "WHAT",
  choices = { "video", "any" }, unlisted = true, default = "video" }

local min_free = { "--min-free", "that the disk must have free before an order, though the"
  .. " open orders need less, such as 2G; 0: the disk is not asked", "SIZE" }

local any_path = { "--any-path", "save orders of the queue also outside of the"
  .. " folder: at an absolute path, or through a link" }

local which_take = { "--take", "which take of a key", "N",
  needs_ledger = true, default = "1" }
local every_order = { "-a --all", "also the orders that need nothing more:"
  .. " saved, failed, refused, dismissed" }
local give_up = { "-f --force", "also one that was bought and can still be"
  .. " downloaded" }

local serving = {
  title = "The provider it plays",
  { "--port", "port of the API", "PORT", default = "a free one" },
  { "--seconds", "from order to video", "SECONDS", default = "5" },
  { "--queued-seconds", "of these, how many queued", "SECONDS",
    default = "1" },
  { "--scenario", "fault that every request meets", "NAME[=N]",
    choices = scenario_names, unlisted = true },
  { "--open", "tasks that may be open at a time; then HTTP 429", "N" },
  { "--creates-per-minute", "as it says; then HTTP 429", "N" },
  { "--polls-per-second", "as it says; then HTTP 429", "N" },
  { "--price", "of each video", "AMOUNT", default = "0" },
  { "--balance", "what there is to spend; then HTTP 402", "AMOUNT" },
  { "--drawn", "videos a minute in which ffmpeg draws the prompt; further ones"
    .. " are one short clip", "N", default = "20" },
  { "--tls", "https, with a certificate made for the occasion" },
  { "--list-scenarios", "print the names of the faults and end" },
  { "--json", "what to use, or the faults, as JSON" },
}

local gating = {
  title = "The gateway",
  { "--port", "port to listen on", "PORT", default = "8080" },
  { "--listen", "address to listen on; any but this machine's own needs"
    .. " --callers", "ADDRESS", default = "127.0.0.1" },
  { "--folder", "folder for its files and the videos", "DIR",
    default = "starvideos-gateway in this folder; with"
    .. " --print-config /var/lib/starvideos" },
  { "--ledger", "ledger of its orders: a file, or a postgres:// URL, whose"
    .. " password is better left to the environment", "FILE",
    default = "STARVIDEOS_LEDGER, else ledger.db in its folder" },
  { "--callers", "who may order, and how much: JSON, read again at SIGHUP; see"
    .. " Gateway in docs", "FILE" },
  { "--host", "name that requests are for, beside this machine's own; may be"
    .. " repeated", "NAME", "*" },
  { "--public-url", "what callers connect to, where a proxy is before it:"
    .. " https://videos.example", "URL" },
  { "--trusted-proxy", "address or network of a proxy whose X-Forwarded-For"
    .. " says who asks; may be repeated", "CIDR", "*" },
  { "--tls-cert", "certificate, with those between it and its authority",
    "FILE" },
  { "--tls-key", "its key", "FILE" },
  { "--workers", "processes of nginx", "N", default = "2" },
  { "--keep-days", "remove a video so many days after it was made; 0: never",
    "DAYS", default = "7" },
  { "--keep-bytes", "remove the oldest videos beyond so much; 0: never", "SIZE",
    default = "20G" },
  { "--interval", "seconds between two polls of a task at first", "SECONDS",
    default = "30" },
  { "--user", "account of its workers, needed where root starts it: one that"
    .. " nothing else runs as", "NAME" },
  { "--print-config", "write the configuration for an nginx of your own to a"
    .. " folder, with a systemd unit, and start nothing", "DIR" },
  { "--new-token", "make a token for a caller, with its entry for --callers, and"
    .. " start nothing", "NAME" },
}

local examining = {
  title = "What is looked at",
  { "--offline", "ask nobody: leave out the provider and the network" },
  { "-o --output", "folder for the videos, which is looked at", "DIR",
    default = "this one" },
}

--- What positional arguments are: description, and `choices` or `values`.
_M.arguments = {
  id = { "the task's id, which ordering printed; with a ledger also the order's"
    .. " id, key or file" },
  order = { "the order's id, key or file, see pending" },
  label = { "its account, a name of your own" },
  manifest = { "a list of orders, a JSON object a line; - is stdin" },
  action = { "backup: copy a ledger in a file, while others use it (of"
    .. " PostgreSQL: use pg_dump)", choices = { "backup" } },
  file = { "the copy, which must not be there" },
  shell = { "bash, zsh or fish", choices = { "bash", "zsh", "fish" } },
}

--- The groups of commands in the order of the help: what a person wants to do.
_M.groups = { "Order a video", "Look", "Order many", "Keep the record",
  "Serve others, or play the provider", "Set up" }
local ORDER, LOOK, MANY, RECORD, SERVE, SET_UP = 1, 2, 3, 4, 5, 6

--- The commands: name, description, positional arguments, groups of options,
-- single options. `group` is the number of one of `groups`; `examples` are pairs of
-- a command line and what it is for; `default_ledger`: where no ledger is given it
-- is ./starvideos.db, which must be there, unless the command `makes` it. One that
-- only `reads` makes none by any name.
_M.commands = {
  { "generate", "order a video, wait for it, save it", {},
    { video, naming, recording, pricing, waiting, common },
    { output, force, accept, min_free }, group = ORDER, examples = {
      { "starvideos generate -m videos -p \"A kitten in the grass\" -d 5 -o kitten.mp4",
        "the whole way, from the prompt to the file" } } },
  { "create", "order a video and print the task", {},
    { video, naming, recording, pricing, common }, { later }, group = ORDER,
    examples = {
      { "starvideos create -m videos -d 5 --prompt-file scene.txt",
        "order, and wait later" },
      { "starvideos create --key scene-12 -m videos -p \"A dog\" -d 5 --ledger"
        .. " videos.db", "under a name: a second call buys nothing" } } },
  { "wait", "wait until a task ends; save the video with -o", { "id" },
    { recording, waiting, common }, { wanted_output, force, accept, which_take },
    group = ORDER, examples = {
      { "starvideos wait video_123 -o kitten.mp4", "wait for a task, save it" } } },
  { "download", "save the video of a completed task", { "id" },
    { recording, common }, { output, force, accept, which_take }, group = ORDER,
    examples = { { "starvideos download video_123 -o kitten.mp4",
      "goes on where it was cut off" } } },
  { "validate", "check an order without sending it, and price it", {}, { video,
    pricing, common }, {}, group = ORDER, examples = {
      { "starvideos validate -m videos -p \"A kitten\" -d 5 --prices prices.json",
        "what is wrong with it, and what it costs; needs no key" } } },
  { "models", "list models and limits", {}, { common }, {}, group = LOOK,
    examples = { { "starvideos models --edition mingyan",
      "the models of one edition of the documentation" } } },
  { "query", "poll a task once", { "id" }, { recording, common },
    { which_take }, group = LOOK, examples = {
      { "starvideos query video_123", "how far it is" } } },
  { "pending", "list the open orders of a ledger", {}, { keeping, common },
    { every_order, json_lines }, default_ledger = true, group = LOOK, examples = {
      { "starvideos pending --ledger videos.db", "what is not saved yet" } } },
  { "orders", "list orders, whatever became of them", {}, { listing, keeping,
    common }, { json_lines }, default_ledger = "reads", group = LOOK, examples = {
      { "starvideos orders --state failed --since 7d",
        "what failed in the last week" },
      { "starvideos orders --json-lines | jq -r .key",
        "however many there are" } } },
  { "status", "what a ledger holds: orders, spend, limits, workers, and why its"
    .. " queue stopped", {}, { keeping, common }, {}, default_ledger = "reads",
    group = LOOK, examples = { { "starvideos status --ledger videos.db --json",
      "for a program" } } },
  { "batch", "order a list of videos, wait for them, save them; the same list"
    .. " again goes on", { "manifest" }, { batching, keeping, pricing,
    waiting_for_all, common }, { folder_of_all, any_path, force, accept, min_free,
    json_lines }, default_ledger = "makes", group = MANY, examples = {
      { "starvideos batch list.jsonl --dry-run --prices prices.json",
        "check the list and its cost; orders nothing" },
      { "starvideos batch list.jsonl -o videos --spend 200/day",
        "order it, after a question" } } },
  { "work", "send the orders of a queue, wait for them, save their videos; on as"
    .. " many machines as you like", {}, { working, keeping, waiting_for_all,
    common }, { folder_of_all, any_path, force, accept, min_free, json_lines },
    default_ledger = true, group = MANY,
    examples = { { "starvideos work --follow -o videos",
      "a worker that waits for more" } } },
  { "resume", "wait for all open orders of a ledger and save their videos", {},
    { keeping, waiting, common }, { folder, any_path, force, accept,
    also_missing, json_lines }, default_ledger = true, group = MANY, examples = {
      { "starvideos resume --ledger videos.db -o videos",
        "after a crash, a Ctrl-C or a night" } } },
  { "limits", "set limits of a ledger, and list them", {}, { limiting,
    keeping, pricing, common }, {}, default_ledger = true, group = MANY,
    examples = { { "starvideos limits --open 5 --spend 200/day --currency USD",
      "for all programs that use the ledger" },
      { "starvideos limits --remove spend/day", "take one away" } } },
  { "adopt", "record the task that an order of unknown outcome became",
    { "order", "id" }, { keeping, common }, { which_take },
    default_ledger = true, group = RECORD, examples = {
      { "starvideos adopt scene-12 video_123",
        "your account with the provider shows the task" } } },
  { "dismiss", "give an order up; nothing is ordered as its take any more",
    { "order" }, { keeping, common }, { which_take, give_up },
    default_ledger = true, group = RECORD, examples = {
      { "starvideos dismiss scene-12", "nobody waits for it any more" } } },
  { "label", "record the account of an order that has none, and of all takes"
    .. " of its key", { "order", "label" }, { keeping, common },
    { which_take }, default_ledger = true, group = RECORD, examples = {
      { "starvideos label scene-12 studio", "it belongs to the account studio" } } },
  { "archive", "drop prompts and parameters of old orders; their keys stay, so"
    .. " that nothing is bought again", {}, { archiving, keeping, common }, {},
    default_ledger = "reads", group = RECORD, examples = {
      { "starvideos archive --before 90", "of what ended three months ago" } } },
  { "ledger", "copy a ledger: ledger backup FILE", { "action", "file" },
    { keeping, common }, {}, default_ledger = "reads", group = RECORD,
    examples = { { "starvideos ledger backup copy.db", "while others use it" } } },
  { "gateway", "let others order over HTTP, without the key; Ctrl-C ends it", {},
    { gating, pricing, common }, {}, group = SERVE, examples = {
      { "starvideos gateway --port 8080", "for programs of this machine" },
      { "starvideos gateway --new-token alice", "a token for a caller" } } },
  { "sandbox", "run a stand-in for the provider on this machine; Ctrl-C ends"
    .. " it", {}, { serving }, {}, group = SERVE, examples = {
      { "starvideos sandbox --seconds 2 > sandbox.env &",
        "then `. ./sandbox.env`: orders cost nothing" } } },
  { "doctor", "say what is installed, found, reachable and missing, with the"
    .. " cure; buys nothing", {}, { examining, recording, common }, {},
    group = SET_UP, examples = { { "starvideos doctor",
      "before the first order, or when something fails" } } },
  { "completion", "print what completes commands and options in a shell",
    { "shell" }, {}, {}, group = SET_UP, examples = {
      { 'eval "$(starvideos completion bash)"', "in ~/.bashrc" },
      { "starvideos completion fish > ~/.config/fish/completions/starvideos.fish",
        "once" } } },
  { "manual", "print the manual page", {}, {}, {}, group = SET_UP, examples = {
      { "starvideos manual | man -l -", "where `make install` has not put it" } } },
}

--- The groups of options that several commands have, each once.
_M.shared = { video, naming, recording, keeping, pricing, waiting,
  waiting_for_all, common }

--- Environment variables: name and meaning.
_M.environment = {
  { "STARVIDEOS_API_KEY", "the API key, unless --api-key-file names a file" },
  { "STARVIDEOS_BASE_URL", "the API's address, unless --base-url gives it" },
  { "STARVIDEOS_LEDGER", "the ledger, unless --ledger names one" },
  { "STARVIDEOS_ACCOUNT", "your own name for the key's account, unless --account"
    .. " gives it" },
  { "SSL_CERT_FILE", "certificates to trust, unless --ca-file names them" },
  { "PGPASSWORD", "the password of a ledger in PostgreSQL, as for its other"
    .. " programs" },
  { "TERM", "where it is `dumb`, progress is a line for each change. Nothing is"
    .. " ever coloured, with NO_COLOR or without" },
}

--- Files: name and meaning.
_M.files = {
  { "starvideos.db", "in the current folder: the ledger of the commands for many"
    .. " orders, unless one is named" },
  { "FILE.part", "beside a video: what a download has so far, with"
    .. " FILE.part.json; the next one goes on there" },
  { "FILE.lock", "beside a video: held while a program orders or saves it" },
  { "starvideos-gateway", "in the current folder: the files of a gateway" },
}

return _M
