-- The order of order.rs on the structures of Redis: companies, their accounts
-- and their queues. Both give the same answers to the same operations, and
-- tests/it/same_order.rs holds them to it: change them together.
--
-- Keys, all under the prefix KEYS[1]:
--   tasks            hash, task -> what take() answers and its place needs
--   running          hash, task -> charge, start, whether it holds a slot, whose
--   started          sorted set of running tasks by their start
--   companies        hash, company -> its account and counts
--   active           set of companies that have something waiting or running
--   any, short, free companies that could run a task now; one that is not
--                    long; one that is not long while they hold no slot.
--                    By account, then by who was served longest ago
--   ready<class>:<company>, delayed<class>:<company>
--                    sorted sets of equal scores, so by the bytes of keys:
--                    rank, acceptance, id
--   delayed          sorted set of tasks by when they become available
--   oldest<class>    sorted set of waiting tasks by their acceptance
--   quiet            companies that had something to do lately, by since when
--                    no more
--   totals           hash: floor, dispatched, running<class>
--   estimates        hash, version -> mean time of its recent runs
--   workers          hash, worker -> its slots, how many are taken, until when it
--                    is believed to live
--   offered, offered:<worker>
--                    tasks that were given out to a worker that has not taken
--                    them yet, by since when

local P, call, floor, max, min = KEYS[1], redis.call, math.floor, math.max, math.min

local KEPT_US, AHEAD, SHARE = 10000000, 10000000000, 4
local NEWEST, REMEMBERED, UNKNOWN_AT_MOST_MS = 0.2, 10000, 60000
local TAG_MAX = 18446744073709551615

-- The order's instant, and how far it is ahead of the caller's clock. In
-- production it is the server's, the same for everybody; instants that the
-- caller gives or is given are put from one into the other.
local now, offset = tonumber(ARGV[2]), 0
if ARGV[3] == 'server' then
    local time = call('TIME')
    offset = time[1] * 1000000 + time[2] - now
    now = now + offset
end

-- Tasks ---------------------------------------------------------------------

local TASK = '>c16c16c25BBI4i8di8i8'

local function read_task(packed)
    local task, priority = {}, nil
    task.company, task.version, task.key, task.class, priority, task.weight,
        task.max_running, task.expected_ms, task.submitted_at, task.available_at =
        struct.unpack(TASK, packed)
    task.id, task.packed = task.key:sub(10), packed
    return task
end

local function task_of(id)
    local packed = call('HGET', P .. 'tasks', id)
    return packed and read_task(packed)
end

-- A duration that was measured or predicted; nonsense counts as none.
local function sane(ms)
    if ms ~= ms or ms == math.huge or ms == -math.huge then return 0 end
    return max(ms, 0)
end

local function predict(task)
    local mean_ms = call('HGET', P .. 'estimates', task.version)
    return mean_ms and tonumber(mean_ms) or min(sane(task.expected_ms), UNKNOWN_AT_MOST_MS)
end

local function learn(version, actual_ms)
    local estimates = P .. 'estimates'
    local mean_ms = call('HGET', estimates, version)
    if not mean_ms and call('HLEN', estimates) >= REMEMBERED then call('UNLINK', estimates) end
    mean_ms = tonumber(mean_ms or actual_ms)
    call('HSET', estimates, version, mean_ms + NEWEST * (actual_ms - mean_ms))
end

-- Companies -----------------------------------------------------------------

local COMPANY = '>' .. ('d'):rep(25)
-- Those of this call; what it changes is written once, at its end.
local known = {}

local function company(id)
    local c = known[id]
    if c then return c end
    local packed = call('HGET', P .. 'companies', id)
    c = { id = id, ready = {}, delayed = {}, passed_ms = {}, within = {} }
    known[id] = c
    if packed then
        c.weight, c.used, c.charged, c.running, c.elapsed_us, c.elapsed_at, c.max_running,
            c.served, c.slots, c.turn, c.turn_tag, c.quiet, c.active,
            c.ready[1], c.ready[2], c.ready[3], c.delayed[1], c.delayed[2], c.delayed[3],
            c.passed_ms[1], c.passed_ms[2], c.passed_ms[3],
            c.within[1], c.within[2], c.within[3] = struct.unpack(COMPANY, packed)
        return c
    end
    c.weight, c.used, c.charged, c.running, c.elapsed_us, c.elapsed_at = 1, 0, 0, 0, 0, now
    c.max_running, c.served, c.slots, c.turn, c.turn_tag, c.quiet, c.active = -1, 0, 0, -1, 0, 0, 0
    for class = 1, 3 do
        c.ready[class], c.delayed[class], c.passed_ms[class], c.within[class] = 0, 0, 0, 0
    end
    return c
end

local function write_companies()
    for id, c in pairs(known) do
        if c.changed then
            call('HSET', P .. 'companies', id, struct.pack(COMPANY,
                c.weight, c.used, c.charged, c.running, c.elapsed_us, c.elapsed_at, c.max_running,
                c.served, c.slots, c.turn, c.turn_tag, c.quiet, c.active,
                c.ready[1], c.ready[2], c.ready[3], c.delayed[1], c.delayed[2], c.delayed[3],
                c.passed_ms[1], c.passed_ms[2], c.passed_ms[3],
                c.within[1], c.within[2], c.within[3]))
        end
    end
