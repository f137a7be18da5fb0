-- Users who log in: the hash of a password in the PHC string format, argon2id.
-- Whoever has none logs in with tokens alone.
ALTER TABLE users ADD COLUMN email text;
ALTER TABLE users ADD COLUMN password text;

-- No scopes: whatever the role allows, as of tokens made before scopes were.
ALTER TABLE tokens ADD COLUMN scopes text;
-- The beginning of the secret, by which its owner recognises it.
ALTER TABLE tokens ADD COLUMN prefix text;
ALTER TABLE tokens ADD COLUMN last_used_at bigint;

-- A company's name is told to those who may choose it.
CREATE INDEX memberships_user ON memberships (user_id, company_id);

-- Browsers that are logged in. A session acts for one company at a time.
CREATE TABLE sessions (
    id uuid NOT NULL PRIMARY KEY,
    secret_sha256 bytea NOT NULL,
    user_id uuid NOT NULL,
    company_id uuid NOT NULL,
    address text,
    created_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at bigint,
    FOREIGN KEY (company_id, user_id) REFERENCES memberships (company_id, user_id)
);

-- Authentication knows nothing but the hash.
CREATE UNIQUE INDEX sessions_secret ON sessions (secret_sha256);
-- The sessions of a user, to end them.
CREATE INDEX sessions_user ON sessions (user_id, id);
-- Sessions past their end are swept by the logins that follow.
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE invitations (
    company_id uuid NOT NULL,
    id uuid NOT NULL,
    secret_sha256 bytea NOT NULL,
    name text NOT NULL,
    email text,
    role text NOT NULL CHECK (role IN ('member', 'company_admin', 'admin')),
    created_by uuid NOT NULL REFERENCES users (id),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    accepted_at bigint,
    revoked_at bigint,
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id) REFERENCES companies (id)
);

-- Whoever accepts knows nothing but the secret.
CREATE UNIQUE INDEX invitations_secret ON invitations (secret_sha256);

-- Who did what. No company for what belongs to none, such as a failed login.
CREATE TABLE audit (
    id uuid NOT NULL PRIMARY KEY,
    company_id uuid REFERENCES companies (id),
    user_id uuid REFERENCES users (id),
    credential text NOT NULL CHECK (credential IN ('nothing', 'token', 'session')),
    credential_id uuid,
    action text NOT NULL,
    resource text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    address text,
    request_id text,
    at bigint NOT NULL
);

-- A company's rows, newest first; all rows walk the primary key.
CREATE INDEX audit_company ON audit (company_id, id);
CREATE INDEX audit_user ON audit (user_id, id);

-- What was written stays as it was written.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();

-- Quotas: calculations and CPU seconds of a day, from midnight in UTC, and
-- bytes of files and results.
ALTER TABLE companies ADD COLUMN tasks_per_day bigint;
ALTER TABLE companies ADD COLUMN cpu_s_per_day double precision;
ALTER TABLE companies ADD COLUMN storage_bytes bigint;
