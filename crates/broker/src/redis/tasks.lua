-- The life of a task: waits, runs, and is forgotten.

local RUN = '>ddBc16'

-- Makes delayed tasks available whose time has come, and forgets companies
-- that have had nothing to do for long.
local function promote()
    call('ZREMRANGEBYSCORE', P .. 'quiet', '-inf', now - KEPT_US)
    local due
    repeat
        due = call('ZRANGEBYSCORE', P .. 'delayed', '-inf', now, 'LIMIT', 0, 1000)
        for _, id in ipairs(due) do
            call('ZREM', P .. 'delayed', id)
            local task = task_of(id)
            local c = company(task.company)
            if withdraw(c, task.class, task.key, 'delayed') then
                insert(c, task.class, task.key, 'ready')
            end
            refresh(c)
        end
    until #due < 1000
end

-- Adds a task; nil where it waits or runs already.
local function add(task)
    if call('HSETNX', P .. 'tasks', task.id, task.packed) == 0 then return nil end
    local c, due = company(task.company), task.available_at + offset
    configure(c, task)
    insert(c, task.class, task.key, due > now and 'delayed' or 'ready')
    call('ZADD', P .. 'oldest' .. task.class, task.submitted_at, task.id)
    if due > now then call('ZADD', P .. 'delayed', due, task.id) end
    refresh(c)
    return task
end

-- Notes a task as running, and its company as the one served last.
local function run(c, task, predicted_ms, worker)
    c.served = call('HINCRBY', P .. 'totals', 'dispatched', 1)
    c.slots = c.slots + 1
    local tag = charge(c, predicted_ms)
    call('HSET', P .. 'running', task.id, struct.pack(RUN, tag, now, 1, worker))
    take_slots(worker, 1)
    call('ZADD', P .. 'started', now, task.id)
    call('HINCRBY', P .. 'totals', 'running' .. task.class, 1)
end

local function dispatch(c, id, worker)
    local task = task_of(id)
    local predicted_ms = predict(task)
    if first_of('any') == c then
        local lowest = tonumber(call('HGET', P .. 'totals', 'floor') or 0)
        call('HSET', P .. 'totals', 'floor', max(lowest, received(c)))
    end
    forget(c, task.class, task.key)
    c.passed_ms[task.class] = 0
    for class = task.class + 1, 3 do
        c.passed_ms[class] = c.ready[class] == 0 and 0 or c.passed_ms[class] + predicted_ms
    end
    run(c, task, predicted_ms, worker)
    call('ZREM', P .. 'oldest' .. task.class, id)
    refresh(c)
    return task
end

-- What is known of a running task.
local function run_of(id)
    local packed = call('HGET', P .. 'running', id)
    if not packed then return nil end
    local run = {}
    run.tag, run.started_at, run.in_slot, run.worker = struct.unpack(RUN, packed)
    return run
end

local function write_run(id, run)
    call('HSET', P .. 'running', id,
        struct.pack(RUN, run.tag, run.started_at, run.in_slot, run.worker))
end

-- Takes a running task off the books of its class; what is left to do is its
-- company's account. nil where it doesn't run.
local function stop(id)
    local run = run_of(id)
    if not run then return nil end
    local task = task_of(id)
    local c = company(task.company)
    call('HDEL', P .. 'running', id)
    call('ZREM', P .. 'started', id)
    call('HINCRBY', P .. 'totals', 'running' .. task.class, -1)
    c.slots = max(c.slots - run.in_slot, 0)
    take_slots(run.worker, -run.in_slot)
    withdraw_offer(id, run.worker)
    return task, c, run
end

local function remove(id)
    local task, c, run = stop(id)
    if run then
        refund(c, run)
    else
        task = task_of(id)
        if not task then return false end
        c = company(task.company)
        forget(c, task.class, task.key)
        call('ZREM', P .. 'delayed', id)
        call('ZREM', P .. 'oldest' .. task.class, id)
    end
    call('HDEL', P .. 'tasks', id)
    refresh(c)
    return true
end

local function hand_back(id)
    local task, c, run = stop(id)
    if not run then return false end
    refund(c, run)
    insert(c, task.class, task.key, 'ready')
    call('ZADD', P .. 'oldest' .. task.class, task.submitted_at, id)
    refresh(c)
    return true
end
