-- What the port's operations do with the order. Every call is one round trip:
-- ARGV holds the operation, the caller's instant, whose clock counts, the
-- caller's process and then what the operation takes.

-- A place is promised for this long: its holder may have died.
local HELD_US = 60000000
-- A take whose answer was lost is given up within this time.
local TAKEN_MS = 30000
-- Ends of tasks are remembered for this long while the order is rebuilt, so
-- that nobody notes a task as running that has just ended.
local ENDED_MS = 60000

local me = ARGV[4]
local is_forgotten = call('EXISTS', P .. 'epoch') == 0
local woken = 0

-- Wakes whoever waits for work, in this process (by the answer) and others.
local function wake()
    woken = 1
    call('PUBLISH', P .. 'told', me .. 'W')
end

-- The same, where a task that waits may run now.
local function wake_for_room()
    if call('ZCARD', P .. 'any') > 0 then wake() end
end

-- Notes the end of a task while the order is rebuilt.
local function note_end(id)
    if is_forgotten then
        call('SADD', P .. 'ended', id)
        call('PEXPIRE', P .. 'ended', ENDED_MS)
    end
end

local function give_back(place)
    call('ZREM', P .. 'held', place)
    call('ZREM', P .. 'held:' .. place:sub(1, 16), place)
end

local operations = {}

-- place (company and a number of its own), most of the company or -1, limit,
-- places that were given back
function operations.admit(place, most, limit, ...)
    for _, other in ipairs({ ... }) do give_back(other) end
    local id = place:sub(1, 16)
    local all, own = P .. 'held', P .. 'held:' .. id
    call('ZREMRANGEBYSCORE', all, '-inf', now)
    call('ZREMRANGEBYSCORE', own, '-inf', now)
    local queued = call('ZCARD', all)
    for class = 1, 3 do queued = queued + call('ZCARD', P .. 'oldest' .. class) end
    if queued >= tonumber(limit) then return { 'full', queued } end
    queued = waiting_of(company(id)) + call('ZCARD', own)
    most = tonumber(most)
    if most >= 0 and queued >= most then return { 'company full', queued } end
    call('ZADD', all, now + HELD_US, place)
    call('ZADD', own, now + HELD_US, place)
    call('PEXPIRE', own, HELD_US / 1000)
    return { 'held' }
end

function operations.give_back(...)
    for _, place in ipairs({ ... }) do give_back(place) end
end

function operations.enqueue(packed)
    if add(read_task(packed)) then wake() end
end

-- What was offered to the worker, or to another in vain, is its own now, if it
-- may run in its slot. Who did not take it in time is offered nothing more
-- before it says that it is present.
local function accept(id, worker, last)
    local run = run_of(id)
    if run.worker ~= worker and last and task_of(id).class == 3 then return nil end
    withdraw_offer(id, run.worker)
    if run.worker == worker then return id end
    take_slots(run.worker, math.huge)
    take_slots(worker, 1)
    run.worker = worker
    write_run(id, run)
    return id
end

-- A name for this take, in case its answer gets lost; whether the slot is the
-- last of several; whose it is
function operations.take(name, last, worker)
    promote()
    last = last == '1'
    local id = offered_to(worker)
    id = id and accept(id, worker, last)
    while not id do
        local c = whose_turn(last)
        id = c and next_of(c, not last)
        if not id then return false end
        local chosen = worker == NOBODY and worker or preferred(task_of(id).version, last, worker)
        dispatch(c, id, chosen)
        if chosen ~= worker then
            offer(id, chosen)
            woken = 1
            call('PUBLISH', P .. 'told', me .. 'O' .. chosen)
            id = nil
        end
    end
    call('SET', P .. 'taken:' .. name, id, 'PX', TAKEN_MS)
    return call('HGET', P .. 'tasks', id)
end

function operations.present(worker, slots, free)
    local taken = slots - free + call('ZCARD', P .. 'offered:' .. worker)
    write_worker(worker, { slots = slots, taken = taken, until_us = now + LIVES_US })
end

function operations.absent(worker)
    call('HDEL', P .. 'workers', worker)
end

function operations.take_directly(packed, last, worker)
    local task = read_task(packed)
    if task.available_at + offset > now or not add(task) then return 0 end
    promote()
    local c = whose_turn(last == '1')
    if c and next_of(c, last ~= '1') == task.id then
        dispatch(c, task.id, worker)
        return 1
    end
    remove(task.id)
    return 0
end

-- Nobody got what was taken under this name.
function operations.untake(name)
    local id = call('GET', P .. 'taken:' .. name)
    call('DEL', P .. 'taken:' .. name)
    if id and hand_back(id) then wake() end
end

