-- The version of this library.

return "1.0.0"
