ALTER TABLE idempotency_keys ALTER COLUMN key TYPE text;
ALTER TABLE versions ALTER COLUMN number TYPE text;
ALTER TABLE functions ALTER COLUMN name TYPE text;
ALTER TABLE users ALTER COLUMN name TYPE text;
ALTER TABLE companies ALTER COLUMN name TYPE text;
