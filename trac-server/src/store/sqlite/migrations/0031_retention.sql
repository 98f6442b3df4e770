-- Whether a click is claimed is asked before it is deleted.
CREATE INDEX report_claimed_click ON report (workspace_id, mode, claimed_click) WHERE claimed_click <> '';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('report', 'report_claimed_click', '100000 100000 50000 1');
ANALYZE sqlite_schema;

-- The visits whose clicks were deleted, by day, program, partner and link. Together with click_record they are the visits of click_day.
CREATE TABLE deleted_visit (
    workspace_id   TEXT NOT NULL,
    mode           TEXT NOT NULL,
    -- Days since 1970, in UTC.
    day            INTEGER NOT NULL,
    program_id     TEXT NOT NULL,
    partner_id     TEXT NOT NULL,
    -- Empty for visits without a link.
    link_id        TEXT NOT NULL,
    visits         INTEGER NOT NULL,
    unique_visits  INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, day, program_id, partner_id, link_id)
) STRICT, WITHOUT ROWID;
