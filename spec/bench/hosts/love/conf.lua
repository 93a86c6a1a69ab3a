-- A small window, so that drawing it in software takes no processor away from
-- what is measured, and no waiting for a screen.

-- luacheck: globals love

function love.conf(t)
  t.identity = "starvideos-bench"
  t.window.width, t.window.height, t.window.vsync = 160, 120, 0
  t.modules.audio, t.modules.sound, t.modules.joystick = false, false, false
end
