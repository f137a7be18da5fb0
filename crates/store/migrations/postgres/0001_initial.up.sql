-- Ids are UUIDs, instants are microseconds since 1970 in UTC,
-- digests are SHA-256 of 32 bytes, JSON is `json`,
-- which keeps the text as it came (`jsonb` would not).
-- What belongs to a company is keyed (company_id, id), and foreign keys carry
-- company_id: a row cannot point into another company.

CREATE TABLE companies (
    id uuid NOT NULL PRIMARY KEY,
    name text NOT NULL,
    weight double precision NOT NULL,
    max_running bigint,
    max_queued bigint,
    created_at bigint NOT NULL,
    deleted_at bigint
);

-- The name of a deleted company is free again.
CREATE UNIQUE INDEX companies_name ON companies (name) WHERE deleted_at IS NULL;

-- The last number given to an event of a company. A counter, and not the
-- greatest number in the table: erased events must never lend theirs again.
CREATE TABLE event_counters (
    company_id uuid NOT NULL PRIMARY KEY REFERENCES companies (id),
    last_seq bigint NOT NULL
);

CREATE TABLE users (
    id uuid NOT NULL PRIMARY KEY,
    name text NOT NULL,
    created_at bigint NOT NULL
);

CREATE UNIQUE INDEX users_name ON users (name);

-- A membership that ended keeps its row: tasks and tokens refer to it.
CREATE TABLE memberships (
    company_id uuid NOT NULL REFERENCES companies (id),
    user_id uuid NOT NULL REFERENCES users (id),
    role text NOT NULL CHECK (role IN ('member', 'company_admin', 'admin')),
    created_at bigint NOT NULL,
    removed_at bigint,
    PRIMARY KEY (company_id, user_id)
);

CREATE TABLE tokens (
    company_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
);

-- Authentication knows nothing but the hash.
CREATE UNIQUE INDEX tokens_secret ON tokens (secret_sha256);

CREATE TABLE functions (
    company_id uuid NOT NULL REFERENCES companies (id),
    id uuid NOT NULL,
    name text NOT NULL,
    -- The newest version by semver precedence, which SQL cannot order by; no
    -- value only between the two inserts of a first deployment.
    newest_version_id uuid,
    -- Of the newest version, for listings: name and description in lower
    -- case as Rust makes it (SQLite lowers ASCII alone), tags as a JSON list.
    search_text text NOT NULL,
    tags json NOT NULL,
    category text,
    created_at bigint NOT NULL,
    deleted_at bigint,
    PRIMARY KEY (company_id, id)
);

-- Look-up by name; the name of a deleted function is free again.
CREATE UNIQUE INDEX functions_name ON functions (company_id, name) WHERE deleted_at IS NULL;

CREATE TABLE deployments (
    company_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('running', 'deployed', 'failed')),
    upload bytea NOT NULL,
    name text,
    version_id uuid,
    stages json NOT NULL,
    faults json NOT NULL,
    created_at bigint NOT NULL,
    completed_at bigint,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
);

-- What a crash cut off is looked for once, at the start.
CREATE INDEX deployments_running ON deployments (id) WHERE status = 'running';

CREATE TABLE versions (
    company_id uuid NOT NULL,
    id uuid NOT NULL,
    function_id uuid NOT NULL,
    number text NOT NULL,
    archive bytea NOT NULL,
    manifest json NOT NULL,
    environment bytea NOT NULL,
    python text NOT NULL,
    python_full text NOT NULL,
    lock text NOT NULL,
    shared_environment boolean NOT NULL,
    imports json NOT NULL,
    warnings json NOT NULL,
    deployment_id uuid NOT NULL,
    created_by uuid NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, function_id) REFERENCES functions (company_id, id),
    FOREIGN KEY (company_id, deployment_id) REFERENCES deployments (company_id, id),
    FOREIGN KEY (company_id, created_by) REFERENCES memberships (company_id, user_id)
);

-- A number is given once; look-up of `name@version`.
CREATE UNIQUE INDEX versions_number ON versions (company_id, function_id, number);
-- The same content is deployed once.
CREATE UNIQUE INDEX versions_archive ON versions (company_id, function_id, archive);
-- The versions of a function, newest first.
CREATE INDEX versions_function ON versions (company_id, function_id, id);

-- Functions and deployments refer to versions, which refer to them.
ALTER TABLE functions ADD CONSTRAINT functions_newest_version
    FOREIGN KEY (company_id, newest_version_id) REFERENCES versions (company_id, id);
