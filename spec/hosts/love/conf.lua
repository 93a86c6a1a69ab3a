-- The settings of the example, but for sound, which no test machine has.

-- luacheck: globals love

dofile(arg[2] .. "/conf.lua")

local configure = love.conf

function love.conf(t)
  configure(t)
  t.modules.audio, t.modules.sound, t.modules.joystick = false, false, false
end