end

local function waiting_of(c)
    return c.ready[1] + c.ready[2] + c.ready[3] + c.delayed[1] + c.delayed[2] + c.delayed[3]
end

-- What the task that came last says of its company.
local function configure(c, task)
    c.weight, c.max_running = max(task.weight, 1), task.max_running
end

-- Accounts: nanoseconds of worker time per unit of weight.

local function tag_of(c, ms)
    return floor(min(floor(sane(ms) * 1e6), TAG_MAX) / c.weight)
end

-- Brings what running tasks have used up to this instant. The sum of their
-- times and not of their starts is kept: that of 1,000 starts since 1970 does
-- not fit into a number.
local function advance(c)
    c.elapsed_us = c.elapsed_us + c.running * (now - c.elapsed_at)
    c.elapsed_at = now
end

local function elapsed(c)
    advance(c)
    return floor(max(c.elapsed_us, 0) * 1000 / c.weight)
end

local function received(c)
    return c.used + elapsed(c)
end

local function charge(c, predicted_ms)
    advance(c)
    local tag = tag_of(c, predicted_ms)
    c.charged, c.running = c.charged + tag, c.running + 1
    return tag
end

local function refund(c, run)
    advance(c)
    c.charged, c.running = max(c.charged - run.tag, 0), max(c.running - 1, 0)
    c.elapsed_us = c.elapsed_us - (now - run.started_at)
end

-- Queues of a company.

local function queue(kind, class, c)
    return P .. kind .. class .. ':' .. c.id
end

local function insert(c, class, key, kind)
    c[kind][class] = c[kind][class] + call('ZADD', queue(kind, class, c), 0, key)
end

local function withdraw(c, class, key, kind)
    local gone = call('ZREM', queue(kind, class, c), key)
    c[kind][class] = c[kind][class] - gone
    return gone == 1
end

local function forget(c, class, key)
    return withdraw(c, class, key, 'ready') or withdraw(c, class, key, 'delayed')
end

-- The task of the company that is next.
local function next_of(c, allow_long)
    local ahead, owed
    for class = 1, allow_long and 3 or 2 do
        if c.ready[class] > 0 and (not ahead or c.passed_ms[class] > 0) then
            local id = call('ZRANGE', queue('ready', class, c), 0, 0)[1]:sub(10)
            if not ahead then
                ahead = id
            elseif c.passed_ms[class] >= SHARE * max(predict(task_of(id)), 1) then
                owed = id
            end
        end
    end
    return owed or ahead
end

-- Turns ---------------------------------------------------------------------

local SETS = { 'any', 'short', 'free' }

-- The name under which a company stands in line: among equal accounts the
-- one goes first that was served longest ago.
local function in_line(c, served)
    return struct.pack('>I8', served) .. c.id
end

local function first_of(set)
    local first = call('ZRANGE', P .. set, 0, 0)[1]
    return first and company(first:sub(9))
end

-- Where a company enters that begins to compete: what the first in line has
-- really received, and never behind it.
local function level()
    local lowest = tonumber(call('HGET', P .. 'totals', 'floor') or 0)
    local first = first_of('any')
    return first and min(max(lowest, received(first)), first.turn_tag) or lowest
end

-- Gives a company its turn by its account, or takes it away where it has
-- nothing that may run.
local function refresh(c)
    c.changed = true
    local room = c.max_running < 0 or c.running < c.max_running
    local short = room and c.ready[1] + c.ready[2] > 0
    local any = short or room and c.ready[3] > 0
    local before, after = c.turn, any and c.served or -1
    if any and before < 0 then
        c.used = max(c.used, level() - elapsed(c))
    end
    local waits = waiting_of(c)
    if c.served > 0 and c.slots == 0 and waits == 0 then
        call('ZADD', P .. 'quiet', now, c.id)
        c.quiet = 1
    elseif c.quiet == 1 then
        call('ZREM', P .. 'quiet', c.id)
        c.quiet = 0
    end
    local tag = c.used + c.charged
    local is = { any, short, short and c.slots == 0 }
    for i, set in ipairs(SETS) do
        if c.within[i] == 1 and (not is[i] or before ~= after) then
            call('ZREM', P .. set, in_line(c, before))
            c.within[i] = 0
        end
        if is[i] and (c.within[i] == 0 or tag ~= c.turn_tag) then
            call('ZADD', P .. set, tag, in_line(c, after))
            c.within[i] = 1
        end
    end
    c.turn, c.turn_tag = after, tag
    local active = waits + c.running > 0 and 1 or 0
    if active ~= c.active then
        call(active == 1 and 'SADD' or 'SREM', P .. 'active', c.id)
        c.active = active
    end
end

-- Whose turn it is, where the slot that is offered is the `last` or not.
local function whose_turn(last)
    local first = first_of(last and 'short' or 'any')
    if not first or not last then return first end
    local without = first_of('free')
    if call('ZCARD', P .. 'quiet') > 0 then return without end
    local near = without and without.turn_tag <= first.turn_tag + AHEAD
    return near and without or first
end