ALTER TABLE deployments ADD CONSTRAINT deployments_version
    FOREIGN KEY (company_id, version_id) REFERENCES versions (company_id, id);

-- A claim finds its task by the primary key, and a company's listing, newest
-- first, walks that key backwards: ids are in the order of creation. Listings
-- narrowed to a user walk it too, and skip.
CREATE TABLE tasks (
    company_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    user_id uuid NOT NULL,
    function_id uuid NOT NULL,
    version_id uuid NOT NULL,
    version_number text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    priority integer NOT NULL CHECK (priority BETWEEN 0 AND 9),
    class text NOT NULL CHECK (class IN ('high_priority', 'default', 'long_running')),
    expected_ms double precision NOT NULL,
    timeout_ms bigint NOT NULL,
    retry_max_attempts bigint NOT NULL,
    retry_backoff_s bigint NOT NULL,
    retry_on_user_error boolean NOT NULL,
    attempt bigint NOT NULL,
    worker_id uuid,
    cancel_requested boolean NOT NULL,
    created_at bigint NOT NULL,
    available_at bigint NOT NULL,
    started_at bigint,
    completed_at bigint,
    progress json,
    non_finite json NOT NULL,
    error json,
    warnings json NOT NULL,
    startup_ms double precision,
    execution_ms double precision,
    cpu_ms double precision,
    peak_memory_bytes bigint,
    warm boolean,
    cached boolean NOT NULL,
    cache_key bytea,
    deleted_at bigint,
    result_bytes bigint,
    result_digest bytea,
    -- Last, so that whatever does not need it does not read past it.
    result bytea,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id),
    FOREIGN KEY (company_id, function_id) REFERENCES functions (company_id, id),
    FOREIGN KEY (company_id, version_id) REFERENCES versions (company_id, id)
);

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
    WHERE state = 'completed' AND NOT cached;
-- The newest result under a cache key; only functions that ask for it pay.
CREATE INDEX tasks_cache ON tasks (company_id, version_id, cache_key, completed_at)
    WHERE cache_key IS NOT NULL AND state = 'completed' AND NOT cached;

-- Apart from the task: an update writes its whole row anew, and inputs can be
-- large.
CREATE TABLE task_inputs (
    company_id uuid NOT NULL,
    task_id uuid NOT NULL,
    bytes bigint NOT NULL,
    digest bytea,
    body bytea,
    PRIMARY KEY (company_id, task_id),
    FOREIGN KEY (company_id, task_id) REFERENCES tasks (company_id, id)
);

-- Attempts at whatever a worker executes, and their leases. What `resource_id`
-- refers to depends on `kind`, so it is no foreign key.
CREATE TABLE attempts (
    company_id uuid NOT NULL REFERENCES companies (id),
    kind text NOT NULL CHECK (kind IN ('task')),
    resource_id uuid NOT NULL,
    number bigint NOT NULL,
    token uuid NOT NULL,
    worker_id uuid NOT NULL,
    lease_until bigint NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint,
    -- How it ended: a final state, `retried` or `lost`.
    outcome text,
    error json,
    PRIMARY KEY (company_id, kind, resource_id, number)
);

-- The earliest lease and those that ran out; holds no more than what runs.
CREATE INDEX attempts_lease ON attempts (lease_until) WHERE ended_at IS NULL;

CREATE TABLE artifacts (
    company_id uuid NOT NULL,
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, task_id) REFERENCES tasks (company_id, id)
);

CREATE INDEX artifacts_task ON artifacts (company_id, task_id, id);

CREATE TABLE files (
    company_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    digest bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
);

-- The primary key is the order in which a company's events are read.
CREATE TABLE events (
    company_id uuid NOT NULL REFERENCES companies (id),
    seq bigint NOT NULL,
    kind text NOT NULL,
    resource_id uuid NOT NULL,
    payload json NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (company_id, seq)
);

-- The events of one task or deployment.
CREATE INDEX events_resource ON events (company_id, resource_id, seq);

CREATE TABLE idempotency_keys (
    company_id uuid NOT NULL,
    user_id uuid NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    reserved_at bigint NOT NULL,
    status integer,
    body bytea,
    PRIMARY KEY (company_id, user_id, key),
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
);

-- Keys older than a day are swept by the reservations that follow.
CREATE INDEX idempotency_keys_age ON idempotency_keys (reserved_at);

CREATE TABLE workers (
    id uuid NOT NULL PRIMARY KEY,
    host text NOT NULL,
    slots bigint NOT NULL,
    draining boolean NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL
);