function operations.vacate(id)
    local run = run_of(id)
    if not run or run.in_slot == 0 then return end
    run.in_slot = 0
    write_run(id, run)
    take_slots(run.worker, -1)
    local c = company(task_of(id).company)
    c.slots = max(c.slots - 1, 0)
    refresh(c)
end

function operations.settle(id, actual_ms)
    note_end(id)
    local task, c, run = stop(id)
    if not run then return end
    call('HDEL', P .. 'tasks', id)
    actual_ms = sane(tonumber(actual_ms))
    learn(task.version, actual_ms)
    refund(c, run)
    c.used = c.used + tag_of(c, actual_ms)
    refresh(c)
    wake_for_room()
end

function operations.hand_back(id)
    if not hand_back(id) then return 0 end
    wake()
    return 1
end

function operations.remove(id)
    note_end(id)
    if not remove(id) then return 0 end
    wake_for_room()
    return 1
end

function operations.note_running(packed)
    local task = read_task(packed)
    if call('SISMEMBER', P .. 'ended', task.id) == 1 then return end
    if call('HSETNX', P .. 'tasks', task.id, packed) == 0 then return end
    local c = company(task.company)
    configure(c, task)
    run(c, task, predict(task), NOBODY)
    refresh(c)
end

-- The `most` that run longest of those that have run for `age_us`.
function operations.longest_running(age_us, most)
    local ids = call('ZRANGEBYSCORE', P .. 'started', '-inf', now - age_us, 'LIMIT', 0, most)
    for i, id in ipairs(ids) do ids[i] = task_of(id).packed end
    return ids
end

function operations.position(id, of)
    local task = task_of(of)
    if not task or task.company ~= id or run_of(of) then return false end
    local c, below = company(id), '(' .. task.key
    return call('ZLEXCOUNT', queue('ready', task.class, c), '-', below)
        + call('ZLEXCOUNT', queue('delayed', task.class, c), '-', below)
end

function operations.depths()
    local answer = {}
    for class = 1, 3 do
        local oldest = P .. 'oldest' .. class
        answer[class] = {
            call('ZCARD', oldest),
            tonumber(call('HGET', P .. 'totals', 'running' .. class) or 0),
            tonumber(call('ZRANGE', oldest, 0, 0, 'WITHSCORES')[2]) or false,
        }
    end
    for _, id in ipairs(call('SMEMBERS', P .. 'active')) do
        local c = company(id)
        answer[#answer + 1] = { id, waiting_of(c), c.running }
    end
    return answer
end

-- The keys are for the caller to sort: Lua compares by the server's locale.
function operations.line(id, first)
    local c, answer = company(id), {}
    for class = 1, tonumber(first) > 0 and 3 or 0 do
        local keys = call('ZRANGE', queue('ready', class, c), 0, first - 1)
        for _, key in ipairs(call('ZRANGE', queue('delayed', class, c), 0, first - 1)) do
            keys[#keys + 1] = key
        end
        answer[class] = keys
    end
    return { waiting_of(c), c.running, answer }
end

function operations.next_available_at()
    local at = tonumber(call('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')[2])
    if call('ZCARD', P .. 'short') > 0 then
        local since = tonumber(call('ZREVRANGE', P .. 'quiet', 0, 0, 'WITHSCORES')[2])
        if since then at = min(at or math.huge, since + KEPT_US) end
    end
    local offered = tonumber(call('ZRANGE', P .. 'offered', 0, 0, 'WITHSCORES')[2])
    if offered then at = min(at or math.huge, offered + GRACE_US) end
    return at and at - offset or false
end

-- Whether the holder of `token` rebuilds the order, for `ttl_ms` more; one
-- that led before and no longer does has lost what it rebuilt.
function operations.lead(token, ttl_ms, led_before)
    local leader = call('GET', P .. 'leader')
    if not is_forgotten or leader ~= (led_before == '1' and token) then return 0 end
    call('SET', P .. 'leader', token, 'PX', ttl_ms)
    return 1
end

-- Ends the rebuilding; whether the holder of `token` still led it.
function operations.rebuilt(token)
    if call('GET', P .. 'leader') ~= token then return 0 end
    call('SET', P .. 'epoch', token)
    call('DEL', P .. 'leader', P .. 'ended')
    is_forgotten = false
    return 1
end

-- Leaves the rebuilding to another process.
function operations.resign(token)
    if call('GET', P .. 'leader') == token then call('DEL', P .. 'leader') end
end

-- Has the order rebuilt: this process could not say all that happened to it.
function operations.forget()
    call('DEL', P .. 'epoch')
    is_forgotten = true
end

function operations.look() end

local answer = operations[ARGV[1]](unpack(ARGV, 5))
write_companies()
return { is_forgotten and 1 or 0, woken, answer or false }
