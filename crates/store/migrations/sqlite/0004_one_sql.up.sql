-- The SQL is the same for both databases and says `cached = FALSE`; SQLite
-- chooses a partial index by its text, so these say it too. `NOT cached` would
-- do as well, but then SQLite reads each row beside its index.
DROP INDEX tasks_durations;
CREATE INDEX tasks_durations ON tasks (company_id, version_id, completed_at, execution_ms)
    WHERE state = 'completed' AND cached = FALSE;
DROP INDEX tasks_cache;
CREATE INDEX tasks_cache ON tasks (company_id, version_id, cache_key, completed_at)
    WHERE cache_key IS NOT NULL AND state = 'completed' AND cached = FALSE;
