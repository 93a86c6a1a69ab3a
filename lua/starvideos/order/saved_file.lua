--- A video that an earlier run has saved: what the ledger holds of it, compared
-- with the disk.
-- @module starvideos.order.saved_file

-- Whether the file is whole though its process ended, or could not write to the
-- ledger, after it renamed the file and before that was recorded.
local function is_whole(runtime, row, path)
  local digest = row.sha256 and runtime:disk("sha256", path)
  if digest then
    return digest == row.sha256
  end
  local part, failure = runtime:disk("size", path .. ".part")
  return part == nil and failure == nil
end

-- The file of an order itself, where the path leads to it.
local function found(context, row, path)
  local runtime = context.runtime
  local file = path
  if row.path ~= context.ledger.path_of(path) then
    file = runtime:disk("real", path)
    if not file or row.path ~= context.ledger.path_of(file)
      and runtime:disk("real", row.path) ~= file then
      return nil
    end
  end
  return runtime:disk("size", file) == row.bytes and file or nil
end

--- Find the file of an order.
-- @tparam table context of a client that has a ledger
-- @tparam ?table row the order, or its row, with `state`, `task_id`, `path`, `bytes`,
--   `sha256`
-- @tparam string path where the file is wanted
-- @treturn ?table file with `path`, `bytes`, `sha256`, which the order then has on
--   record; nil where there is none, or not all of it
return function(context, row, path)
  local there = row and row.task_id and row.bytes and row.path
    and found(context, row, path)
  if not there then
    return nil
  end
  local file = { path = there, bytes = row.bytes, sha256 = row.sha256 }
  if row.state ~= "downloaded" then
    if not is_whole(context.runtime, row, there) then
      return nil
    end
    local ok, err = context.ledger:downloaded(row.task_id, file,
      row.order_id or row.id)
    file.ledger_error = not ok and err or nil
  end
  file.path = path
  return file
end
