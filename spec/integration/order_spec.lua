-- An order is sent once, on a connection of its own, whatever the polls before
-- it have met; and the polls after it go on as if it had not been there.

local core = require "starvideos.core"
local crowd = require "spec.faults.crowd"
local curl = require "starvideos.curl"
local http1, http2 = require "spec.faults.http1", require "spec.faults.http2"
local servers = require "spec.faults.server"
local suspend = require "spec.faults.suspend"
local tickets = require "spec.fixtures.tickets"
local transfers = require "spec.fixtures.transfer"

local ANSWER = { status = 200, body = "{}" }
local ORDER = { method = "POST", fresh = true, body = "{}" }
local TLS_H2 = { "tls", 1, "known/server" }
local NO_ERROR, REFUSED_STREAM = 0, 7

local function posts_in(record)
  local count = 0
  for _, request in ipairs(record) do
    count = count + (request.method == "POST" and 1 or 0)
  end
  return count
end

-- An engine on the calling thread, and one on a thread of its own: `send` gives
-- what is to be collected by `result`.
local ways = { inline = {}, threaded = {} }

function ways.inline.new(options)
  options.inline = true
  local engine = curl.network(options)
  return {
    close = function() engine:close() end,
    send = function(req) return assert(engine:submit(req)) end,
    result = function(transfer) return transfers.finish(transfer, engine) end,
  }
end

function ways.threaded.new(options)
  local driver = curl.network(options)
  return {
    close = function() driver:close() end,
    send = function(req) return (assert(driver:submit(req))) end,
    result = function(ticket)
      while not ticket:done() do
        tickets.take(driver)
      end
      return ticket:result()
    end,
  }
end

describe("an order", function()
  local server

  setup(function()
    server = servers.start()
  end)
  teardown(function()
    server:stop()
  end)

  for kind, way in pairs(ways) do
    describe(kind, function()
      local engine

      before_each(function()
        engine = way.new { ca_file = server.ca_file }
      end)
      after_each(function()
        engine.close()
      end)

      local function begin(path, fields)
        local req = { url = server.tls_url .. path, timeout = 10 }
        for name, value in pairs(fields or {}) do
          req[name] = value
        end
        return engine.send(req)
      end

      local function send(path, fields)
        return engine.result(begin(path, fields))
      end

      local function record()
        engine.close()
        return server:record()
      end

      -- A connection of HTTP/2 that answers so many requests, then does more.
      local function answering(count, more)
        local http = http2.new()
        local script = { TLS_H2, http.begin() }
        for _ = 1, count do
          script[#script + 1] = { http:request(), http:answer(ANSWER) }
        end
        script[#script + 1] = more and { http:request(), more(http) }
          or { "hang" }
        return script
      end

      local http = http1.new()
      local dropped = { TLS_H2, http:request(), { "fin" } }
      local taken = { TLS_H2, http:request(), http:answer(ANSWER), { "fin" } }

      local refusals = {
        ["a stream was refused"] = function(speech)
          return { { "send", 0, speech:rst_stream(REFUSED_STREAM) }, { "hang" } }
        end,
        ["a connection was ended by GOAWAY"] = function(speech)
          return { { "send", 0, speech:goaway(NO_ERROR, 1) }, { "hang" } }
        end,
      }

      for what, refusal in pairs(refusals) do
        it("arrives once where " .. what .. " before", function()
          server:plan { answering(1, refusal), answering(2), dropped, taken }
          assert(send "/1")
          send "/2" -- repeated or given up, as libcurl's version has it
          assert(send "/3")
          local response, failure = send("/order", ORDER)
          assert.is_nil(response)
          assert.is_true(failure.sent)
          local arrived = record()
          assert.equal(1, posts_in(arrived))
          assert.equal(3, arrived.connections)
        end)
      end

      -- Or they would wait for its answer, and share no connection after it.
      it("is no business of the polls that begin meanwhile", function()
        local POLLS = 8
        server:plan { { TLS_H2, http:request(), { "pause", 500 },
          http:answer(ANSWER), { "fin" } }, answering(POLLS), taken }
        local order, polls = begin("/order", ORDER), {}
        for index = 1, POLLS do
          polls[index] = begin "/poll"
        end
        for _, poll in ipairs(polls) do
          assert(engine.result(poll))
        end
        assert.is_false(order:done())
        assert(engine.result(order))
        assert.equal(2, record().connections)
      end)

      it("waits for nothing that is in flight", function()
        engine.close()
        engine = way.new { ca_file = server.ca_file, max_in_flight = 1 }
        server:plan { answering(0), taken }
        begin "/hangs"
        begin "/queued"
        assert(send("/order", ORDER))
      end)

      it("is not sent where the handshake ends too late", function()
        server:plan { { { "wait" }, { "pause", 300 }, TLS_H2, http:request(),
          http:answer(ANSWER), { "fin" } } }
        local response, failure = send("/order", { method = "POST",
          fresh = true, body = "{}", send_by = core.boottime() + 0.1 })
        assert.is_nil(response)
        assert.equal("late", failure.reason)
        assert.is_false(failure.sent)
        assert.equal("connect", failure.phase)
        assert.equal(0, #record())
      end)

      it("is sent where there is time", function()
        server:plan { taken }
        assert(send("/order", { method = "POST", fresh = true, body = "{}",
          send_by = core.boottime() + 60 }))
      end)
    end)
  end

  it("has the whole time for its answer, however long it has waited", function()
    local came_to, record = crowd.order(server, 8)
    assert.same({ accepted = crowd.orders - 8, cancelled = 8 }, came_to)
    assert.equal(crowd.orders - 8, #record)
  end)

  it("is not sent by a machine that has slept past its lease", function()
    local outcome, record = suspend.order(server)
    assert.equal(0, #record)
    assert.equal("cancelled", outcome.kind)
    assert.equal("false", outcome.sent)
    assert.equal("prepared", outcome.state)
    assert.truthy(outcome.message:find("nothing was bought", 1, true))
  end)
end)
