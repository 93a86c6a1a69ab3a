--- What cannot run on Windows, and why: a file of specs, or specs of a file by
-- their full names. Each is run none the less and must fail, so that the list
-- stays true.

return {
  ["spec/integration/libcurl_spec.lua"] = "puts a libcurl of another version"
    .. " before the real one with LD_PRELOAD",
}
