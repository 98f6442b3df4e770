-- Addresses of test and live that do not block each other, links that are purged, and live rows that know what they were copied from.

-- A slug is a public address: one namespace for all, in each mode.
DROP INDEX link_slug;
CREATE UNIQUE INDEX link_slug ON link (slug, mode) WHERE deleted_at IS NULL;
DROP INDEX program_slug;
CREATE UNIQUE INDEX program_slug ON program (slug COLLATE NOCASE, mode) WHERE slug IS NOT NULL;

-- A purged link leads nowhere, and its slug stays taken.
ALTER TABLE link ADD COLUMN purged_at INTEGER;
-- A partner of the same address is looked for.
CREATE INDEX partner_email ON partner (workspace_id, mode, lower(email)) WHERE email IS NOT NULL;
-- Where visitors of purged links are sent.
ALTER TABLE workspace ADD COLUMN fallback_url TEXT;

-- The row of test mode that `trac workspace go-live` made a live one of.
ALTER TABLE program ADD COLUMN copied_from TEXT;
ALTER TABLE partner ADD COLUMN copied_from TEXT;
ALTER TABLE enrollment ADD COLUMN copied_from TEXT;
ALTER TABLE link ADD COLUMN copied_from TEXT;
