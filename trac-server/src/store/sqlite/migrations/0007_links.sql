-- Links that are archived, programs with an address of their own, and the visits that are no clicks.

-- Visitors of an archived link are sent on and not counted.
ALTER TABLE link ADD COLUMN archived_at INTEGER;
-- Whoever types a link does not mind the case.
CREATE INDEX link_slug_any_case ON link (slug COLLATE NOCASE) WHERE deleted_at IS NULL;
CREATE INDEX link_partner ON link (workspace_id, mode, partner_id, program_id, id);

-- How a program is called in `/s/{program}/{code}`, beside its ID: one namespace for all, as slugs.
ALTER TABLE program ADD COLUMN slug TEXT;
-- The host under which its links are shown, one of those the server is configured for.
ALTER TABLE program ADD COLUMN tracking_domain TEXT;
CREATE UNIQUE INDEX program_slug ON program (slug COLLATE NOCASE) WHERE slug IS NOT NULL;
CREATE INDEX program_id ON program (id);

-- Visits that were redirected and are no clicks, by day (since 1970) and why.
CREATE TABLE visit_not_counted (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    link_id       TEXT NOT NULL,
    day           INTEGER NOT NULL,
    why           TEXT NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, link_id, day, why)
) STRICT, WITHOUT ROWID;
