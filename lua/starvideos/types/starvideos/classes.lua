---@meta _
-- Made by `make types`, for editors; nothing requires it.
-- luacheck: ignore


---A reference whose facts are checked; its URL is sent.
---@class starvideos.ReferenceFacts
---@field url string where the provider finds it
---@field bytes? integer its length in bytes
---@field duration? number seconds that it lasts
---@field width? integer pixels
---@field height? integer pixels

---An image: its URL, or the URL with facts to check.
---@alias starvideos.ReferenceImage string|starvideos.ReferenceFacts

---A video: its URL, or the URL with facts to check.
---@alias starvideos.ReferenceVideo string|starvideos.ReferenceFacts

---A sound: its URL, or the URL with facts to check.
---@alias starvideos.ReferenceAudio string|starvideos.ReferenceFacts

---What an order of the model `starvideos_o3` says.
---@class starvideos.Params_starvideos_o3
---@field model "starvideos_o3" the model
---@field prompt string what is to be seen
---@field duration? 3|4|5|6|7|8|9|10|11|12|13|14|15 seconds, 3 to 15; default 3
---@field ratio? "9:16"|"1:1"|"16:9" width to height; default "9:16"
---@field first_image? starvideos.ReferenceImage the first frame; with last_image only
---@field last_image? starvideos.ReferenceImage the last frame; with first_image only
---@field referenceImages? starvideos.ReferenceImage[] up to 7 reference images, 4 beside a video
---@field referenceVideos? starvideos.ReferenceVideo[] up to 1 reference videos; each at least 3 seconds; each at most 10 seconds; beside one, duration and ratio of the order do not count

---What an order of the model `videos` says.
---@class starvideos.Params_videos
---@field model "videos" the model
---@field prompt string what is to be seen
---@field duration 4|5|6|7|8|9|10|11|12|13|14|15 seconds, 4 to 15
---@field ratio? "21:9"|"16:9"|"4:3"|"1:1"|"3:4"|"9:16" width to height; default "16:9"
---@field resolution? "720p" lines of the video; default "720p"
---@field first_image? starvideos.ReferenceImage the first frame; with last_image only
---@field last_image? starvideos.ReferenceImage the last frame; with first_image only
---@field referenceImages? starvideos.ReferenceImage[] up to 9 reference images; each up to 20971520 bytes
---@field referenceVideos? starvideos.ReferenceVideo[] up to 3 reference videos; together up to 209715200 bytes; together at most 15 seconds; width and height at least 720 pixels; width and height at most 2160 pixels
---@field referenceAudios? starvideos.ReferenceAudio[] up to 3 reference sounds; together at most 15 seconds

---What an order of the model `videos_fast` says.
---@class starvideos.Params_videos_fast
---@field model "videos_fast" the model
---@field prompt string what is to be seen, up to 1500 characters
---@field duration 4|5|6|7|8|9|10|11|12|13|14|15 seconds, 4 to 15
---@field ratio? "16:9"|"9:16"|"1:1" width to height; default "16:9"
---@field resolution? "720p" lines of the video; default "720p"
---@field first_image? starvideos.ReferenceImage the first frame; with last_image only
---@field last_image? starvideos.ReferenceImage the last frame; with first_image only
---@field referenceImages? starvideos.ReferenceImage[] up to 4 reference images; each below 20971520 bytes
---@field referenceVideos? starvideos.ReferenceVideo[] up to 3 reference videos; together up to 209715200 bytes; together at most 15 seconds; width and height at least 720 pixels; width and height at most 2160 pixels

