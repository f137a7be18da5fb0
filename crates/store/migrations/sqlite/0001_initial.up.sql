-- Ids are UUIDs of 16 bytes, instants are microseconds since 1970 in UTC,
-- digests are SHA-256 of 32 bytes, JSON is text that is never rewritten.
-- What belongs to a company is keyed (company_id, id), and foreign keys carry
-- company_id: a row cannot point into another company.

CREATE TABLE companies (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    weight REAL NOT NULL,
    max_running INTEGER,
    max_queued INTEGER,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

-- The name of a deleted company is free again.
CREATE UNIQUE INDEX companies_name ON companies (name) WHERE deleted_at IS NULL;

-- The last number given to an event of a company. A counter, and not the
-- greatest number in the table: erased events must never lend theirs again.
CREATE TABLE event_counters (
    company_id BLOB NOT NULL PRIMARY KEY REFERENCES companies (id),
    last_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX users_name ON users (name);

-- A membership that ended keeps its row: tasks and tokens refer to it.
CREATE TABLE memberships (
    company_id BLOB NOT NULL REFERENCES companies (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('member', 'company_admin', 'admin')),
    created_at INTEGER NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (company_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    company_id BLOB NOT NULL,
    id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    name TEXT NOT NULL,
    secret_sha256 BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
) STRICT;

-- Authentication knows nothing but the hash.
CREATE UNIQUE INDEX tokens_secret ON tokens (secret_sha256);

CREATE TABLE functions (
    company_id BLOB NOT NULL REFERENCES companies (id),
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    -- The newest version by semver precedence, which SQL cannot order by; no
    -- value only between the two inserts of a first deployment.
    newest_version_id BLOB,
    -- Of the newest version, for listings: name and description in lower
    -- case as Rust makes it (SQLite lowers ASCII alone), tags as a JSON list.
    search_text TEXT NOT NULL,
    tags TEXT NOT NULL,
    category TEXT,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, newest_version_id) REFERENCES versions (company_id, id)
) STRICT;

-- Look-up by name; the name of a deleted function is free again.
CREATE UNIQUE INDEX functions_name ON functions (company_id, name) WHERE deleted_at IS NULL;

CREATE TABLE deployments (
    company_id BLOB NOT NULL,
    id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('running', 'deployed', 'failed')),
    upload BLOB NOT NULL,
    name TEXT,
    version_id BLOB,
    stages TEXT NOT NULL,
    faults TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    completed_at INTEGER,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id),
    FOREIGN KEY (company_id, version_id) REFERENCES versions (company_id, id)
) STRICT;

-- What a crash cut off is looked for once, at the start.
CREATE INDEX deployments_running ON deployments (id) WHERE status = 'running';

CREATE TABLE versions (
    company_id BLOB NOT NULL,
    id BLOB NOT NULL,
    function_id BLOB NOT NULL,
    number TEXT NOT NULL,
    archive BLOB NOT NULL,
    manifest TEXT NOT NULL,
    environment BLOB NOT NULL,
    python TEXT NOT NULL,
    python_full TEXT NOT NULL,
    lock TEXT NOT NULL,
    shared_environment INTEGER NOT NULL CHECK (shared_environment IN (0, 1)),
    imports TEXT NOT NULL,
    warnings TEXT NOT NULL,
    deployment_id BLOB NOT NULL,
    created_by BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, function_id) REFERENCES functions (company_id, id),
    FOREIGN KEY (company_id, deployment_id) REFERENCES deployments (company_id, id),
    FOREIGN KEY (company_id, created_by) REFERENCES memberships (company_id, user_id)
) STRICT;

-- A number is given once; look-up of `name@version`.
CREATE UNIQUE INDEX versions_number ON versions (company_id, function_id, number);
-- The same content is deployed once.
CREATE UNIQUE INDEX versions_archive ON versions (company_id, function_id, archive);
-- The versions of a function, newest first.
CREATE INDEX versions_function ON versions (company_id, function_id, id);

