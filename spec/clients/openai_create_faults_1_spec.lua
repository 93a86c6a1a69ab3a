require("spec.clients.openai_faults").describe({ create = true }, 1, 3, 1)
