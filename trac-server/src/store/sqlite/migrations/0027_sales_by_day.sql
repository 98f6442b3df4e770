-- Credited leads and sales, their revenue and what they earned, by day and by what a report can be narrowed to. Triggers keep the
-- sums: a correction changes those of the day it belongs to.
CREATE TABLE sale_day (
    workspace_id      TEXT NOT NULL,
    mode              TEXT NOT NULL,
    -- Days since 1970, in UTC, of the payment or lead.
    day               INTEGER NOT NULL,
    partner_id        TEXT NOT NULL,
    program_id        TEXT NOT NULL,
    link_id           TEXT NOT NULL,
    currency          TEXT NOT NULL,
    leads             INTEGER NOT NULL,
    sales             INTEGER NOT NULL,
    revenue_minor     INTEGER NOT NULL,
    commission_minor  INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, day, partner_id, program_id, link_id, currency)
) STRICT, WITHOUT ROWID;
CREATE INDEX sale_day_partner ON sale_day (workspace_id, mode, partner_id, day);
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sale_day', 'sale_day', '300000 300000 150000 500 2 2 2 1'),
    ('sale_day', 'sale_day_partner', '300000 300000 150000 500 2');
ANALYZE sqlite_schema;

INSERT INTO sale_day (workspace_id, mode, day, partner_id, program_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
    SELECT workspace_id, mode, (happened_at / 86400 - (happened_at % 86400 < 0)), partner_id, program_id, coalesce(link_id, ''), coalesce(currency, ''),
        count(*) FILTER (WHERE counts_as = 'lead'), count(*) FILTER (WHERE counts_as = 'sale'),
        sum_minor(CASE WHEN counts_as = 'sale' THEN coalesce(gross_minor, 0) - coalesce(lost_minor, 0) ELSE 0 END), 0
    FROM payment WHERE counts_as IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7;
INSERT INTO sale_day (workspace_id, mode, day, partner_id, program_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
    SELECT c.workspace_id, c.mode, (c.payment_time / 86400 - (c.payment_time % 86400 < 0)), c.partner_id, c.program_id, coalesce(k.link_id, ''), c.currency, 0, 0, 0,
        sum_minor(c.amount_minor - c.reversed_minor) AS minor
    FROM commission AS c LEFT JOIN click AS k ON k.id = c.click_id AND k.workspace_id = c.workspace_id AND k.mode = c.mode
    WHERE TRUE GROUP BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT DO UPDATE SET commission_minor = add_minor(commission_minor, excluded.commission_minor);

CREATE TRIGGER sale_day_payment_insert AFTER INSERT ON payment WHEN NEW.counts_as IS NOT NULL BEGIN
    INSERT INTO sale_day (workspace_id, mode, day, partner_id, program_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (NEW.workspace_id, NEW.mode, (NEW.happened_at / 86400 - (NEW.happened_at % 86400 < 0)), NEW.partner_id, NEW.program_id, coalesce(NEW.link_id, ''),
        coalesce(NEW.currency, ''), NEW.counts_as = 'lead', NEW.counts_as = 'sale',
        CASE WHEN NEW.counts_as = 'sale' THEN coalesce(NEW.gross_minor, 0) - coalesce(NEW.lost_minor, 0) ELSE 0 END, 0)
        ON CONFLICT DO UPDATE SET leads = leads + excluded.leads, sales = sales + excluded.sales, revenue_minor = add_minor(revenue_minor, excluded.revenue_minor);
END;
CREATE TRIGGER sale_day_payment_update AFTER UPDATE OF is_conversion, reason, click_id, is_claimed, lead_id, currency, gross_minor, lost_minor, happened_at,
    program_id, partner_id, link_id ON payment
WHEN (NEW.counts_as, NEW.currency, NEW.gross_minor, NEW.lost_minor, NEW.happened_at, NEW.program_id, NEW.partner_id, NEW.link_id)
    IS NOT (OLD.counts_as, OLD.currency, OLD.gross_minor, OLD.lost_minor, OLD.happened_at, OLD.program_id, OLD.partner_id, OLD.link_id) BEGIN
    UPDATE sale_day SET leads = leads - (OLD.counts_as = 'lead'), sales = sales - (OLD.counts_as = 'sale'),
        revenue_minor = add_minor(revenue_minor, CASE WHEN OLD.counts_as = 'sale' THEN coalesce(OLD.lost_minor, 0) - coalesce(OLD.gross_minor, 0) ELSE 0 END)
        WHERE OLD.counts_as IS NOT NULL AND workspace_id = OLD.workspace_id AND mode = OLD.mode AND day = (OLD.happened_at / 86400 - (OLD.happened_at % 86400 < 0))
        AND partner_id = OLD.partner_id AND program_id = OLD.program_id AND link_id = coalesce(OLD.link_id, '') AND currency = coalesce(OLD.currency, '');
    INSERT INTO sale_day (workspace_id, mode, day, partner_id, program_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        SELECT NEW.workspace_id, NEW.mode, (NEW.happened_at / 86400 - (NEW.happened_at % 86400 < 0)), NEW.partner_id, NEW.program_id, coalesce(NEW.link_id, ''),
        coalesce(NEW.currency, ''), NEW.counts_as = 'lead', NEW.counts_as = 'sale',
        CASE WHEN NEW.counts_as = 'sale' THEN coalesce(NEW.gross_minor, 0) - coalesce(NEW.lost_minor, 0) ELSE 0 END, 0
        WHERE NEW.counts_as IS NOT NULL
        ON CONFLICT DO UPDATE SET leads = leads + excluded.leads, sales = sales + excluded.sales, revenue_minor = add_minor(revenue_minor, excluded.revenue_minor);
END;
CREATE TRIGGER sale_day_payment_delete AFTER DELETE ON payment WHEN OLD.counts_as IS NOT NULL BEGIN
    UPDATE sale_day SET leads = leads - (OLD.counts_as = 'lead'), sales = sales - (OLD.counts_as = 'sale'),
        revenue_minor = add_minor(revenue_minor, CASE WHEN OLD.counts_as = 'sale' THEN coalesce(OLD.lost_minor, 0) - coalesce(OLD.gross_minor, 0) ELSE 0 END)
        WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND day = (OLD.happened_at / 86400 - (OLD.happened_at % 86400 < 0))
        AND partner_id = OLD.partner_id AND program_id = OLD.program_id AND link_id = coalesce(OLD.link_id, '') AND currency = coalesce(OLD.currency, '');
END;
CREATE TRIGGER sale_day_commission_insert AFTER INSERT ON commission BEGIN
    INSERT INTO sale_day (workspace_id, mode, day, partner_id, program_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (NEW.workspace_id, NEW.mode, (NEW.payment_time / 86400 - (NEW.payment_time % 86400 < 0)), NEW.partner_id, NEW.program_id,
        coalesce((SELECT k.link_id FROM click AS k WHERE k.id = NEW.click_id AND k.workspace_id = NEW.workspace_id AND k.mode = NEW.mode), ''),
        NEW.currency, 0, 0, 0, add_minor(NEW.amount_minor, -NEW.reversed_minor))
        ON CONFLICT DO UPDATE SET commission_minor = add_minor(commission_minor, excluded.commission_minor);
END;
CREATE TRIGGER sale_day_commission_update AFTER UPDATE OF amount_minor, reversed_minor, payment_time ON commission
WHEN (NEW.amount_minor, NEW.reversed_minor, (NEW.payment_time / 86400 - (NEW.payment_time % 86400 < 0))) IS NOT (OLD.amount_minor, OLD.reversed_minor, (OLD.payment_time / 86400 - (OLD.payment_time % 86400 < 0))) BEGIN
    UPDATE sale_day SET commission_minor = add_minor(commission_minor, -add_minor(OLD.amount_minor, -OLD.reversed_minor))
        WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND day = (OLD.payment_time / 86400 - (OLD.payment_time % 86400 < 0)) AND partner_id = OLD.partner_id
        AND program_id = OLD.program_id AND currency = OLD.currency AND link_id =
        coalesce((SELECT k.link_id FROM click AS k WHERE k.id = OLD.click_id AND k.workspace_id = OLD.workspace_id AND k.mode = OLD.mode), '');
    INSERT INTO sale_day (workspace_id, mode, day, partner_id, program_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (NEW.workspace_id, NEW.mode, (NEW.payment_time / 86400 - (NEW.payment_time % 86400 < 0)), NEW.partner_id, NEW.program_id,
        coalesce((SELECT k.link_id FROM click AS k WHERE k.id = NEW.click_id AND k.workspace_id = NEW.workspace_id AND k.mode = NEW.mode), ''),
        NEW.currency, 0, 0, 0, add_minor(NEW.amount_minor, -NEW.reversed_minor))
        ON CONFLICT DO UPDATE SET commission_minor = add_minor(commission_minor, excluded.commission_minor);
END;
