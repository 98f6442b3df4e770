-- Keys that can be named, rolled with an overlap, and kept to certain pages.
ALTER TABLE api_key ADD COLUMN id TEXT;
ALTER TABLE api_key ADD COLUMN name TEXT;
-- A rolled key works until then.
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
-- To the minute.
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;
-- The origins whose pages may use a publishable key, as a JSON list; NULL for all.
ALTER TABLE api_key ADD COLUMN allowed_origins TEXT;
UPDATE api_key SET id = 'key_' || lower(hex(randomblob(16)));
CREATE UNIQUE INDEX api_key_id ON api_key (workspace_id, mode, id);
