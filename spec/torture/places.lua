-- make torture: two programs order the same videos through one ledger, while
-- its file is linked, mounted, moved, replaced, or opened and closed by them.
--
--   lua5.4 spec/torture/places.lua
--
-- Prints one JSON object a line and ends with 0 where every goal is met. The
-- programs are this file with LEDGER FOLDER NAME.

local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"

-- Orders of each program, after how many the deed is done, and how long an answer
-- takes.
local ORDERS, EARLY, SECONDS = 60, 10, 0.005

-- `before` or `during` the orders; `back` undoes it. `hosts`: the programs open
-- and close the ledger's file, and end now and then. What is `refused` buys nothing
-- from then on.
local deeds = {
  { name = "linked", before = "ln @db@ @other@", back = "rm @other@",
    refused = true },
  { name = "mounted", before = ": >@other@", is_mounted = true },
  { name = "closed", hosts = true },
  { name = "moved", during = "mv @db@ @away@", back = "mv @away@ @db@",
    refused = true },
  { name = "moved_away", during = "mkdir @away@ && mv @db@* @away@",
    back = "mv @away@/* @in@", refused = true },
  { name = "replaced", during = "cp @db@ @copy@ && mv @db@ @away@"
    .. " && mv @copy@ @db@", back = "mv @away@ @db@", refused = true },
  { name = "log_moved", during = "mv @db@-wal @away@",
    back = "mv @away@ @db@-wal", refused = true },
}

local BUY = "@before@ @lua@ spec/torture/places.lua @db@ @folder@ @name@ @hosts@"
  .. " >>@folder@/log 2>&1; echo $? >>@folder@/ends"

-- In a namespace of its own the other name is a mount of the file.
local MOUNTED = "unshare -m sh -c 'mount --bind \"$1\" \"$2\"; shift 2;"
  .. " exec \"$@\"' - @db@ @other@"

local MAY_MOUNT = "unshare -m mount --bind /tmp /tmp 2>/dev/null"

local function lines(path)
  local list = {}
  for line in (io.open(path) or io.tmpfile()):lines() do
    list[#list + 1] = line
  end
  return list
end

local function add(path, line)
  local file = assert(io.open(path, "a"))
  file:write(line, "\n")
  file:close()
end

-- One of the programs: buys what is not bought yet.
local function buy(ledger, folder, name, hosts)
  local starvideos = require "starvideos"
  local client, code, index = nil, 0, 0
  local function transport()
    add(folder .. "/posts", index)
    process.readable(-1, SECONDS)
    return { status = 200, headers = {}, body =
      ('{"status":"queued","id":"%s%d"}'):format(name, index) }
  end
  while index < ORDERS do
    index = index + 1
    client = client or assert(starvideos.new { ledger = ledger,
      api_key = "key", transport = transport })
    local task, err = client:create({ model = "videos", prompt = "a kite",
      duration = 5 }, { key = tostring(index) })
    code = task and code or err.kind == "ledger" and 8 or error(err)
    if index == 1 then
      add(folder .. "/begun", name)
    end
    if hosts == "hosts" then
      io.open(ledger):close()
    end
    if hosts == "hosts" and name == "b" and index % 3 == 0 then
      client:close()
      client = nil
    end
  end
  os.exit(code, true)
end

if arg[3] then
  buy(...)
end

local figure = require "spec.bench.figure"

local function fill(text, words)
  return shell.fill(text:gsub("@before@", words.before or ""):gsub("@hosts@",
    words.hosts or ""), words)
end

local function start(text, words)
  shell.run(("{ %s; } >/dev/null 2>&1 &"):format(fill(text, words)))
end

local function await(path, count)
  repeat
    process.readable(-1, 0.002)
  until #lines(path) >= count
end

-- The two programs, and what is done to the ledger; how many orders they sent
-- after that.
local function run(deed, words)
  local function program(name, ledger, before)
    local own = setmetatable({ name = name, before = before, db = ledger,
      hosts = deed.hosts and "hosts" }, { __index = words })
    start(BUY, own)
  end
  local other = (deed.is_mounted or deed.before) and words.other or words.db
  program("a", words.db)
  program("b", other, deed.is_mounted and fill(MOUNTED, words) or nil)
  local sent = 0
  if deed.during then
    await(words.folder .. "/begun", 2)
    await(words.folder .. "/posts", EARLY)
    assert(shell.run(fill(deed.during, words)))
    sent = #lines(words.folder .. "/posts") + 2 -- what each had looked before
  end
  await(words.folder .. "/ends", 2)
  return math.max(0, #lines(words.folder .. "/posts") - sent)
end

local function count_of(path)
  local bought, double, count = {}, 0, 0
  for _, key in ipairs(lines(path)) do
    double = double + (bought[key] and 1 or 0)
    count = count + (bought[key] and 0 or 1)
    bought[key] = true
  end
  return double, ORDERS - count
end

-- How many programs had refused orders, and how many went wrong.
local function ends_of(path)
  local refused, crashed = 0, 0
  for _, code in ipairs(lines(path)) do
    refused = refused + (code == "8" and 1 or 0)
    crashed = crashed + (code ~= "8" and code ~= "0" and 1 or 0)
  end
  return refused, crashed
end

local function try(deed, folder)
  local words = { folder = folder, lua = arg[-1] or "lua5.4", ["in"] = folder
    .. "/in", db = folder .. "/in/l.db", other = folder .. "/other.db",
    away = folder .. "/away", copy = folder .. "/copy" }
  assert(shell.run(fill("mkdir -p @in@ && : >@db@ && : >@folder@/posts", words)))
  assert(shell.run(fill(deed.before or ":", words)))
  local ok = true
  local function none(name, value)
    ok = figure.print(("torture_%s_%s"):format(deed.name, name), value, "orders",
      "<= 0") and ok
  end
  local strays = run(deed, words)
  local refused, crashed = ends_of(folder .. "/ends")
  if deed.refused then
    none("strays", strays)
    none("not_refused", 2 - refused)
  end
  if deed.back then
    assert(shell.run(fill(deed.back, words)))
    os.remove(folder .. "/ends")
    run({}, words)
    refused, crashed = ends_of(folder .. "/ends")
    none("still_refused", refused)
  end
  none("crashed", crashed)
  local double, missing = count_of(folder .. "/posts")
  none("double", double)
  none("missing", missing)
  return ok
end

local fine = true
for _, deed in ipairs(deeds) do
  local folder = shell.read 'mktemp -d "${TMPDIR:-/tmp}/starvideos-places.XXXXXX"'
  if not deed.is_mounted or shell.run(MAY_MOUNT) then
    fine = try(deed, folder) and fine
  end
  shell.run(shell.fill("rm -rf -- @folder@", { folder = folder }))
end
os.exit(fine and 0 or 1)
