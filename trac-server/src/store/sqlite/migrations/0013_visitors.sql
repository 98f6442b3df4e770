-- The marks of visitors in a table of their own, for two days; clicks that say whether anybody came; and clicks found by their IDs first.

-- Who came, day by day: by its mark a visit is told from a repeated one. It is asked and written for each click, so it is as small as can be. The
-- marks of yesterday are kept for clicks that come out of the spool after midnight, older ones are deleted.
--
-- `(workspace_id, mode)` does not lead its key, as it does every other's but a click's: a mark is a hash over the ID of the link or partner that
-- was followed, which no other workspace or mode has, and over the salt of the day. Nothing but that very visit's mark is ever found here.
CREATE TABLE visitor (
    -- The click's, since 1970, in UTC.
    day   INTEGER NOT NULL,
    mark  BLOB NOT NULL,
    PRIMARY KEY (day, mark)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO visitor (day, mark)
SELECT clicked_at / 86400, visitor FROM click
WHERE visitor IS NOT NULL
    AND clicked_at >= (SELECT max(clicked_at) / 86400 - 1 FROM click WHERE visitor IS NOT NULL) * 86400;

ALTER TABLE click RENAME TO click_with_mark;
CREATE TABLE click (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    program_id    TEXT NOT NULL,
    partner_id    TEXT NOT NULL,
    link_id       TEXT,
    clicked_at    INTEGER NOT NULL,
    is_unique     INTEGER NOT NULL,
    -- False for a click that stands for a promo code: nobody came.
    is_visit      INTEGER NOT NULL,
    referrer      TEXT,
    landing_url   TEXT,
    -- The ID tells clicks apart at once, where all clicks of a workspace begin with the same forty bytes. Whoever looks one up names all three.
    PRIMARY KEY (id, workspace_id, mode)
) STRICT;
-- What stands for a promo code was never a first visit and has nothing that a visit has.
INSERT INTO click (workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique, is_visit, referrer,
    landing_url)
SELECT workspace_id, mode, id, program_id, partner_id, link_id, clicked_at, is_unique,
    is_unique OR coalesce(link_id, visitor, referrer, landing_url) IS NOT NULL, referrer, landing_url
FROM click_with_mark ORDER BY rowid;
DROP TABLE click_with_mark;
CREATE INDEX click_time ON click (workspace_id, mode, clicked_at);

DELETE FROM sqlite_stat1 WHERE tbl IN ('click', 'click_with_mark');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('click', 'sqlite_autoindex_click_1', '3000000 1 1 1'),
    ('click', 'click_time', '3000000 3000000 1500000 5'),
    ('visitor', 'visitor', '1000000 500000 1');
ANALYZE sqlite_schema;
