--- The version of this library.
-- @module starvideos.base.version

return "1.0.0"
