-- Lets a lease end in so many milliseconds, if nobody took it since; 0 gives it back. KEYS: the lease.
-- ARGV: token and owner as they are kept, milliseconds. Returns whether it was still held.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
