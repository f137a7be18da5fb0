-- Which worker gets a task: the one where its version is warm, if it is free.
-- The order decides which task is next before anybody looks at workers. Each
-- version has its own ranking of workers by a hash (rendezvous hashing, Thaler
-- and Ravishankar 1996); the first that has a free slot is offered the task,
-- and has GRACE_US to take it before anybody else may.

local GRACE_US, LIVES_US = 25000, 15000000
local WORKER = '>ddd'
-- Where nobody says which worker it is.
local NOBODY = ('\0'):rep(16)

local function write_worker(id, worker)
    call('HSET', P .. 'workers', id,
        struct.pack(WORKER, worker.slots, worker.taken, worker.until_us))
end

local function read_worker(packed)
    local worker = {}
    worker.slots, worker.taken, worker.until_us = struct.unpack(WORKER, packed)
    return worker
end

-- Counts slots of a worker as taken, or as free again.
local function take_slots(id, slots)
    local packed = call('HGET', P .. 'workers', id)
    if not packed then return end
    local worker = read_worker(packed)
    worker.taken = max(worker.taken + slots, 0)
    write_worker(id, worker)
end

-- The worker that is to run a version, where `own` offers a slot that is the
-- `last` of its own or not. A last slot counts for others as it does for it.
local function preferred(version, last, own)
    local best, highest = own, -1
    local all = call('HGETALL', P .. 'workers')
    for i = 1, #all, 2 do
        local id, worker = all[i], read_worker(all[i + 1])
        local free = worker.slots - worker.taken
        local is_last = free == 1 and worker.slots > 1
        if worker.until_us <= now then
            call('HDEL', P .. 'workers', id)
        elseif id == own or free > 0 and (last or not is_last) then
            local rank = tonumber(redis.sha1hex(version .. id):sub(1, 13), 16)
            if rank > highest then best, highest = id, rank end
        end
    end
    return best
end

local function offer(id, worker)
    call('ZADD', P .. 'offered', now, id)
    call('ZADD', P .. 'offered:' .. worker, now, id)
end

local function withdraw_offer(id, worker)
    call('ZREM', P .. 'offered', id)
    call('ZREM', P .. 'offered:' .. worker, id)
end

-- What was offered to the worker, or to one that did not take it in time.
local function offered_to(worker)
    return call('ZRANGE', P .. 'offered:' .. worker, 0, 0)[1]
        or call('ZRANGEBYSCORE', P .. 'offered', '-inf', now - GRACE_US, 'LIMIT', 0, 1)[1]
end
