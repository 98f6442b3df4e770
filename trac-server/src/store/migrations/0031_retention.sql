-- Whether a click is claimed is asked before it is deleted.
CREATE INDEX report_claimed_click ON report (workspace_id, mode, claimed_click) WHERE claimed_click <> '';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('report', 'report_claimed_click', '100000 100000 50000 1');
ANALYZE sqlite_schema;
