require("spec.clients.openai_faults").describe({ create = true }, 2, 3, 1)
