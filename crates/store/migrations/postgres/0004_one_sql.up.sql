-- Names are listed in the order of their bytes, as on SQLite. A cluster's own
-- locale may be any, and would put them in another order; and where an update
-- of the C library changes that order, indices of text no longer find their
-- rows. So whatever people name, and is ordered or indexed, says its own.
ALTER TABLE companies ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE users ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE functions ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE versions ALTER COLUMN number TYPE text COLLATE "C";
ALTER TABLE idempotency_keys ALTER COLUMN key TYPE text COLLATE "C";
