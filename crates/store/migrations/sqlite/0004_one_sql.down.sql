DROP INDEX tasks_durations;
CREATE INDEX tasks_durations ON tasks (company_id, version_id, completed_at, execution_ms)
    WHERE state = 'completed' AND cached = 0;
DROP INDEX tasks_cache;
CREATE INDEX tasks_cache ON tasks (company_id, version_id, cache_key, completed_at)
    WHERE cache_key IS NOT NULL AND state = 'completed' AND cached = 0;
