-- What an order costs with a ledger, over TLS: beside a C program that makes
-- a new connection with a new handle for each, in turns. Both trust what a user
-- does, the system's authorities, beside the server's own.

local core = require "starvideos.core"
local figure = require "spec.bench.figure"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local ROUNDS, COUNT = 9, 100

local KEY = "sk-" .. ("0123456789abcdef"):rep(3)
local PROMPT = ("A kitten "):rep(25):sub(1, 200)
local BODY = ('{"model":"videos","prompt":"%s","duration":5,"ratio":"16:9"}')
  :format(PROMPT)

local SYSTEM = "/etc/ssl/certs/ca-certificates.crt"

-- Milliseconds of the wall clock and of the processor, each for one order.
local function plain(server, ca_file)
  local process = assert(io.popen(
    ("build/bench/create_plain '%s/v1/videos/videos' %s '%s' '%s' %d")
      :format(server.tls_base_url, KEY, ca_file, BODY, COUNT)))
  local wall, cpu = process:read("*n", "*n")
  process:close()
  return assert(wall) / COUNT * 1e3, assert(cpu) / COUNT * 1e3
end

local function ours(client, prefix)
  local params = { model = "videos", prompt = PROMPT, duration = 5,
    ratio = "16:9" }
  local wall, cpu = core.now(), os.clock()
  for index = 1, COUNT do
    assert(client:create(params, { key = prefix .. index }))
  end
  return (core.now() - wall) / COUNT * 1e3, (os.clock() - cpu) / COUNT * 1e3
end

local function run(server, name, ca_file)
  local client = assert(starvideos.new { api_key = KEY, ca_file = ca_file,
    base_url = server.tls_base_url, ledger = server.folder .. "/" .. name })
  local rounds = { plain = {}, plain_cpu = {}, ours = {}, ours_cpu = {},
    added = {} }
  ours(client, "warm-")
  for round = 1, ROUNDS do
    local wall, cpu = plain(server, ca_file)
    local our_wall, our_cpu = ours(client, "scene-" .. round .. "-")
    rounds.plain[round], rounds.plain_cpu[round] = wall, cpu
    rounds.ours[round], rounds.ours_cpu[round] = our_wall, our_cpu
    rounds.added[round] = our_wall - wall
  end
  client:close()
  figure.print(name .. "_plain", figure.median(rounds.plain), "ms")
  figure.print(name .. "_plain_cpu", figure.median(rounds.plain_cpu), "ms")
  figure.print(name, figure.median(rounds.ours), "ms")
  figure.print(name .. "_cpu", figure.median(rounds.ours_cpu), "ms")
  return figure.print(name .. "_added", figure.median(rounds.added), "ms", "<= 1")
end

return function(server)
  local both = server.folder .. "/ca.pem"
  assert(shell.run(shell.fill("cat @system@ @own@ >@both@", {
    system = SYSTEM, own = server.ca_file, both = both })))
  local met = run(server, "create", both)
  return run(server, "create_one_authority", server.ca_file) and met
end
