-- The provider's responses, in its own shapes.
-- A response is `{ status, headers, body }`, header names in lower case.

local json = require "starvideos.base.json"

local _M = {}

function _M.json(value, status)
  return {
    status = status or 200,
    headers = { ["content-type"] = "application/json; charset=utf-8" },
    body = json.encode(value),
  }
end

-- A response with an HTML page, as a gateway before the service sends it.
function _M.page(status, title)
  return {
    status = status,
    headers = { ["content-type"] = "text/html" },
    body = ("<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n"
      .. "<center><h1>%s</h1></center>\r\n</body>\r\n</html>\r\n")
      :format(title, title),
  }
end

function _M.no_handler(method, path)
  return _M.json{ code = 500, data = json.null,
    msg = ("No handler found for %s %s"):format(method, path) }
end

function _M.bad_key()
  return _M.json{ code = "204", msg = "登录验证失败" }
end

function _M.missing(field)
  return _M.json{ msg = "缺少必填参数: " .. field }
end

-- A create that is refused for its parameters; some refusals carry an id.
function _M.refused(text, id)
  return _M.json{ id = id or json.null, object = "error", status = "failed",
    error = text }
end

function _M.bad_request(text)
  return _M.json({ code = 400, data = json.null, msg = text }, 400)
end

function _M.no_task(id)
  return _M.json({ code = 404, data = json.null,
    msg = "Task not found: " .. id }, 404)
end

-- The body of the answer to an accepted create, not yet encoded.
function _M.created(task)
  return { id = task.id, object = "video", created = task.created,
    model = task.model, status = "queued", error = json.null }
end

-- The body of the answer to a query; `now` is what `tasks.now` gives.
function _M.result(task, now)
  return { id = task.id, object = "video", created = task.created,
    model = task.model, status = now.status,
    video_url = now.video_url or json.null, actualDuration = now.seconds,
    error = now.error or json.null }
end

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
  "Sep", "Oct", "Nov", "Dec" }

-- An HTTP date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
function _M.date(seconds)
  local t = os.date("!*t", math.floor(seconds))
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(DAYS[t.wday], t.day,
    MONTHS[t.month], t.year, t.hour, t.min, t.sec)
end

return _M
