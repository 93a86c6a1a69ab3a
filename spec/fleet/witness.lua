-- What PostgreSQL itself saw: who changed an order that a worker had, and when
-- workers came and went. Of each connection the server knows a name.

local _M = {}

local SETUP = {
  [[CREATE TABLE fleet_changes (at double precision, who text, tx bigint,
    order_id text, old_claim text, new_claim text, old_state text,
    new_state text, names_task boolean)]],
  [[CREATE TABLE fleet_workers (at double precision, who text, tx bigint,
    what text, worker_id text)]],
  "CREATE INDEX ON fleet_changes (order_id, at)",
  "CREATE INDEX ON fleet_changes (old_claim)",
  "CREATE INDEX ON fleet_workers (worker_id)",
  [[CREATE FUNCTION fleet_order() RETURNS trigger AS $$ BEGIN
    INSERT INTO fleet_changes VALUES (extract(epoch FROM clock_timestamp()),
      current_setting('application_name'), txid_current(), OLD.order_id,
      OLD.claim, NEW.claim, OLD.state, NEW.state,
      NEW.task_id IS DISTINCT FROM OLD.task_id
      OR NEW.late_tasks IS DISTINCT FROM OLD.late_tasks);
    RETURN NULL; END $$ LANGUAGE plpgsql]],
  [[CREATE FUNCTION fleet_worker() RETURNS trigger AS $$ BEGIN
    INSERT INTO fleet_workers VALUES (extract(epoch FROM clock_timestamp()),
      current_setting('application_name'), txid_current(), TG_OP,
      CASE WHEN TG_OP = 'DELETE' THEN OLD.worker_id ELSE NEW.worker_id END);
    RETURN NULL; END $$ LANGUAGE plpgsql]],
  [[CREATE TRIGGER fleet_order AFTER UPDATE ON starvideos_orders FOR EACH ROW
    EXECUTE FUNCTION fleet_order()]],
  [[CREATE TRIGGER fleet_worker AFTER INSERT OR DELETE ON starvideos_workers
    FOR EACH ROW EXECUTE FUNCTION fleet_worker()]],
}

-- A change of what another worker has. Free to do that are: who buries a dead
-- worker, in the same transaction; and whoever has an id of a task to record.
local FOREIGN = [[SELECT c.* FROM fleet_changes AS c
  WHERE c.old_claim IS NOT NULL AND NOT c.names_task
  AND c.old_state <> 'staged'
  AND NOT EXISTS (SELECT 1 FROM fleet_workers AS w WHERE w.what = 'INSERT'
    AND w.worker_id = c.old_claim AND w.who = c.who)
  AND NOT EXISTS (SELECT 1 FROM fleet_workers AS w WHERE w.what = 'DELETE'
    AND w.worker_id = c.old_claim AND w.tx = c.tx)
  ORDER BY c.at]]

-- A worker that was buried has no orders any more: it claims nothing either.
local UNDEAD = [[SELECT c.* FROM fleet_changes AS c, fleet_workers AS w
  WHERE w.what = 'DELETE' AND w.worker_id = c.new_claim AND c.at > w.at
  AND c.tx > w.tx ORDER BY c.at]]

-- When each order that a dead worker had was freed, and when another took it.
local TAKEN = [[SELECT f.order_id, f.old_claim AS worker_id, f.at AS freed,
  (SELECT MIN(t.at) FROM fleet_changes AS t WHERE t.order_id = f.order_id
    AND t.at > f.at AND t.new_claim IS NOT NULL) AS taken
  FROM fleet_changes AS f JOIN fleet_workers AS w ON w.what = 'DELETE'
  AND w.worker_id = f.old_claim AND w.tx = f.tx
  WHERE f.new_claim IS NULL AND f.new_state IN ('accepted', 'completed')]]

local WORKERS = [[SELECT i.worker_id, i.who, d.at AS gone, d.who AS buried_by
  FROM fleet_workers AS i LEFT JOIN fleet_workers AS d
  ON d.worker_id = i.worker_id AND d.what = 'DELETE'
  WHERE i.what = 'INSERT']]

-- Begin to look on.
function _M.begin(database)
  for _, statement in ipairs(SETUP) do
    assert(database:run(statement))
  end
end

-- The server's clock.
function _M.now(database)
  local rows = assert(database:rows
    "SELECT extract(epoch FROM clock_timestamp()) AS now")
  return tonumber(rows[1].now)
end

-- Changes that nobody should have made.
function _M.foreign(database)
  return assert(database:rows(FOREIGN))
end

-- Orders that a worker claimed after it was buried.
function _M.undead(database)
  return assert(database:rows(UNDEAD))
end

-- Open orders of workers that were removed, and when they were `freed` and `taken`.
function _M.taken(database)
  return assert(database:rows(TAKEN))
end

-- Every worker that there was, by its id: `who`, `gone` (when its row went), `buried_by`.
function _M.workers(database)
  local found = {}
  for _, row in ipairs(assert(database:rows(WORKERS))) do
    found[row.worker_id] = row
  end
  return found
end

return _M
