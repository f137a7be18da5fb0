INSERT INTO companies VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', 'acme', 1.0, NULL, NULL, 1700000000000000, NULL);
INSERT INTO event_counters VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', 2);
INSERT INTO users VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f502', 'zoé', 1700000000000000);
INSERT INTO memberships VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', x'0192f3a45b6c7d8e9fa0b1c2d3e4f502', 'admin', 1700000000000000, NULL);
INSERT INTO tokens VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', x'0192f3a45b6c7d8e9fa0b1c2d3e4f503', x'0192f3a45b6c7d8e9fa0b1c2d3e4f502', 'laptop', zeroblob(32), 1700000000000000, NULL, NULL);
INSERT INTO functions VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', x'0192f3a45b6c7d8e9fa0b1c2d3e4f504', 'bolt', NULL, 'bolt', '[]', NULL, 1700000000000000, NULL);
INSERT INTO deployments VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', x'0192f3a45b6c7d8e9fa0b1c2d3e4f505', x'0192f3a45b6c7d8e9fa0b1c2d3e4f502', 'deployed', zeroblob(32), 'bolt', NULL, '[]', '[]', 1700000000000000, 1700000000000001);
INSERT INTO versions VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', x'0192f3a45b6c7d8e9fa0b1c2d3e4f506', x'0192f3a45b6c7d8e9fa0b1c2d3e4f504', '1.0.0', zeroblob(32), '{}', zeroblob(32), '3.12', '3.12.1', '{}', 1, '[]', '[]', x'0192f3a45b6c7d8e9fa0b1c2d3e4f505', x'0192f3a45b6c7d8e9fa0b1c2d3e4f502', 1700000000000000);
UPDATE functions SET newest_version_id = x'0192f3a45b6c7d8e9fa0b1c2d3e4f506';
UPDATE deployments SET version_id = x'0192f3a45b6c7d8e9fa0b1c2d3e4f506';
INSERT INTO tasks (company_id, id, name, user_id, function_id, version_id, version_number, state, priority, class, expected_ms, timeout_ms, retry_max_attempts, retry_backoff_s, retry_on_user_error, attempt, cancel_requested, created_at, available_at, started_at, completed_at, non_finite, warnings, startup_ms, execution_ms, cpu_ms, peak_memory_bytes, warm, cached, result_bytes, result)
VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', x'0192f3a45b6c7d8e9fa0b1c2d3e4f507', 'bolt', x'0192f3a45b6c7d8e9fa0b1c2d3e4f502', x'0192f3a45b6c7d8e9fa0b1c2d3e4f504', x'0192f3a45b6c7d8e9fa0b1c2d3e4f506', '1.0.0', 'completed', 5, 'default', 300000.0, 300000, 3, 0, 0, 1, 0, 1700000000000000, 1700000000000000, 1700000000000001, 1700000000000002, '[]', '[]', 1.0, 2.0, 2.0, 1000, 1, 0, 13, x'7b22737472657373223a20317d');
INSERT INTO task_inputs VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', x'0192f3a45b6c7d8e9fa0b1c2d3e4f507', 2, NULL, x'7b7d');
INSERT INTO events VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', 1, 'task.queued', x'0192f3a45b6c7d8e9fa0b1c2d3e4f507', '{}', 1700000000000000);
INSERT INTO events VALUES (x'0192f3a45b6c7d8e9fa0b1c2d3e4f501', 2, 'task.completed', x'0192f3a45b6c7d8e9fa0b1c2d3e4f507', '{}', 1700000000000002);
