-- Makes a task or an error of an HTTP answer, in every form that the provider and the
-- gateways in front of it are known to send.

local answer_json = require "starvideos.provider.answer_json"
local c_locale = require "starvideos.base.c_locale"
local errors = require "starvideos.errors"
local http = require "starvideos.base.http"
local json = require "starvideos.base.json"
local retry = require "starvideos.provider.retry"
local tasks = require "starvideos.base.task"

local _M = {}

-- Of an id in words: bytes of its last part, for `videos_per_10s` is none, and of
-- the whole.
local ID_LEAST, ID_MOST = 8, 128

-- Longer reasons are cut.
local REASON_BYTES = 2000

-- Refusals for lack of money; they have advice of their own.
local unpaid = { "余额", "balance", "quota", "额度", "欠费" }

-- The kinds that the words of an error mean, looked for in this order, in lower
-- case. Only phrases that no report of a crash contains: after a refusal it is
-- safe to order again, after a crash it is not.
local said = {
  { "config", { "no handler" } },
  { "auth", { "登录验证失败", "invalid api key", "unauthorized" } },
  { "invalid_request", { "缺少必填参数", "缺少参数", "参数冲突", "参数错误",
    "missing required", "missing parameter", "parameter conflict",
    "invalid parameter", "unsupported", "not supported", "不支持" } },
  { "invalid_request", unpaid },
  { "not_found", { "not found", "不存在", "not exist" } },
}

local function kind_of_status(operation, status)
  local class = math.min(math.floor(status / 100), 5)
  return operation.kinds[status] or operation.kinds[class .. "xx"]
end

-- Parts of reports of a crash that read like one of these.
local misleading = { "disk quota", "operation not supported" }

-- A text in lower case, its punctuation as single blanks: so a quotation is found
-- however it was escaped, wrapped or cut.
local function plain(text)
  return (c_locale.lower(text):gsub("\\[nrt]", " ")
    :gsub("[^%w\128-\255]+", " "))
end

