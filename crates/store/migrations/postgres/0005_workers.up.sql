-- Where several workers share a database, one of them has a deployment in hand
-- until this instant, and renews it while it works.
ALTER TABLE deployments ADD COLUMN worker_id uuid;
ALTER TABLE deployments ADD COLUMN lease_until bigint;
-- What a worker says of itself, as JSON.
ALTER TABLE workers ADD COLUMN status json;
