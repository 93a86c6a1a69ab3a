-- The library inside a controller of cqueues.

local behaviour = require "spec.hosts.loop_behaviour"

describe("inside cqueues", function()
  behaviour "cqueues"
end)
