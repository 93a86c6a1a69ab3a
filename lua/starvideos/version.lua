--- The version of this library.
-- @module starvideos.version

return "1.0.0"