---What an order of the model `videos_stable` says.
---@class starvideos.Params_videos_stable
---@field model "videos_stable" the model
---@field prompt string what is to be seen, up to 5000 characters
---@field duration 4|5|6|7|8|9|10|11|12|13|14|15 seconds, 4 to 15
---@field ratio? "16:9"|"9:16"|"1:1" width to height; default "16:9"
---@field resolution? "720p" lines of the video; default "720p"
---@field first_image? starvideos.ReferenceImage the first frame; with last_image only
---@field last_image? starvideos.ReferenceImage the last frame; with first_image only
---@field referenceImages? starvideos.ReferenceImage[] up to 4 reference images; each up to 20971520 bytes
---@field referenceVideos? starvideos.ReferenceVideo[] up to 3 reference videos; together up to 209715200 bytes; together at most 15 seconds; width and height at least 720 pixels; width and height at most 2160 pixels
---@field referenceAudios? starvideos.ReferenceAudio[] up to 1 reference sounds; together at most 15 seconds

---What an order of the model `videos_stable_fast` says.
---@class starvideos.Params_videos_stable_fast
---@field model "videos_stable_fast" the model
---@field prompt string what is to be seen, up to 5000 characters
---@field duration 4|5|6|7|8|9|10|11|12|13|14|15 seconds, 4 to 15; the documentation advises 10 or 15
---@field ratio? "16:9"|"9:16"|"1:1" width to height; default "16:9"
---@field resolution? "720p" lines of the video; default "720p"
---@field first_image? starvideos.ReferenceImage the first frame; with last_image only
---@field last_image? starvideos.ReferenceImage the last frame; with first_image only
---@field referenceImages? starvideos.ReferenceImage[] up to 4 reference images; each up to 20971520 bytes
---@field referenceVideos? starvideos.ReferenceVideo[] up to 3 reference videos; together up to 209715200 bytes; together at most 15 seconds; width and height at least 720 pixels; width and height at most 2160 pixels
---@field referenceAudios? starvideos.ReferenceAudio[] up to 1 reference sounds; together at most 15 seconds

---What an order says of a model that this version does not know: it needs the option
---`endpoint` or a row in `models`.
---@class starvideos.OtherParams
---@field model string the model
---@field prompt? string what is to be seen
---@field [string] any what its documentation says

---What an order says: the fields of its model.
---@alias starvideos.Params starvideos.Params_starvideos_o3|starvideos.Params_videos|starvideos.Params_videos_fast|starvideos.Params_videos_stable|starvideos.Params_videos_stable_fast|starvideos.OtherParams

---The models that this version knows.
---@alias starvideos.ModelName "starvideos_o3"|"videos"|"videos_fast"|"videos_stable"|"videos_stable_fast"

---An order of a list: its params and, beside them, how it is named and where it goes.
---@class starvideos.ListedOrder
---@field model starvideos.ModelName|string the model; the further fields of its params stand beside it
---@field path? string where the video is saved, below the folder of the call or worker that saves it; an absolute one counts on this machine only
---@field key? string the name of the order; path or key must be there; default the path as it is written
---@field take? integer another take of a key is another order; default 1
---@field label? string a label of your own, for limits and lists
---@field [string] any the other params of the model

---How strictly an order is checked: `strict` refuses one that breaks a limit, `advisory`
---sends it and gives the violations as warnings, `off` does not check.
---@alias starvideos.Validation "strict"|"advisory"|"off"

