-- Sales by day, for each key that a report is narrowed to or grouped by, as clicks are: a report of 90 days reads 90 rows. Triggers
-- write what a job changes to sale_change; the job ends by adding it to sale_day.
DROP TRIGGER sale_day_payment_insert;
DROP TRIGGER sale_day_payment_update;
DROP TRIGGER sale_day_payment_delete;
ALTER TABLE sale_day RENAME TO sale_day_of_link;
CREATE TABLE sale_change (
    workspace_id      TEXT NOT NULL,
    mode              TEXT NOT NULL,
    -- Days since 1970, in UTC, of the payment or lead.
    day               INTEGER NOT NULL,
    program_id        TEXT NOT NULL,
    partner_id        TEXT NOT NULL,
    -- Empty for a sale without a link, and for a lead without an amount.
    link_id           TEXT NOT NULL,
    currency          TEXT NOT NULL,
    leads             INTEGER NOT NULL,
    sales             INTEGER NOT NULL,
    revenue_minor     INTEGER NOT NULL,
    commission_minor  INTEGER NOT NULL
) STRICT;
-- The keys are those of click_day.
CREATE TABLE sale_day (
    scope             INTEGER NOT NULL,
    key               INTEGER NOT NULL,
    day               INTEGER NOT NULL,
    currency          TEXT NOT NULL,
    leads             INTEGER NOT NULL,
    sales             INTEGER NOT NULL,
    revenue_minor     INTEGER NOT NULL,
    commission_minor  INTEGER NOT NULL,
    PRIMARY KEY (scope, key, day, currency)
) STRICT, WITHOUT ROWID;

INSERT INTO scope (workspace_id, mode) SELECT DISTINCT workspace_id, mode FROM sale_day_of_link WHERE TRUE ON CONFLICT DO NOTHING;
INSERT INTO name (id) SELECT program_id FROM sale_day_of_link UNION SELECT partner_id FROM sale_day_of_link
    UNION SELECT link_id FROM sale_day_of_link WHERE link_id <> '' UNION SELECT program_id || '/' || partner_id FROM sale_day_of_link
    WHERE TRUE ON CONFLICT DO NOTHING;
INSERT INTO sale_day (scope, key, day, currency, leads, sales, revenue_minor, commission_minor)
    SELECT s.no, 0, d.day, d.currency, sum(d.leads), sum(d.sales), sum_minor(d.revenue_minor), sum_minor(d.commission_minor)
    FROM sale_day_of_link AS d JOIN scope AS s ON s.workspace_id = d.workspace_id AND s.mode = d.mode GROUP BY 1, 2, 3, 4;
INSERT INTO sale_day (scope, key, day, currency, leads, sales, revenue_minor, commission_minor)
    SELECT s.no, n.no, d.day, d.currency, sum(d.leads), sum(d.sales), sum_minor(d.revenue_minor), sum_minor(d.commission_minor)
    FROM sale_day_of_link AS d JOIN scope AS s ON s.workspace_id = d.workspace_id AND s.mode = d.mode
    JOIN name AS n ON n.id IN (d.program_id, d.partner_id, d.link_id, d.program_id || '/' || d.partner_id) GROUP BY 1, 2, 3, 4;
DROP TABLE sale_day_of_link;
DELETE FROM sqlite_stat1 WHERE tbl IN ('sale_day', 'sale_day_of_link');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sale_day', 'sale_day', '1000000 500000 500 2 1');
ANALYZE sqlite_schema;

CREATE TRIGGER sale_change_payment_insert AFTER INSERT ON payment WHEN NEW.counts_as IS NOT NULL BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (NEW.workspace_id, NEW.mode, (NEW.happened_at / 86400 - (NEW.happened_at % 86400 < 0)), NEW.program_id, NEW.partner_id,
        coalesce(NEW.link_id, ''), coalesce(NEW.currency, ''), NEW.counts_as = 'lead', NEW.counts_as = 'sale',
        CASE WHEN NEW.counts_as = 'sale' THEN coalesce(NEW.gross_minor, 0) - coalesce(NEW.lost_minor, 0) ELSE 0 END, 0);
