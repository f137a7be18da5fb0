-- Functions and versions refer to each other, and deployments to versions: a
-- table goes only once nothing points at it.
UPDATE functions SET newest_version_id = NULL;
UPDATE deployments SET version_id = NULL;

DROP TABLE workers;
DROP TABLE idempotency_keys;
DROP TABLE events;
DROP TABLE files;
DROP TABLE artifacts;
DROP TABLE attempts;
DROP TABLE task_inputs;
DROP TABLE tasks;
DROP TABLE versions;
DROP TABLE deployments;
DROP TABLE functions;
DROP TABLE tokens;
DROP TABLE memberships;
DROP TABLE users;
DROP TABLE event_counters;
DROP TABLE companies;
