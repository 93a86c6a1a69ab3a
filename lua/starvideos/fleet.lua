--- The methods of a client for many orders and many machines: a queue in the
-- ledger, workers that send what is in it, and limits that hold for all of
-- them. `starvideos.client` has them among its own.
-- @module starvideos.fleet

local _M = {}

return _M
