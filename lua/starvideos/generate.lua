--- The whole job: order, wait, save.
-- @module starvideos.generate

local create = require "starvideos.create"
local download = require "starvideos.download"
local saved = require "starvideos.saved"
local wait = require "starvideos.wait"

-- What an earlier run saved under the same key, if it is still there.
local function saved_before(context, options)
  local ledger = context.ledger
  if not ledger or not options.key or options.overwrite then
    return nil
  end
  return saved(context, ledger:of_key(options.key), options.path)
end

--- Order a video, wait for it and save it.
-- @tparam table context of the client
-- @tparam table params see `client:create`
-- @tparam table options see `client:generate`
-- @treturn ?table task
-- @treturn ?table file, or err
return function(context, params, options)
  local before = saved_before(context, options)
  local ok, err = true, nil
  if not before then
    ok, err = download.check_target(context.runtime, options.path,
      options.overwrite)
  end
  if not ok then
    return nil, err
  end
  local task
  task, err = create(context, params, options)
  if not task then
    return nil, err
  elseif before then
    return task, before
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
