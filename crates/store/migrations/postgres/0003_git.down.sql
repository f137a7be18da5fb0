ALTER TABLE deployments DROP COLUMN source;
