-- What `on_event` is told of a download: that it has started, how much has come, and
-- how it ended.

local listener = require "starvideos.base.listener"

local _M = {}

-- Seconds between two events of progress.
local BEAT = 1

local Events = {}
Events.__index = Events

local function tell(self, state, received, total, err)
  listener.event(self.context, { name = "download", task_id = self.id,
    path = self.path, state = state, received = received, total = total,
    error = err and err.message or nil })
end

-- A request is about to be sent. The first of them starts the download. `received`:
-- bytes that are there from before. Raises Ctrl-C, and nothing else, as all of these.
function Events:started(received)
  if not self.told_at then
    self.told_at = self.context.runtime:now()
    tell(self, "started", received)
  end
end

-- Some of the file has come. `received`: bytes of it that are there.
function Events:progress(received, total)
  self.total = total or self.total
  local now = self.context.runtime:now()
  if now - self.told_at >= BEAT then
    self.told_at = now
    tell(self, "progress", received, total)
  end
end

-- The video is on disk.
function Events:saved(file)
  tell(self, "saved", file.bytes, file.bytes)
end

-- The download has ended without it. `err`: with `bytes`, where some of it is kept.
function Events:failed(err)
  tell(self, "failed", err.bytes or 0, self.total, err)
end

-- The events of one download. `context`: of the client. Returns events; nil where
-- nobody listens.
function _M.new(context, id, path)
  return context.on_event and setmetatable({ context = context, id = id,
    path = path }, Events) or nil
end

return _M