---Options of `starvideos.new`.
---@class starvideos.ClientOptions
---@field api_key? string without one only `validate` and `models` work
---@field base_url? string the provider's, with or without `/v1` or an endpoint after it; the environment is not read here
---@field edition? "xingchao"|"mingyan" exactly the models and limits of that documentation; default the newest text of each model
---@field models? starvideos.Model[] further models, each a row as `models()` gives it; `name` and `endpoint` are required
---@field validation? starvideos.Validation of every order; default "strict"
---@field connect_timeout? number seconds for each connection; default 10
---@field timeout? number seconds for each exchange with the API; default 60
---@field max_creates? integer orders sent at the same time; more wait for a free slot; default 32
---@field max_in_flight? integer polls and downloads at the same time; default 64
---@field ca_file? string certificates to trust; default SSL_CERT_FILE, then the system's
---@field insecure_http? boolean allow http to another host than this one; default false
---@field private_links? boolean save videos also from this machine or a private network, though the provider is elsewhere; default false
---@field max_video? integer bytes that a video may have; default 4 GiB
---@field max_answer? integer bytes that are read of an answer of the API; default 256 KiB
---@field on_event? fun(event: starvideos.Event) called after each request, each change of an order, and with the bytes of a download
---@field interrupts? "raise"|"return" whether Ctrl-C during a call raises an error of kind cancelled, or the call returns it; default "raise"
---@field ledger? string path of a SQLite file, or a `postgres://` URL: every order is recorded there; default none
---@field ledger_fsync? boolean sync each record to the disk before the program goes on; default false
---@field account? string your own label for the account of the key: part of the name of an order; default none
---@field prices? string|starvideos.Prices|fun(params: starvideos.Params, model: starvideos.Model): number? what orders cost: the path of a JSON file, a table or a function; default none
---@field runtime? "block"|"frame"|"poll"|"ngx" how to wait; default "ngx" in nginx, else "block"
---@field poll_rate? number polls a second, of all waits together; default 250
---@field shared? table a dictionary with `get`, `set` and `add`, such as `ngx.shared.videos`: one process polls a task, the others read its answer; default none
---@field transport? starvideos.Transport|"resty_http" who sends; `resty_http` in nginx; default libcurl
---@field clock? fun(): number seconds, for tests; default monotonic time
---@field sleep? fun(seconds: number): boolean? for tests; default a real sleep
---@field random? fun(): number a number from 0 up to 1, for tests; default a generator of its own

---What orders cost, in units of one currency.
---@class starvideos.Prices
---@field currency string the currency's name
---@field models? table<string, starvideos.ModelPrice> the prices of each model
---@field cost? fun(params: starvideos.Params, model: starvideos.Model): number? in place of `models`: gives the price of one order, nil where it is not known

---An order costs the sum of both.
---@class starvideos.ModelPrice
---@field per_second? number|table<string, number> of the video; one number, or one for each resolution
---@field per_video? number|table<string, number> one number, or one for each resolution

---Sends a request in place of libcurl: a table with `method`, `url`, `headers` and `body`
---goes in; `{ status, headers, body }` comes out, or nil and `{ reason, message, sent }`.
---@alias starvideos.Transport fun(request: table): table?, table?

---Options of `wait` and `wait_all`.
---@class starvideos.WaitOptions
---@field timeout? number seconds, after which the call gives an error of kind timeout; the task goes on; default 1800
---@field interval? number seconds between polls at first; the provider asks for 30 to 60; default 30
---@field max_interval? number seconds between polls in the end; default 60
---@field first_poll? number seconds until the first poll; default one interval after the task was created
---@field on_progress? fun(task: starvideos.Task, info: starvideos.WaitInfo) called after every poll but one that ends the wait with an error, with the task as last known

---How far a wait has come.
---@class starvideos.WaitInfo
---@field elapsed number seconds since it began
---@field remaining number seconds until its timeout
---@field polls integer how often the provider was asked
---@field error? starvideos.Error why this poll failed

---Options of `create`.
---@class starvideos.CreateOptions
---@field validation? starvideos.Validation of this order; default the client's
---@field endpoint? string a path below the base URL, for a model that this version does not know; default by model
---@field key? string with a ledger: your own name for the order; the same key again gives the same task and sends nothing; default `path`, made absolute
---@field take? integer with a ledger: another take of a key is another order, for when the first failed, its outcome is unknown, or you want a second video; default 1
---@field label? string with a ledger: a label of your own, for limits and lists
---@field limit_timeout? number with a ledger: seconds that the order waits for a limit that keeps it back; 0: it does not wait; default 60
---@field path? string with a ledger: where `resume` saves the video

