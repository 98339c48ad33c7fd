-- A page of entries in the order of their keys.
-- ARGV: base, marker key ('' for none), marker, space, 'order' or 'tagged', lower and upper end, '1' for the largest first,
-- how many, bytes of a member before its key.
-- Returns the marker's state (1, or 0 where it is not there), the last member, then keys and values by turns.
local base = ARGV[1]
if ARGV[2] ~= '' and redis.call('GET', base .. ARGV[2]) ~= ARGV[3] then
  return { '0' }
end
local space = base .. ARGV[4] .. ':'
local members
if ARGV[8] == '1' then
  members = redis.call('ZRANGE', space .. ARGV[5], ARGV[7], ARGV[6], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[9])
else
  members = redis.call('ZRANGE', space .. ARGV[5], ARGV[6], ARGV[7], 'BYLEX', 'LIMIT', 0, ARGV[9])
end
if #members == 0 then
  return { '1', '' }
end
local keys = {}
for i, member in ipairs(members) do
  keys[i] = string.sub(member, ARGV[10] + 1)
end
local values = redis.call('HMGET', space .. 'values', unpack(keys))
local page = { '1', members[#members] }
for i, key in ipairs(keys) do
  if values[i] then
    page[#page + 1] = key
    page[#page + 1] = values[i]
  end
end
return page
