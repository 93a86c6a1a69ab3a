-- Who is signed in at the page of a gateway: what all gateways on one ledger know. Of
-- each session only a digest is here, with which nobody can sign in.

local _M = {}

--- Sessions of one holder; one more ends the oldest, so that nobody fills the ledger.
_M.MOST = 50

local SWEEP = ([[DELETE FROM starvideos_sessions WHERE ends_at <= ?
  OR holder = ? AND session_id NOT IN (SELECT session_id
    FROM starvideos_sessions WHERE holder = ?
    ORDER BY ends_at DESC, session_id LIMIT %d)]]):format(_M.MOST)

local BEGIN = [[INSERT INTO starvideos_sessions (session_id, holder, ends_at)
  VALUES (?, ?, ?) ON CONFLICT DO NOTHING]]

local FIND = "SELECT ends_at FROM starvideos_sessions"
  .. " WHERE session_id = ? AND ends_at > ?"

local FINISH = "DELETE FROM starvideos_sessions WHERE session_id = ?"

-- Begin a session, and forget those that are over. `holder`: who has it: the beginning
-- of a token's digest. `seconds`: until it ends.
function _M.begin(store, caller, id, holder, seconds)
  local count, err = store:write(BEGIN, id, holder, caller.now + seconds)
  if count then
    count, err = store:write(SWEEP, caller.now, holder, holder)
  end
  return count and true, err
end

-- Whether a session goes on.
function _M.has(store, caller, id)
  local rows, err = store:read(FIND, id, caller.now)
  return rows and rows[1] ~= nil, err
end

-- End a session.
function _M.finish(store, _, id)
  local count, err = store:write(FINISH, id)
  return count and true, err
end

return _M
