-- What LÖVE reads before the game starts.

function love.conf(t)
  t.identity = "starvideos-postcards" -- the folder of the token and the videos
  t.version = "11.4"
  t.window.title = "Postcards"
  t.window.width, t.window.height = 800, 450
  t.window.vsync = 1
end
