-- Clicks name their workspace, program, partner and link by small numbers, so that each can have an index and the table still becomes
-- smaller. The view `click` shows them with their IDs.
CREATE TABLE scope (
    no            INTEGER NOT NULL PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    UNIQUE (workspace_id, mode)
) STRICT;
-- The IDs of programs, partners and links that clicks name.
CREATE TABLE name (
    no  INTEGER NOT NULL PRIMARY KEY,
    id  TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE click_record (
    id           TEXT NOT NULL,
    scope        INTEGER NOT NULL,
    program      INTEGER NOT NULL,
    partner      INTEGER NOT NULL,
    link         INTEGER,
    clicked_at   INTEGER NOT NULL,
    is_unique    INTEGER NOT NULL,
    -- False for a click that represents a promotion code.
    is_visit     INTEGER NOT NULL,
    referrer     TEXT,
    landing_url  TEXT,
    PRIMARY KEY (id, scope)
) STRICT;

INSERT INTO scope (workspace_id, mode) SELECT DISTINCT workspace_id, mode FROM click ORDER BY 1, 2;
INSERT INTO name (id) SELECT program_id FROM click UNION SELECT partner_id FROM click UNION SELECT link_id FROM click WHERE link_id IS NOT NULL;
INSERT INTO click_record (id, scope, program, partner, link, clicked_at, is_unique, is_visit, referrer, landing_url)
    SELECT k.id, s.no, g.no, a.no, l.no, k.clicked_at, k.is_unique, k.is_visit, k.referrer, k.landing_url
    FROM click AS k JOIN scope AS s ON s.workspace_id = k.workspace_id AND s.mode = k.mode
    JOIN name AS g ON g.id = k.program_id JOIN name AS a ON a.id = k.partner_id LEFT JOIN name AS l ON l.id = k.link_id ORDER BY k.rowid;
DROP TABLE click;
CREATE VIEW click AS
    SELECT s.workspace_id, s.mode, r.id, g.id AS program_id, a.id AS partner_id, l.id AS link_id, r.clicked_at, r.is_unique, r.is_visit,
        r.referrer, r.landing_url
    FROM click_record AS r JOIN scope AS s ON s.no = r.scope JOIN name AS g ON g.no = r.program JOIN name AS a ON a.no = r.partner
    LEFT JOIN name AS l ON l.no = r.link;
-- For imports. The server writes click_record itself.
CREATE TRIGGER click_insert INSTEAD OF INSERT ON click BEGIN
    INSERT INTO scope (workspace_id, mode) VALUES (NEW.workspace_id, NEW.mode) ON CONFLICT DO NOTHING;
    INSERT INTO name (id) VALUES (NEW.program_id), (NEW.partner_id) ON CONFLICT DO NOTHING;
    INSERT INTO name (id) SELECT NEW.link_id WHERE NEW.link_id IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO click_record (id, scope, program, partner, link, clicked_at, is_unique, is_visit, referrer, landing_url)
        SELECT NEW.id, s.no, (SELECT no FROM name WHERE id = NEW.program_id), (SELECT no FROM name WHERE id = NEW.partner_id),
        (SELECT no FROM name WHERE id = NEW.link_id), NEW.clicked_at, NEW.is_unique, NEW.is_visit, NEW.referrer, NEW.landing_url
        FROM scope AS s WHERE s.workspace_id = NEW.workspace_id AND s.mode = NEW.mode;
END;
CREATE INDEX click_scope ON click_record (scope, clicked_at);
CREATE INDEX click_program ON click_record (program, clicked_at);
CREATE INDEX click_partner ON click_record (partner, clicked_at);
CREATE INDEX click_link ON click_record (link, clicked_at) WHERE link IS NOT NULL;

-- Clicks by day: of a scope (key 0), of a program, a partner or a link (its number in `name`), and of a partner in a program (the number
-- of `program_id/partner_id`).
CREATE TABLE click_day (
    scope          INTEGER NOT NULL,
    key            INTEGER NOT NULL,
    -- Days since 1970, in UTC.
    day            INTEGER NOT NULL,
    -- The rows of click_record, also those that represent promotion codes.
    clicks         INTEGER NOT NULL,
    unique_clicks  INTEGER NOT NULL,
    -- All visits there ever were, also those whose clicks were deleted since.
    visits         INTEGER NOT NULL,
    unique_visits  INTEGER NOT NULL,
    PRIMARY KEY (scope, key, day)
) STRICT, WITHOUT ROWID;
-- The rows of click_record up to this one are in click_day.
CREATE TABLE click_day_position (
    row  INTEGER NOT NULL
) STRICT;
INSERT INTO name (id) SELECT DISTINCT g.id || '/' || a.id FROM (SELECT DISTINCT program, partner FROM click_record) AS r
    JOIN name AS g ON g.no = r.program JOIN name AS a ON a.no = r.partner;
INSERT INTO click_day (scope, key, day, clicks, unique_clicks, visits, unique_visits)
    SELECT r.scope, k.key, (r.clicked_at / 86400 - (r.clicked_at % 86400 < 0)), count(*), sum(r.is_unique), sum(r.is_visit), sum(r.is_unique AND r.is_visit)
    FROM click_record AS r JOIN (
        SELECT program, partner, link, 0 AS key FROM (SELECT DISTINCT program, partner, link FROM click_record)
        UNION ALL SELECT program, partner, link, program FROM (SELECT DISTINCT program, partner, link FROM click_record)
        UNION ALL SELECT program, partner, link, partner FROM (SELECT DISTINCT program, partner, link FROM click_record)
        UNION ALL SELECT program, partner, link, link FROM (SELECT DISTINCT program, partner, link FROM click_record) WHERE link IS NOT NULL
        UNION ALL SELECT d.program, d.partner, d.link, b.no FROM (SELECT DISTINCT program, partner, link FROM click_record) AS d
            JOIN name AS g ON g.no = d.program JOIN name AS a ON a.no = d.partner JOIN name AS b ON b.id = g.id || '/' || a.id
    ) AS k ON k.program = r.program AND k.partner = r.partner AND k.link IS r.link
    GROUP BY 1, 2, 3;
INSERT INTO click_day_position (row) SELECT coalesce(max(rowid), 0) FROM click_record;

DELETE FROM sqlite_stat1 WHERE tbl = 'click';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('click_record', 'sqlite_autoindex_click_record_1', '3000000 1 1'),
    ('click_record', 'click_scope', '3000000 1500000 5'),
    ('click_record', 'click_program', '3000000 300000 2'),
    ('click_record', 'click_partner', '3000000 3000 1'),
    ('click_record', 'click_link', '3000000 3000 1'),
    ('click_day', 'click_day', '1000000 500000 500 1'),
    ('scope', 'sqlite_autoindex_scope_1', '100 2 1'),
    ('name', 'sqlite_autoindex_name_1', '100000 1');
ANALYZE sqlite_schema;