---Options of `query`.
---@class starvideos.QueryOptions
---@field max_age? number seconds; with `shared`: an answer that another wait or process got no longer ago will do

---Options of `download`.
---@class starvideos.DownloadOptions
---@field overwrite? boolean replace an existing file once the new one is complete; default false
---@field timeout? number seconds for the whole download, with its pauses and retries; default none
---@field accept? "video"|"any" what is saved: a video, told by its bytes, or anything that the media host sends; default "video"
---@field stall_timeout? number seconds without a byte, after which the download is retried; default 30
---@field on_progress? fun(received: integer, total?: integer) bytes; total is nil while it is unknown

---Options of `generate`.
---@class starvideos.GenerateOptions: starvideos.CreateOptions, starvideos.WaitOptions
---@field path string where to save the video
---@field overwrite? boolean replace an existing file; default false
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field on_task? fun(task: starvideos.Task) called as soon as the order was accepted
---@field on_download? fun(received: integer, total?: integer) bytes; total is nil while it is unknown

---Options of `generate_all`; those of the wait hold for each order.
---@class starvideos.GenerateAllOptions
---@field at_most? integer orders at a time; default 5
---@field directory? string the folder that paths are below; missing ones are made; default the current one
---@field label? string of orders that have none
---@field limit_timeout? number seconds that an order waits for a limit; default `timeout`
---@field overwrite? boolean replace existing files; default false
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field timeout? number seconds, for each order; default 1800
---@field interval? number seconds between polls at first; default 30
---@field max_interval? number seconds between polls in the end; default 60
---@field first_poll? number seconds until the first poll; default one interval after the task was created
---@field on_done? fun(order: starvideos.ListedOrder, file?: starvideos.File, err?: starvideos.Error) called as each ends
---@field on_task? fun(order: starvideos.ListedOrder, task: starvideos.Task) called as each is accepted
---@field on_progress? fun(order: starvideos.ListedOrder, task: starvideos.Task, info: starvideos.WaitInfo) called after each poll
---@field on_download? fun(order: starvideos.ListedOrder, received: integer, total?: integer) bytes

---Options of `enqueue`.
---@class starvideos.EnqueueOptions
---@field label? string of orders that have none
---@field directory? string the folder that the workers will use, where it is known: two paths that are one file there are a fault
---@field confirm? fun(plan: starvideos.EnqueuePlan): boolean? asked before anything is enqueued: unless it returns true nothing is

---What `confirm` of `enqueue` decides about.
---@class starvideos.EnqueuePlan
---@field new integer orders that would be enqueued
---@field known integer orders that are there already
---@field price? starvideos.Price of the new ones, where the client has prices
---@field unpriced? integer how many of the new ones have no price
---@field warnings starvideos.Warning[] what the documentation only advises

---Options of `order`, `adopt` and `label`.
---@class starvideos.TakeOptions
---@field take? integer which order of a key; default 1

---Options of `dismiss`.
---@class starvideos.DismissOptions
---@field take? integer which order of a key; default 1
---@field force? boolean also one that was bought and can still be downloaded, or that a process holds although its lease has expired; default false

---Options of `pending`.
---@class starvideos.PendingOptions
---@field limit? integer orders at most; default 1000
---@field after? string the second result of the call before, for the next page
---@field all? boolean also orders about which nothing is to be done; default false

---Options of `orders`.
---@class starvideos.OrdersOptions
---@field state? starvideos.OrderState|starvideos.OrderState[] one state, or a list of them
---@field since? number Unix seconds: placed then or later
---@field before? number Unix seconds: placed before then
---@field label? string of this label alone
---@field account? string of this account alone
---@field key? string of this key alone
---@field limit? integer orders at most; default 1000
---@field after? string the second result of the call before, for the next page

---Options of `archive`.
---@class starvideos.ArchiveOptions
---@field before? number Unix seconds: orders that ended before then; default 30 days ago

