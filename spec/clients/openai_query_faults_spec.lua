-- What the media origin does comes after all that can be bought.
require("spec.clients.openai_faults").describe({ life = true, query = true }, 1, 1, 4)