-- A claim finds its task by the primary key, and a company's listing, newest
-- first, walks that key backwards: ids are in the order of creation. Listings
-- narrowed to a user walk it too, and skip.
CREATE TABLE tasks (
    company_id BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    user_id BLOB NOT NULL,
    function_id BLOB NOT NULL,
    version_id BLOB NOT NULL,
    version_number TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    class TEXT NOT NULL CHECK (class IN ('high_priority', 'default', 'long_running')),
    expected_ms REAL NOT NULL,
    timeout_ms INTEGER NOT NULL,
    retry_max_attempts INTEGER NOT NULL,
    retry_backoff_s INTEGER NOT NULL,
    retry_on_user_error INTEGER NOT NULL CHECK (retry_on_user_error IN (0, 1)),
    attempt INTEGER NOT NULL,
    worker_id BLOB,
    cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    created_at INTEGER NOT NULL,
    available_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    progress TEXT,
    non_finite TEXT NOT NULL,
    error TEXT,
    warnings TEXT NOT NULL,
    startup_ms REAL,
    execution_ms REAL,
    cpu_ms REAL,
    peak_memory_bytes INTEGER,
    warm INTEGER CHECK (warm IN (0, 1)),
    cached INTEGER NOT NULL CHECK (cached IN (0, 1)),
    cache_key BLOB,
    deleted_at INTEGER,
    result_bytes INTEGER,
    result_digest BLOB,
    -- Last, so that whatever does not need it does not read past it.
    result BLOB,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id),
    FOREIGN KEY (company_id, function_id) REFERENCES functions (company_id, id),
    FOREIGN KEY (company_id, version_id) REFERENCES versions (company_id, id)
) STRICT;

-- The queue's rebuild reads what is queued, oldest first, over all companies;
-- counts by state read the index alone.
CREATE INDEX tasks_state ON tasks (state, id) WHERE deleted_at IS NULL;
-- A company's listing narrowed to a state: what runs or failed among many
-- that completed.
CREATE INDEX tasks_company_state ON tasks (company_id, state, id)
    WHERE deleted_at IS NULL AND state <> 'completed';
-- The runs of a function, newest first.
CREATE INDEX tasks_function ON tasks (company_id, function_id, id);
-- The last durations of a version are read from the index alone.
CREATE INDEX tasks_durations ON tasks (company_id, version_id, completed_at, execution_ms)
    WHERE state = 'completed' AND cached = 0;
-- The newest result under a cache key; only functions that ask for it pay.
CREATE INDEX tasks_cache ON tasks (company_id, version_id, cache_key, completed_at)
    WHERE cache_key IS NOT NULL AND state = 'completed' AND cached = 0;

-- Apart from the task: an update writes its whole row anew, and inputs can be
-- large.
CREATE TABLE task_inputs (
    company_id BLOB NOT NULL,
    task_id BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    digest BLOB,
    body BLOB,
    PRIMARY KEY (company_id, task_id),
    FOREIGN KEY (company_id, task_id) REFERENCES tasks (company_id, id)
) STRICT, WITHOUT ROWID;

-- Attempts at whatever a worker executes, and their leases. What `resource_id`
-- refers to depends on `kind`, so it is no foreign key.
CREATE TABLE attempts (
    company_id BLOB NOT NULL REFERENCES companies (id),
    kind TEXT NOT NULL CHECK (kind IN ('task')),
    resource_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    token BLOB NOT NULL,
    worker_id BLOB NOT NULL,
    lease_until INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    -- How it ended: a final state, `retried` or `lost`.
    outcome TEXT,
    error TEXT,
    PRIMARY KEY (company_id, kind, resource_id, number)
) STRICT, WITHOUT ROWID;

-- The earliest lease and those that ran out; holds no more than what runs.
CREATE INDEX attempts_lease ON attempts (lease_until) WHERE ended_at IS NULL;

CREATE TABLE artifacts (
    company_id BLOB NOT NULL,
    id BLOB NOT NULL,
    task_id BLOB NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, task_id) REFERENCES tasks (company_id, id)
) STRICT;

CREATE INDEX artifacts_task ON artifacts (company_id, task_id, id);

CREATE TABLE files (
    company_id BLOB NOT NULL,
    id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
) STRICT;

-- The primary key is the order in which a company's events are read.
CREATE TABLE events (
    company_id BLOB NOT NULL REFERENCES companies (id),
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    resource_id BLOB NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (company_id, seq)
) STRICT, WITHOUT ROWID;

-- The events of one task or deployment.
CREATE INDEX events_resource ON events (company_id, resource_id, seq);

CREATE TABLE idempotency_keys (
    company_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    key TEXT NOT NULL,
    request BLOB NOT NULL,
    reserved_at INTEGER NOT NULL,
    status INTEGER,
    body BLOB,
    PRIMARY KEY (company_id, user_id, key),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
) STRICT, WITHOUT ROWID;

-- Keys older than a day are swept by the reservations that follow.
CREATE INDEX idempotency_keys_age ON idempotency_keys (reserved_at);

CREATE TABLE workers (
    id BLOB NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    slots INTEGER NOT NULL,
    draining INTEGER NOT NULL CHECK (draining IN (0, 1)),
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