---Options of `resume`; `first_poll` is 0.
---@class starvideos.ResumeOptions
---@field directory? string folder for videos whose order has no path; where it is given also for those whose path is on another machine; default "."
---@field any_path? boolean save orders of the queue also outside of `directory`: at an absolute path, or through a link; default false
---@field path? fun(order: starvideos.Order): string? gives where to save a video
---@field overwrite? boolean replace existing files; default false
---@field missing? boolean ask also for tasks that the provider has not known for a day; default false
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field timeout? number seconds, of each wait; default 1800
---@field interval? number seconds between polls at first; default 30
---@field max_interval? number seconds between polls in the end; default 60
---@field first_poll? number seconds until the first poll; default 0
---@field on_done? fun(order: starvideos.Order, file?: starvideos.File, err?: starvideos.Error) called as each ends
---@field on_progress? fun(order: starvideos.Order, task: starvideos.Task, info: starvideos.WaitInfo) called after each poll

---Options of `work`.
---@class starvideos.WorkOptions
---@field directory? string folder for the videos, each at its path below it; default "."
---@field any_path? boolean save orders of the queue also outside of `directory`: at an absolute path, or through a link; default false
---@field follow? boolean go on for ever; else until nothing is left; default false
---@field resume? boolean let a queue go on that stopped itself; default false
---@field claims? integer orders at a time; default 64
---@field accounts? "any" orders of all accounts, which this key pays; default the client's own
---@field failures? boolean false where others write the prompts: failed tasks in a row do not stop the queue, unknown outcomes only slow it down; default true
---@field overwrite? boolean replace existing files; default false
---@field path? fun(order: starvideos.Order): string? gives where to save a video
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field timeout? number seconds, of each wait; default 1800
---@field interval? number seconds between polls at first; default 30
---@field max_interval? number seconds between polls in the end; default 60
---@field on_begin? fun(control: starvideos.WorkControl) called once this worker is known to the others
---@field on_done? fun(order: starvideos.Order, file?: starvideos.File, err?: starvideos.Error) called as each ends
---@field on_progress? fun(order: starvideos.Order, task: starvideos.Task, info: starvideos.WaitInfo) called after each poll

---What `on_begin` of `work` gets.
---@class starvideos.WorkControl
---@field wake fun() has the worker look for orders at once
---@field is_alive fun(): boolean whether its heartbeat is in time

---Options of `limits`: each limit a number, 0 to send nothing, or `false` to remove it.
---@class starvideos.LimitsOptions
---@field open? integer|false tasks at the same time
---@field creates_per_minute? number|false orders sent in a minute
---@field polls_per_second? number|false of all workers together
---@field spend? number|false units of the currency
---@field per? "day"|"total" of a spend; a day is one of UTC; default "total"
---@field currency? string of a spend; default that of the client's prices
---@field refund_failed? boolean whether the provider pays failed tasks back; default false
---@field account? string for orders of this account alone
---@field label? string for orders of this label alone

---The status of a task; one that is not recognised is passed through.
---@alias starvideos.TaskStatus "queued"|"processing"|"completed"|"failed"|"cancelled"|"unknown"|string

---A task of the provider. What its answer leaves out is nil.
---@class starvideos.Task
---@field id? string the task's id
---@field object? string what the provider calls it: `video`
---@field created? number Unix seconds, by the provider's clock
---@field model? string the model
---@field status? starvideos.TaskStatus `queued`, `processing`, `completed`, `failed` or `cancelled`; else the provider's own word
---@field progress? number per cent, where the provider tells it
---@field video_url? string the video's link, which expires
---@field actualDuration? number seconds that the video lasts
---@field error? string why it failed
---@field raw? table the decoded answer; nil of a task that is remembered of an earlier poll

