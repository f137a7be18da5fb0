ALTER TABLE workers DROP COLUMN status;
ALTER TABLE deployments DROP COLUMN lease_until;
ALTER TABLE deployments DROP COLUMN worker_id;
