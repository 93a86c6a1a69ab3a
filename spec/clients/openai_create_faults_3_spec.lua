require("spec.clients.openai_faults").describe({ create = true }, 3, 3, 1)