---A saved video.
---@class starvideos.File
---@field path? string where it is
---@field bytes? integer its length
---@field sha256? string its SHA-256, 64 hex digits
---@field resumed_from? integer byte at which the download went on; none: at its beginning
---@field container? "mp4"|"mov"|"webm"|"matroska"|"mpegts"|"avi" what its bytes are: `mp4`, `mov`, `webm`, `matroska`, `mpegts` or `avi`; none: of no kind that is known
---@field warnings? starvideos.Warning[] what may surprise you in it
---@field ledger_error? starvideos.Error why the ledger could not record that it was saved

---The state of an order in the ledger.
---@alias starvideos.OrderState "staged"|"queued"|"prepared"|"submitting"|"unknown"|"accepted"|"completed"|"downloaded"|"failed"|"cancelled"|"refused"|"abandoned"

---An order of the ledger.
---@class starvideos.Order
---@field id? string the order's id: 32 hex digits that sort by time
---@field key? string its key; without one given the path of its file
---@field take? integer which order of the key, from 1
---@field account? string your name for the account
---@field label? string your label
---@field state? starvideos.OrderState a state, see Ledger in docs
---@field task_id? string the provider's id of the task
---@field model? string the model
---@field prompt? string the prompt
---@field params? starvideos.Params all parameters, without secrets
---@field base_url? string where it was ordered
---@field path? string where the video is, or is to be
---@field machine? string host name of the machine of `path`
---@field bytes? integer the file's length
---@field sha256? string the file's SHA-256
---@field cost? number what it costs, by your prices
---@field currency? string the currency's name, of the prices
---@field error? string why it, or its task, failed
---@field attempts? integer how often it was sent
---@field late_tasks? string[] ids of tasks whose answer came late: they were bought, too
---@field missing_since? number Unix seconds: when the provider first did not know the task any more
---@field queued_at? number Unix seconds: when its batch was enqueued
---@field not_before? number Unix seconds, before which no worker sends it
---@field accepted_at? number Unix seconds: when the provider took it
---@field created_at? number Unix seconds: when it was placed
---@field updated_at? number Unix seconds: when it last changed
---@field deleted_at? number Unix seconds: when its caller of a gateway deleted it
---@field removed_at? number Unix seconds: when a gateway removed its file
---@field known? boolean of `enqueue`: true where the order was there before

---What went wrong, as a word for programs.
---@alias starvideos.ErrorKind "auth"|"cancelled"|"config"|"expired"|"invalid_request"|"io"|"ledger"|"limited"|"network"|"not_found"|"outcome_unknown"|"protocol"|"rate_limited"|"server"|"task_failed"|"timeout"|"validation"

---What went wrong. It prints as a sentence.
---@class starvideos.Error
---@field kind starvideos.ErrorKind the kind of error
---@field message string what happened, whether something was bought, what to do
---@field status? integer of HTTP
---@field code? string the provider's own code
---@field retryable boolean whether the same call may succeed later
---@field task? starvideos.Task the task that it is about, as last known
---@field task_id? string the id of that task
---@field retry_after? number seconds to wait
---@field retry_at? number Unix seconds, when it may be tried again
---@field limit? string the name of the limit that keeps the order back
---@field never? boolean the order fits into no limit like that
---@field unpaid? boolean refused for lack of money
---@field violations? starvideos.Violation[] every limit that the order breaks
---@field warnings? starvideos.Warning[] what the documentation only advises
---@field target? "exists"|"blocked"|"busy"|"outside" what keeps a file from being written
---@field order? starvideos.Order the order that it is about
---@field next_take? integer the take under which the key can be ordered again
---@field reason? string a word: why no answer came
---@field phase? "queue"|"connect"|"request"|"answer"|"body" how far the request came
---@field sent? boolean whether the request had left
---@field bytes_sent? integer how many bytes of it
---@field part? string path of what a download has left
---@field bytes? integer its length
---@field interrupted? boolean whether it was Ctrl-C
---@field result? table of a call for many: what it has done so far

