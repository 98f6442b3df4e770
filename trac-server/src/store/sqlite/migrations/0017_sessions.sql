-- A session of the dashboard ends with the key that began it, and when nobody has looked for long. Those begun before do not say which
-- key that was: they are over.
DELETE FROM dashboard_token WHERE kind = 'session';
ALTER TABLE dashboard_token ADD COLUMN key_hash BLOB;
ALTER TABLE dashboard_token ADD COLUMN begun_at INTEGER;
ALTER TABLE dashboard_token ADD COLUMN seen_at INTEGER;
CREATE INDEX dashboard_token_of_workspace ON dashboard_token (workspace_id);
