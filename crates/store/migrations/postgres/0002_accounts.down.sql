ALTER TABLE companies DROP COLUMN storage_bytes;
ALTER TABLE companies DROP COLUMN cpu_s_per_day;
ALTER TABLE companies DROP COLUMN tasks_per_day;
DROP TABLE audit;
DROP FUNCTION audit_is_append_only();
DROP TABLE invitations;
DROP TABLE sessions;
DROP INDEX memberships_user;
ALTER TABLE tokens DROP COLUMN last_used_at;
ALTER TABLE tokens DROP COLUMN prefix;
-- A token without scopes may do whatever its role allows: one that may not
-- must not come back as one that may.
UPDATE tokens SET revoked_at = created_at WHERE scopes IS NOT NULL AND revoked_at IS NULL;
ALTER TABLE tokens DROP COLUMN scopes;
ALTER TABLE users DROP COLUMN password;
ALTER TABLE users DROP COLUMN email;
