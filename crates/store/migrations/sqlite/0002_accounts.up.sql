-- Users who log in: the hash of a password in the PHC string format, argon2id.
-- Whoever has none logs in with tokens alone.
ALTER TABLE users ADD COLUMN email TEXT;
ALTER TABLE users ADD COLUMN password TEXT;

-- No scopes: whatever the role allows, as of tokens made before scopes were.
ALTER TABLE tokens ADD COLUMN scopes TEXT;
-- The beginning of the secret, by which its owner recognises it.
ALTER TABLE tokens ADD COLUMN prefix TEXT;
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;

-- A company's name is told to those who may choose it.
CREATE INDEX memberships_user ON memberships (user_id, company_id);

-- Browsers that are logged in. A session acts for one company at a time.
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    user_id BLOB NOT NULL,
    company_id BLOB NOT NULL,
    address TEXT,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
) STRICT;

-- Authentication knows nothing but the hash.
CREATE UNIQUE INDEX sessions_secret ON sessions (secret_sha256);
-- The sessions of a user, to end them.
CREATE INDEX sessions_user ON sessions (user_id, id);
-- Sessions past their end are swept by the logins that follow.
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE invitations (
    company_id BLOB NOT NULL,
    id BLOB NOT NULL,
    secret_sha256 BLOB NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    role TEXT NOT NULL CHECK (role IN ('member', 'company_admin', 'admin')),
    created_by BLOB NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    accepted_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id) REFERENCES companies (id)
) STRICT;

-- Whoever accepts knows nothing but the secret.
CREATE UNIQUE INDEX invitations_secret ON invitations (secret_sha256);

-- Who did what. No company for what belongs to none, such as a failed login.
CREATE TABLE audit (
    id BLOB NOT NULL PRIMARY KEY,
    company_id BLOB REFERENCES companies (id),
    user_id BLOB REFERENCES users (id),
    credential TEXT NOT NULL CHECK (credential IN ('nothing', 'token', 'session')),
    credential_id BLOB,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
    address TEXT,
    request_id TEXT,
    at INTEGER NOT NULL
) STRICT;

-- A company's rows, newest first; all rows walk the primary key.
CREATE INDEX audit_company ON audit (company_id, id);
CREATE INDEX audit_user ON audit (user_id, id);

-- What was written stays as it was written.
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Quotas: calculations and CPU seconds of a day, from midnight in UTC, and
-- bytes of files and results.
ALTER TABLE companies ADD COLUMN tasks_per_day INTEGER;
ALTER TABLE companies ADD COLUMN cpu_s_per_day REAL;
ALTER TABLE companies ADD COLUMN storage_bytes INTEGER;
