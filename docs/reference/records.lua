-- What the command prints as JSON, as docs/command-line.md has it: by the name of each
-- object its fields, of name and meaning, and `of` where it holds further objects.

local records, fields = {}, nil

local LINK = " %(%[([%l ]+)%]%(#json%-[%l-]+%)%)$"

for line in io.lines "docs/command-line.md" do
  local field, meaning = line:match "^| `([%w_]+)` | (.+) |$"
  if line:find "^#" then
    local name = line:match "^### JSON: (.+)$"
    fields = name and {}
    if name then
      records[(name:gsub(" ", "_"))] = fields
    end
  elseif fields and field then
    local of = meaning:match(LINK)
    fields[#fields + 1] = { field, (meaning:gsub(LINK, ""):gsub("\\|", "|")),
      of = of and (of:gsub(" ", "_")) or nil }
  end
end

return records
