-- make check-threads: runs the hammer (hammer.c) against a server with TLS.
-- The exit code is 0 where ThreadSanitizer had nothing to say.
--
--   lua5.4 spec/threads/run.lua ROUNDS

local hammer = require "spec.threads.hammer"

local ok, output = hammer(tonumber(arg[1]))
print(output)
os.exit(ok, true)
