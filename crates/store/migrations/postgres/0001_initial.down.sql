-- Functions and versions refer to each other, and deployments to versions.
DROP TABLE workers;
DROP TABLE idempotency_keys;
DROP TABLE events;
DROP TABLE files;
DROP TABLE artifacts;
DROP TABLE attempts;
DROP TABLE task_inputs;
DROP TABLE tasks;
ALTER TABLE functions DROP CONSTRAINT functions_newest_version;
ALTER TABLE deployments DROP CONSTRAINT deployments_version;
DROP TABLE versions;
DROP TABLE deployments;
DROP TABLE functions;
DROP TABLE tokens;
DROP TABLE memberships;
DROP TABLE users;
DROP TABLE event_counters;
DROP TABLE companies;
