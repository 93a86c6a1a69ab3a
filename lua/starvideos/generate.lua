--- The whole job: order, wait, save.
-- @module starvideos.generate

local create = require "starvideos.create"
local download = require "starvideos.download"
local wait = require "starvideos.wait"

-- What an earlier run saved under the same key, if it is still there.
local function saved_before(context, options)
  local row = context.ledger and options.key
    and context.ledger:of_key(options.key)
  if not row or row.state ~= "downloaded" or row.path ~= options.path then
    return nil
  end
  local file = io.open(row.path, "rb")
  local bytes = file and file:seek "end"
  if file then
    file:close()
  end
  return bytes == row.bytes and context.ledger.order_of(row) or nil
end

--- Order a video, wait for it and save it.
-- @tparam table context of the client
-- @tparam table params see `client:create`
-- @tparam table options see `client:generate`
-- @treturn ?table task
-- @treturn ?table file, or err
return function(context, params, options)
  local saved = saved_before(context, options)
  local ok, err = true, nil
  if not saved then
    ok, err = download.check_target(options.path, options.overwrite)
  end
  if not ok then
    return nil, err
  end
  local task
  task, err = create(context, params, options)
  if not task then
    return nil, err
  elseif saved then
    return task, { path = saved.path, bytes = saved.bytes,
      sha256 = saved.sha256 }
  end
  if options.on_task then
    options.on_task(task)
  end
  task, err = wait.one(context, task, options)
  if not task then
    return nil, err
  end
  local file
  file, err = download.save(context, task, options.path, {
    overwrite = options.overwrite,
    stall_timeout = options.stall_timeout,
    on_progress = options.on_download,
  })
  return file and task, file or err
end