---A limit that an order breaks.
---@class starvideos.Violation
---@field field string which field
---@field code string a word for programs, see Errors
---@field message string what is wrong with it
---@field limit? number|string what is allowed
---@field actual? number|string what was given
---@field index? integer of a list: which order
---@field line? integer of a manifest: which line
---@field next_take? integer of a list: the take to order another video with

---What is only advised of an order, or may surprise in a file.
---@class starvideos.Warning
---@field field? string which field of an order
---@field code "ignored_field"|"advisory"|"container"|"trailing_bytes"|string a word for programs
---@field message string what is wrong with it
---@field index? integer of a list: which order
---@field line? integer of a manifest: which line

---What an order costs.
---@class starvideos.Price
---@field cost number in units of the currency
---@field currency? string the currency's name
---@field millionths number the same, in whole millionths

---What became of one task of `wait_all`.
---@class starvideos.WaitResult
---@field id string the task's id
---@field task? starvideos.Task completed
---@field err? starvideos.Error why it is not

---What became of one order of `generate_all`.
---@class starvideos.GenerateResult
---@field task? starvideos.Task completed
---@field file? starvideos.File the saved video
---@field err? starvideos.Error why there is none

---A list of orders that was checked.
---@class starvideos.CheckedList
---@field entries starvideos.CheckedOrder[] the orders, in the order of the list
---@field warnings starvideos.Warning[] what the documentation only advises
---@field price? starvideos.Price of all, where the client has prices
---@field unpriced? integer how many have no price

---An order of a list that was checked.
---@class starvideos.CheckedOrder
---@field index integer its place in the list
---@field line? integer of a manifest: its line
---@field path? string where the video goes
---@field key? string its key
---@field take? integer which order of the key
---@field label? string your label
---@field price? starvideos.Price what it costs
---@field unpriced? string why it has no price

---What `resume` has done.
---@class starvideos.ResumeResult
---@field done integer orders whose video was saved
---@field failed integer orders that ended without one
---@field left integer orders that are still open
---@field orders starvideos.ResumedOrder[] what became of each

---What became of one order of `resume`.
---@class starvideos.ResumedOrder
---@field order starvideos.Order the order
---@field file? starvideos.File the saved video
---@field err? starvideos.Error why there is none

---What `work` has done.
---@class starvideos.WorkResult
---@field done integer orders whose video was saved here
---@field failed integer orders that ended here without one
---@field unknown integer orders that were sent here and whose outcome is unknown
---@field left integer orders that are open in the ledger

---A copy of a ledger.
---@class starvideos.Backup
---@field path string the copy
---@field bytes integer its length

---A limit of the ledger.
---@class starvideos.Limit
---@field name? string its name, as --remove takes it
---@field kind? "open"|"creates_per_minute"|"polls_per_second"|"spend" `open` (tasks), `creates` (a minute), `polls` (a second), `spend`
---@field per? "day"|"total" of a spend: `day` or `total`
---@field account? string for orders of this account alone
---@field label? string for orders with this label alone
---@field cap? number how much may be used
---@field used? number how much is
---@field left? number how much is left
---@field currency? string of a spend
---@field until_? number Unix seconds: when it starts again
---@field refund_failed? boolean of a spend: whether failed tasks give their part back

---A queue that has stopped itself.
---@class starvideos.Halt
---@field account? string whose queue; none: all
---@field base_url? string of which provider
---@field kind? starvideos.ErrorKind the kind of the error that stopped it
---@field reason? string why, as a sentence
---@field since? number Unix seconds

---Rates that a 429 has lowered.
---@class starvideos.LoweredRate
---@field account? string whose orders; none: all
---@field base_url? string of which provider
---@field factor? number the share of the rates that is left
---@field until_? number Unix seconds, before which nothing is sent