-- The texts of an order behind one another, each between bars.
local function texts_of(ordered)
  local list = {}
  local function add(value)
    if type(value) == "string" then
      list[#list + 1] = plain(value):match "^ ?(.*)":gsub(" $", "")
    elseif type(value) == "table" then
      for _, part in pairs(value) do
        add(part)
      end
    end
  end
  add(json.decode(ordered or ""))
  return "|" .. table.concat(list, "|") .. "|"
end

-- The word, or the character of a script without blanks, before a place of a plain
-- text, and the one behind another; empty where there is none.
local function around(text, first, last)
  local before = text:sub(math.max(first - 64, 1), first - 1)
  local behind = text:sub(last + 1, last + 64)
  return before:match "%w+ ?$" or before:match "[\194-\244][\128-\191]* ?$" or "",
    behind:match "^ ?%w+" or behind:match "^ ?[\194-\244][\128-\191]*" or ""
end

-- Whether words of an answer are there in their own right. A single word matches
-- whole words: a load balancer has no balance. And what stands in the order in the
-- same company is a quotation of it, which says nothing.
local function says(text, words, quoted)
  local pattern = words:find "^%a+$" and "%f[%a]" .. words .. "%f[%A]" or words
  local first, last = text:find(pattern)
  while first do
    local before, behind = around(text, first, last)
    if not (quoted:find("|" .. words .. "|", 1, true)
      or before ~= "" and quoted:find(before .. words, 1, true)
      or behind ~= "" and quoted:find(words .. behind, 1, true)) then
      return true
    end
    first, last = text:find(pattern, last + 1)
  end
  return false
end

local function kind_of_text(operation, reading)
  local text, quoted = plain(reading.text or ""), texts_of(reading.ordered)
  for _, words in ipairs(misleading) do
    text = text:gsub(words, "")
  end
  for _, row in ipairs(said) do
    for _, words in ipairs(row[2]) do
      if says(text, words, quoted) then
        return operation.refused[row[1]] and row[1]
      end
    end
  end
end

local success_codes = { ["0"] = true, ["200"] = true }

-- `code` of the envelope as text, nil where it says success.
local function failure_code(answer)
  local code = answer.code
  if not code then
    return nil
  elseif type(code) == "number" then
    code = ("%.0f"):format(code)
  end
  if type(code) ~= "string" or code == "" or success_codes[code] then
    return nil
  end
  return code
end

-- The object that has the task's fields: the answer, or an object in it.
local function unwrap(answer)
  if answer.status ~= nil or answer.id ~= nil then
    return answer
  end
  return type(answer.data) == "table" and answer.data
    or type(answer.result) == "table" and answer.result or answer
end

-- The id of a task, in whichever object it stands.
local function find_id(answer)
  local places = { answer, answer.data or false, answer.result or false }
  for _, object in ipairs(places) do
    local id = type(object) == "table" and tasks.new(object).id
    if id then
      return id
    end
  end
end

local function is_unpaid(reading)
  local text, quoted = plain(reading.text or ""), texts_of(reading.ordered)
  local code = c_locale.lower(tostring(reading.code or ""))
  for _, words in ipairs(unpaid) do
    if code:find(words, 1, true) or says(text, words, quoted) then
      return true
    end
  end
  return reading.status == 402 or reading.failure == "402"
end

local function what_to_do(kind, reading)
  if kind == "rate_limited" then
    return (reading.retry_after or 0) >= 1
      and ("in %.0f s"):format(math.ceil(reading.retry_after)) or "in a minute"
  end
  return is_unpaid(reading) and "top up your account with the provider, then"
    .. " order again" or "change the order before you send it again"
end

local function facts_of(kind, reading)
  local text = reading.text or ""
  if kind == "invalid_request" and text ~= "" then
    return text
  end
  return "HTTP " .. reading.status
    .. (reading.code and ", code " .. reading.code or "")
    .. (text ~= "" and ": " .. text or "")
end

-- Whether something between here and the provider refused the request: 407 is a
-- proxy's, and a page is no word of an API on a key.
local function is_from_between(reading)
  local status = reading.status
  return status == 407 or (status == 401 or status == 403)
    and not reading.answer and reading.text:find "^ ?<" ~= nil
end

local function describe(operation, kind, reading, seen)
  local facts = facts_of(kind, reading)
  if kind == "outcome_unknown" and seen then
    return operation.named:format(seen.id, facts)
  end
  if kind == "config" and is_from_between(reading) then
    return operation.between:format(facts)
  end
  return operation.refused[kind]:format(facts, what_to_do(kind, reading))
end

local function fail(operation, kind, reading, seen)
  return nil, errors.new {
    kind = kind,
    message = describe(operation, kind, reading, seen),
    status = reading.status,
    code = reading.code,
    retry_after = reading.retry_after,
    unpaid = kind == "invalid_request" and is_unpaid(reading) or nil,
    task = seen,
    task_id = seen and seen.id,
  }
end

-- Everything an answer says apart from the task in it.
local function parse(response, answer, wall_clock)
  local body = response.body or ""
  local retry_after = retry.retry_after(response.headers or {},
    wall_clock or os.time)
  if type(answer) ~= "table" then
    return {
      status = response.status,
      retry_after = retry_after,
      text = http.preview(body):find "%S" and http.preview(body) or "an empty body",
      ordered = response.ordered,
    }
  end
  local fields = unwrap(answer)
  local complaint, code = tasks.reason(fields.error)
  local text = complaint or tasks.reason(answer.error)
    or tasks.reason(answer.msg) or tasks.reason(answer.message)
  local failure = failure_code(answer)
  return {
    status = response.status,
    retry_after = retry_after,
    complaint = complaint,
    text = text and http.shortened(text, REASON_BYTES),
    failure = failure,
    code = code or failure,
    body = body,
    ordered = response.ordered,
    answer = answer,
    fields = fields,
  }
end

-- The kind of an answer that carries an error, nil where it carries none.
-- The HTTP status speaks first, then the code in the body, which often comes
-- at HTTP 200, then the words.
local function kind_of_failure(operation, reading)
  if reading.status < 200 or reading.status > 299 then
    if is_from_between(reading)
      or reading.answer and kind_of_text(operation, reading) == "config" then
      return "config"
    end
    return kind_of_status(operation, reading.status)
      or operation.kinds.unreadable
  end
  local code = reading.failure
  local status = reading.fields and reading.fields.status
  if not code and type(status) == "number" then
    code = status
  end
  local kind = code and kind_of_text(operation, reading)
  local number = tonumber(code)
  if kind or not number then
    return kind
  end
  return (number == 204 or number >= 400 and number <= 599)
    and kind_of_status(operation, number) or nil
end

-- The kind of a 2xx that has no task: a refusal at HTTP 200, or unreadable.
local function kind_without_task(operation, reading)
  local kind = kind_of_text(operation, reading)
  reading.text = reading.text or http.preview(reading.body)
  return kind or operation.kinds.unreadable
end

-- A task that the provider accepted, with an id of its own, and that has failed
-- or was cancelled.
local function accepted_and_ended(seen, reading)
  local err = errors.task_failed(seen)
  err.status = reading.status
  return err
end

local under_way = { queued = true, processing = true, completed = true }

-- Whether a refusal names a task all the same: then it may have been bought.
local function names_task(seen)
  return seen.id and seen.object ~= "error"
    and (seen.object == "video" or under_way[seen.status])
end

-- The kind of the answer to a billable operation; nil where it tells what was
-- bought.
local function kind_of_purchase(operation, reading, seen)
  local kind = kind_of_failure(operation, reading)
  if kind and names_task(seen) or kind == "rate_limited" and seen.id then
    return "outcome_unknown"
  elseif kind == "outcome_unknown" and seen.object == "error"
    and operation.refuses[reading.status] then
    return "invalid_request"
  elseif kind then
    return kind
  elseif seen.object == "error" then
    return "invalid_request"
  elseif tasks.is_terminal(seen) and seen.status ~= "completed" then
    return seen.id and "task_failed" or "invalid_request"
  end
  local complains = reading.failure or not seen.status and reading.complaint
  return (not seen.id or complains) and kind_without_task(operation, reading)
    or nil
end

-- What an answer that cannot be decoded certainly says of a task. Where it is a
-- refusal by its status, an id alone may be that of the request; behind something
-- else may stand what was ordered, in words that the order has too.
local function seen_in_part(kind, body, ordered)
  local fields, is_behind = answer_json.fields(body, true)
  local seen = tasks.new(unwrap(fields), fields)
  seen.id = seen.id or find_id(fields)
  local is_open = kind == "outcome_unknown" or kind == "rate_limited"
  if is_behind then
    return is_open and names_task(seen)
      and not (ordered or ""):find(seen.id, 1, true) and seen or nil
  end
  local is_task = seen.id and seen.object ~= "error" and is_open
  return (is_task or names_task(seen)) and seen or nil
end

-- The task to whose result an answer leads: it has been made, whatever the
-- status says.
local function seen_in_location(headers)
  local path = tostring(headers.location or ""):match "^[^?#]*"
  local id = path:match "/result/([^/%s]+)$"
  id = id and id:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  local seen = tasks.new({ id = id }, {})
  return seen.id and seen or nil
end

-- The only task that the words of an answer name, or its page: an id as the
-- provider makes them, and not one out of the order.
local function seen_in_words(response)
  local named
  for id in (response.body or ""):gmatch "%f[%w]%a+_[%w_-]+" do
    local is_id = (id:find "^videos?_" or id:find "^proj_") and #id <= ID_MOST
    local last = is_id and id:match "[%w-]*$" or ""
    if #last >= ID_LEAST and last:find "%d" and id ~= named
      and not (response.ordered or ""):find(id, 1, true) then
      if named then
        return nil -- a list of tasks under way
      end
      named = id
    end
  end
  return named and tasks.new({ id = named }, {})
end

-- What an answer of such a kind names a task with, where it has none in its
-- place. An order that was limited is sent again: what it names in any way counts.
local function seen_elsewhere(kind, response)
  return seen_in_part(kind, response.body or "", response.ordered)
    or seen_in_location(response.headers or {})
    or kind == "rate_limited" and seen_in_words(response) or nil
end

-- Of an answer that was read in part: whether what it lacks may be the task, or that
-- it is none.
local function is_open(kind, seen, response)
  return response.is_part and not names_task(seen)
    and (response.status < 300 or kind == "rate_limited" and response.is_cut)
    and not (seen.id and seen.status and seen.object ~= "error")
end

-- An id that it names is in the err too.
local function read_purchase(operation, reading, seen, response)
  seen.id = seen.id or find_id(reading.answer)
  local kind = kind_of_purchase(operation, reading, seen)
  if kind == "task_failed" then
    return nil, accepted_and_ended(seen, reading)
  elseif is_open(kind, seen, response) then
    kind = "outcome_unknown"
  end
  local named = kind and not seen.id and seen_elsewhere(kind, response)
  kind = named and "outcome_unknown" or kind
  if kind == "outcome_unknown" and not seen.id and reading.status < 300 then
    reading.text = http.preview(reading.body) -- it may show what was bought
  end
  seen = named or seen
  if kind then
    return fail(operation, kind, reading, seen.id and seen)
  end
  seen.status = seen.status or "queued"
  return seen
end

-- Reads the answer to any other operation: its task, a failed one too.
local function read_state(operation, reading, seen)
  local kind = kind_of_failure(operation, reading)
  if not kind and (not seen.status or reading.failure) then
    kind = kind_without_task(operation, reading)
  end
  if kind then
    return fail(operation, kind, reading)
  elseif seen.status == "completed" and not seen.video_url then
    reading.text = "task " .. tostring(seen.id)
      .. " is completed, but the answer has no link to its video"
    return fail(operation, operation.kinds.unreadable, reading, seen)
  end
  return seen
end

-- The task of an answer that complains of nothing, as most do: for those the
-- rest of this file would find the same.
local function read_plain(answer, id)
  local fields = unwrap(answer)
  if answer.code or fields.error or answer.error or answer.msg
    or answer.message or type(fields.status) ~= "string" then
    return nil
  end
  local seen = tasks.new(fields, answer, id)
  return seen.status and (seen.status ~= "completed" or seen.video_url)
    and seen or nil
end

-- The id that an answer gives its task itself. `task`: as `read` has made it. Returns
-- nil where it gives none.
function _M.named(task)
  local fields = unwrap(task.raw)
  return fields.id == task.id and task.id or tasks.named(fields)
end

-- Read an answer. `operation`: one of `starvideos.provider.operations`. `response`:
-- `status`, `headers` (lower-case names), `body`; its `answer` where it was decoded
-- before, and `ordered`, the body of an order. `wall_clock`: Unix seconds, for
-- `Retry-After` (default os.time). `id`: the id asked for, which the task has whatever
-- the answer says: by it the task was recorded, and can be asked for again. Returns err
-- of a kind that the operation knows. For what may have been bought: an id that could
-- still be read is in `task_id`; or of kind task_failed with the task: it was accepted,
-- and has ended.
function _M.read(operation, response, wall_clock, id)
  local answer = response.answer
  if answer == nil then
    local _
    answer, _, response.is_part = answer_json.decode(response.body or "")
  end
  local seen = response.status == 200 and not operation.billable
    and type(answer) == "table" and read_plain(answer, id)
  if seen then
    return seen
  end
  local reading = parse(response, answer, wall_clock)
  if not reading.fields then
    local kind = kind_of_failure(operation, reading)
      or operation.kinds.unreadable
    seen = operation.billable and seen_elsewhere(kind, response)
    return fail(operation, seen and "outcome_unknown" or kind, reading,
      seen or nil)
  end
  seen = tasks.new(reading.fields, reading.answer, id)
  local read = operation.billable and read_purchase or read_state
  return read(operation, reading, seen, response)
end

-- Read what came of an answer before its transfer failed. An object whose last brace
-- came is whole, whatever was to follow: where it tells what became of the task, it is
-- the answer. Of anything less only the id counts, except of an answer that is longer
-- than `max_answer`: what its beginning tells of the task, or its status of an error,
-- is the answer. `operation`: one of `starvideos.provider.operations`. `failure`: of a
-- transport; its `status` and `body` count. `id`: as of `read`. `ordered`: the body of
-- an order. Returns the id of a task that it names otherwise.
function _M.salvage(operation, failure, id, ordered)
  local status, body = failure.status, failure.body
  if type(body) ~= "string" or type(status) ~= "number" or status < 200
    or failure.reason == "cancelled" and not operation.billable then
    return nil
  end
  local response = { status = status, headers = failure.headers or {}, body = body,
    ordered = ordered, bytes_sent = failure.bytes_sent, interrupted = failure.interrupted }
  local is_long = failure.reason == "too_large"
  if is_long then
    local fields, is_behind, is_list = answer_json.fields(body)
    response.answer = not is_behind and not is_list and next(fields) and fields or nil
    response.flaw, response.is_part, response.is_cut = failure.message, true, true
    failure.message = failure.message .. ", the limit max_answer"
  end
  local task, err = _M.read(operation, response, nil, id)
  if status < 300 and (task or err.kind == "task_failed")
    or is_long and (status >= 300 or err.kind ~= operation.kinds.unreadable) then
    return response
  end
  local is_named = operation.billable and err.kind == "outcome_unknown"
  return nil, is_named and err.task_id or nil
end

return _M
