-- What LÖVE reads before the game starts.

function love.conf(t)
  t.identity = "starvideos-balloons" -- the folder that videos are saved in
  t.version = "11.4"
  t.window.title = "Balloons"
  t.window.width, t.window.height = 800, 450
  t.window.vsync = 1
end
