-- The pages of the reference: one a topic, each with its functions and the classes
-- that they take and give. A function that stands on no page is not public.

return {
  { "client", "Clients", "A client: one key, one base URL, one way of waiting."
    .. " Each function of the reference is a method of a client, and most are also"
    .. " functions of the module, which use a client made of the environment.",
    { "starvideos.new", "client:close", "starvideos.assert" },
    { "ClientOptions", "Validation", "Transport" } },
  { "ordering", "Ordering", "What an order says, and how it is checked and sent.",
    { "client:create", "client:validate", "client:models" },
    { "Params", "Params_*", "OtherParams", "ReferenceImage", "ReferenceVideo",
      "ReferenceAudio", "ReferenceFacts", "CreateOptions", "Warning", "Price",
      "Prices", "ModelPrice", "Task", "TaskStatus" } },
  { "models", "Models", "The models that this version knows, and their limits.", {},
    { "ModelName", "Model", "PromptLimits", "DurationLimits", "ChoiceLimits",
      "FrameLimits", "MediaLimits" } },
  { "waiting", "Waiting", "A video takes minutes.",
    { "client:query", "client:wait", "client:wait_all", "client:sleep" },
    { "QueryOptions", "WaitOptions", "WaitInfo", "WaitResult" } },
  { "downloading", "Downloading", "A download URL expires: save a video at once.",
    { "client:download", "client:generate" },
    { "DownloadOptions", "GenerateOptions", "File" } },
  { "ledger", "The ledger", "What was ordered, on the disk: no video that you bought"
    .. " is lost, and none is bought twice.",
    { "client:pending", "client:order", "client:orders", "client:resume",
      "client:adopt", "client:dismiss", "client:label", "client:archive",
      "client:backup", "client:status" },
    { "Order", "OrderState", "PendingOptions", "OrdersOptions", "TakeOptions",
      "DismissOptions", "ResumeOptions", "ResumeResult", "ResumedOrder",
      "ArchiveOptions", "Backup", "Status", "Spend", "Worker", "Halt",
      "LoweredRate" } },
  { "many-videos", "Many videos", "Lists of orders, a queue in the ledger, workers"
    .. " that send it, and limits for all of them.",
    { "client:validate_all", "client:generate_all", "client:enqueue", "client:work",
      "client:limits", "starvideos.manifest" },
    { "ListedOrder", "CheckedList", "CheckedOrder", "GenerateAllOptions",
      "GenerateResult", "EnqueueOptions", "EnqueuePlan", "WorkOptions",
      "WorkControl", "WorkResult", "LimitsOptions", "Limit" } },
  { "events", "Events", "What `on_event` is told.", {}, { "Event", "Event_*" } },
  { "errors", "Errors", "What the world does to a call returns nil and an error; a"
    .. " wrong type of an argument raises.", {},
    { "Error", "ErrorKind", "Violation" } },
  { "loops", "Runtimes and loops", "How a game, an event loop or nginx goes on while"
    .. " a video is made.",
    { "client:async", "client:update", "client:run", "client:cancel", "client:busy",
      "client:pollfd", "client:events", "client:timeout", "handle:cancel",
      "handle:on_done", "loop.luv", "loop.cqueues", "loop.copas" },
    { "Handle", "Progress" } },
  { "sandbox", "The sandbox", "A stand-in for the provider, to develop against without"
    .. " a key or costs: `require \"starvideos.sandbox\"`.",
    { "sandbox.new", "sandbox.scenarios", "sandbox:scenario", "sandbox:tasks",
      "sandbox:limit", "sandbox:record", "sandbox:reset", "sandbox:transport" },
    { "Sandbox", "SandboxOptions", "SandboxRecord", "Scenario" } },
}
