-- Writes entries, all or none.
-- ARGV: base, marker key ('' for none), marker, then of each entry: space, key, tag, '1' or '0' for removal, value, and the
-- field whose number only grows ('' for none): what is there and has a larger one stays; '*': whatever is there stays.
-- Returns 0 where the marker is not there: then nothing is written.
--
-- A space is five keys: values (key -> value), tags (key -> tag), order (keys, by their bytes), tagged (tag and key, by
-- their bytes), counts (tag -> how many).
local base = ARGV[1]
if ARGV[2] ~= '' and redis.call('GET', base .. ARGV[2]) ~= ARGV[3] then
  return 0
end
-- A command that fails in the middle would leave what came before it: what can make one fail is looked at first.
local kinds = { values = 'hash', tags = 'hash', order = 'zset', tagged = 'zset', counts = 'hash' }
local looked = {}
for i = 4, #ARGV, 6 do
  if not looked[ARGV[i]] then
    looked[ARGV[i]] = true
    for name, kind in pairs(kinds) do
      local found = redis.call('TYPE', base .. ARGV[i] .. ':' .. name)['ok']
      if found ~= 'none' and found ~= kind then
        return redis.error_reply('DAMAGED ' .. base .. ARGV[i] .. ':' .. name .. ' is a ' .. found .. ': delete it')
      end
    end
  end
end
local function number(value, field)
  local sound, object = pcall(cjson.decode, value)
  return sound and type(object) == 'table' and tonumber(object[field]) or 0
end

local function put(space, key, tag, keep, value)
  local old = redis.call('HGET', space .. 'tags', key)
  if old and not (keep and old == tag) then
    redis.call('ZREM', space .. 'tagged', #old .. ':' .. old .. ':' .. key)
    if redis.call('HINCRBY', space .. 'counts', old, -1) <= 0 then
      redis.call('HDEL', space .. 'counts', old)
    end
  end
  if keep then
    if old ~= tag then
      redis.call('HSET', space .. 'tags', key, tag)
      redis.call('ZADD', space .. 'tagged', 0, #tag .. ':' .. tag .. ':' .. key)
      redis.call('HINCRBY', space .. 'counts', tag, 1)
      redis.call('ZADD', space .. 'order', 0, key)
    end
    redis.call('HSET', space .. 'values', key, value)
  elseif old then
    redis.call('ZREM', space .. 'order', key)
    redis.call('HDEL', space .. 'values', key)
    redis.call('HDEL', space .. 'tags', key)
  end
end

-- Whether what is there has a larger number: whoever writes has not seen what was written since.
local function late(space, key, value, field)
  local there = field ~= '' and redis.call('HGET', space .. 'values', key)
  return there and (field == '*' or number(there, field) > number(value, field))
end

for i = 4, #ARGV, 6 do
  local space, key, tag, keep = base .. ARGV[i] .. ':', ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] == '1'
  if not late(space, key, ARGV[i + 4], ARGV[i + 5]) then
    put(space, key, tag, keep, ARGV[i + 4])
  end
end
return 1