END;
CREATE TRIGGER sale_change_payment_update AFTER UPDATE OF is_conversion, reason, click_id, is_claimed, lead_id, currency, gross_minor,
    lost_minor, happened_at, program_id, partner_id, link_id ON payment
WHEN (NEW.counts_as, NEW.currency, NEW.gross_minor, NEW.lost_minor, NEW.happened_at, NEW.program_id, NEW.partner_id, NEW.link_id)
    IS NOT (OLD.counts_as, OLD.currency, OLD.gross_minor, OLD.lost_minor, OLD.happened_at, OLD.program_id, OLD.partner_id, OLD.link_id) BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        SELECT OLD.workspace_id, OLD.mode, (OLD.happened_at / 86400 - (OLD.happened_at % 86400 < 0)), OLD.program_id, OLD.partner_id,
        coalesce(OLD.link_id, ''), coalesce(OLD.currency, ''), -(OLD.counts_as = 'lead'), -(OLD.counts_as = 'sale'),
        CASE WHEN OLD.counts_as = 'sale' THEN coalesce(OLD.lost_minor, 0) - coalesce(OLD.gross_minor, 0) ELSE 0 END, 0
        WHERE OLD.counts_as IS NOT NULL;
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        SELECT NEW.workspace_id, NEW.mode, (NEW.happened_at / 86400 - (NEW.happened_at % 86400 < 0)), NEW.program_id, NEW.partner_id,
        coalesce(NEW.link_id, ''), coalesce(NEW.currency, ''), NEW.counts_as = 'lead', NEW.counts_as = 'sale',
        CASE WHEN NEW.counts_as = 'sale' THEN coalesce(NEW.gross_minor, 0) - coalesce(NEW.lost_minor, 0) ELSE 0 END, 0
        WHERE NEW.counts_as IS NOT NULL;
END;
CREATE TRIGGER sale_change_payment_delete AFTER DELETE ON payment WHEN OLD.counts_as IS NOT NULL BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (OLD.workspace_id, OLD.mode, (OLD.happened_at / 86400 - (OLD.happened_at % 86400 < 0)), OLD.program_id, OLD.partner_id,
        coalesce(OLD.link_id, ''), coalesce(OLD.currency, ''), -(OLD.counts_as = 'lead'), -(OLD.counts_as = 'sale'),
        CASE WHEN OLD.counts_as = 'sale' THEN coalesce(OLD.lost_minor, 0) - coalesce(OLD.gross_minor, 0) ELSE 0 END, 0);
END;
CREATE TRIGGER sale_change_commission_insert AFTER INSERT ON commission BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (NEW.workspace_id, NEW.mode, (NEW.payment_time / 86400 - (NEW.payment_time % 86400 < 0)), NEW.program_id, NEW.partner_id,
        coalesce((SELECT k.link_id FROM click AS k WHERE k.id = NEW.click_id AND k.workspace_id = NEW.workspace_id AND k.mode = NEW.mode), ''),
        NEW.currency, 0, 0, 0, add_minor(NEW.amount_minor, -NEW.reversed_minor));
END;
CREATE TRIGGER sale_change_commission_update AFTER UPDATE OF amount_minor, reversed_minor, payment_time ON commission
WHEN (NEW.amount_minor, NEW.reversed_minor, (NEW.payment_time / 86400 - (NEW.payment_time % 86400 < 0)))
    IS NOT (OLD.amount_minor, OLD.reversed_minor, (OLD.payment_time / 86400 - (OLD.payment_time % 86400 < 0))) BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        SELECT NEW.workspace_id, NEW.mode, c.day, NEW.program_id, NEW.partner_id, coalesce((SELECT k.link_id FROM click AS k
        WHERE k.id = NEW.click_id AND k.workspace_id = NEW.workspace_id AND k.mode = NEW.mode), ''), NEW.currency, 0, 0, 0, c.minor
        FROM (SELECT (OLD.payment_time / 86400 - (OLD.payment_time % 86400 < 0)) AS day, -add_minor(OLD.amount_minor, -OLD.reversed_minor) AS minor
        UNION ALL SELECT (NEW.payment_time / 86400 - (NEW.payment_time % 86400 < 0)), add_minor(NEW.amount_minor, -NEW.reversed_minor)) AS c;
END;
