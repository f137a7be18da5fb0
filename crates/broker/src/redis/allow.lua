-- A rate limit by GCRA (rates.rs): one instant for each key, that of the next
-- request had they come evenly. KEYS[1] is the key; ARGV holds the caller's
-- instant and whose clock counts, the time for each request and the window in
-- microseconds, and what the request costs.

local now = tonumber(ARGV[1])
if ARGV[2] == 'server' then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local each, window = tonumber(ARGV[3]), tonumber(ARGV[4])
local ahead = math.max((tonumber(redis.call('GET', KEYS[1])) or now) - now, 0)
local next_ahead = ahead + each * ARGV[5]
if next_ahead > window then
    return { 0, ahead, next_ahead - window }
end
redis.call('SET', KEYS[1], now + next_ahead, 'PX', math.ceil(next_ahead / 1000) + 1)
return { 1, next_ahead, 0 }