---A worker of the ledger's queue.
---@class starvideos.Worker
---@field id? string the worker's id
---@field machine? string host name of its machine
---@field account? string whose orders it sends
---@field base_url? string to which provider
---@field is_dead? boolean whether its heartbeat has stopped
---@field draining? boolean whether it takes no more orders
---@field claims? integer orders that it has
---@field polls? number its polls a second
---@field started_at? number Unix seconds
---@field silence? number seconds since its last heartbeat

---What a ledger holds, in sums.
---@class starvideos.Status
---@field states? table<starvideos.OrderState, integer> by state how many orders
---@field claimed? integer orders that workers have
---@field unattended? integer tasks of the queue that no worker has had for two minutes
---@field overdue? integer tasks that have not ended after half an hour
---@field spend? table<string, starvideos.Spend> by currency `today` (UTC) and `total`
---@field unpriced? integer orders that were sent without a price
---@field halted? starvideos.Halt[] why queues stopped themselves
---@field rates? starvideos.LoweredRate[] which rates a 429 has lowered
---@field limits? starvideos.Limit[] the limits
---@field workers? starvideos.Worker[] the workers

---What was spent of one currency.
---@class starvideos.Spend
---@field total number in units of the currency
---@field today number of this day, UTC

---How far an operation has come.
---@class starvideos.Progress
---@field task? starvideos.Task of a wait: as last known
---@field elapsed? number of a wait: seconds since it began
---@field remaining? number of a wait: seconds until its timeout
---@field polls? integer of a wait: how often the provider was asked
---@field error? starvideos.Error of a wait: why the last poll failed
---@field ended? integer of many: how many have ended
---@field count? integer of many: how many there are
---@field received? integer of a download: bytes
---@field total? integer of a download: bytes; nil while it is unknown

---Limits of a prompt.
---@class starvideos.PromptLimits
---@field max? number characters at most; none: no limit is documented

---Limits of a duration.
---@class starvideos.DurationLimits
---@field min? number seconds at least
---@field max? number seconds at most
---@field default? number what the provider takes where it is left out
---@field required? boolean true: it must be given
---@field advised? integer[] the only values that newer programs send

---What a ratio or resolution may be.
---@class starvideos.ChoiceLimits
---@field values? string[] what may be chosen
---@field default? string what the provider takes where it is left out

---How frames are named.
---@class starvideos.FrameLimits
---@field legacy_aliases? boolean true: the old names `image` and `lastFrameImage` are known, too

---Limits of references.
---@class starvideos.MediaLimits
---@field max? number how many at most
---@field max_with_video? number how many at most beside a reference video
---@field max_bytes? number bytes of each
---@field below? boolean true: of fewer bytes than that
---@field total_bytes? number bytes of all
---@field min_duration? number seconds of each at least
---@field max_duration? number seconds of each at most
---@field total_duration? number seconds of all
---@field min_pixels? number width and height at least
---@field max_pixels? number width and height at most
---@field sets_output? boolean true: duration and ratio of the order do not count beside it

---A model and its limits, as its documentation has them. What it does not take has no
---field.
---@class starvideos.Model
---@field name? string the model, as --model takes it
---@field endpoint? string path it is ordered at
---@field editions? string[] the editions of the documentation that have it
---@field prompt? starvideos.PromptLimits limits of the prompt
---@field duration? starvideos.DurationLimits limits of the length
---@field ratio? starvideos.ChoiceLimits what ratios there are
---@field resolution? starvideos.ChoiceLimits what resolutions there are
---@field frames? starvideos.FrameLimits first_image and last_image are taken
---@field referenceImages? starvideos.MediaLimits limits of reference images
---@field referenceVideos? starvideos.MediaLimits limits of reference videos
---@field referenceAudios? starvideos.MediaLimits limits of reference sounds

---A fault that a sandbox can play.
---@class starvideos.Scenario
---@field name string for `scenario`, or `[scenario:NAME]` in a prompt
---@field what string what happens
---@field place string what it affects: `life`, `create`, `query` or `media`
---@field counts string whether its N counts requests or seconds
---@field default? number its N where none is given
