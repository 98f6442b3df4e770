-- Payments are rows of about 1.5 kB. A table WITHOUT ROWID keeps at most 1 kB of a row on its page, so each payment had another page,
-- most of it empty.
CREATE TABLE payment_new (
    workspace_id      TEXT NOT NULL,
    mode              TEXT NOT NULL,
    id                TEXT NOT NULL,
    facts             TEXT NOT NULL,
    subscription_id   TEXT,
    customer_id       TEXT,
    decision          TEXT,
    -- Whether it is a sale of its own, not a stray charge or refund that waits for one.
    is_conversion     INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    reason            TEXT,
    is_waiting        INTEGER NOT NULL DEFAULT 0,
    click_id          TEXT,
    rule              TEXT,
    is_credited       INTEGER NOT NULL DEFAULT 0,
    source            TEXT,
    currency          TEXT,
    gross_minor       INTEGER,
    lost_minor        INTEGER,
    happened_at       INTEGER,
    lead_id           TEXT,
    transaction_id    TEXT,
    is_claimed        INTEGER NOT NULL DEFAULT 0,
    unlisted_invoice  TEXT,
    program_id        TEXT,
    partner_id        TEXT,
    link_id           TEXT,
    counts_as         TEXT GENERATED ALWAYS AS
        (CASE WHEN NOT is_conversion OR partner_id IS NULL OR happened_at IS NULL THEN NULL WHEN lead_id IS NOT NULL THEN 'lead'
        WHEN gross_minor IS NOT NULL AND NOT is_claimed
        AND reason NOT IN ('client_reported', 'rejected_by_merchant', 'payment_unlinked', 'duplicate_payment') THEN 'sale' END) VIRTUAL,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT;
INSERT INTO payment_new (
    workspace_id, mode, id, facts, subscription_id, customer_id, decision, is_conversion, created_at, reason,
    is_waiting, click_id, rule, is_credited, source, currency, gross_minor, lost_minor, happened_at, lead_id,
    transaction_id, is_claimed, unlisted_invoice, program_id, partner_id, link_id)
    SELECT
    workspace_id, mode, id, facts, subscription_id, customer_id, decision, is_conversion, created_at, reason,
    is_waiting, click_id, rule, is_credited, source, currency, gross_minor, lost_minor, happened_at, lead_id,
    transaction_id, is_claimed, unlisted_invoice, program_id, partner_id, link_id
    FROM payment ORDER BY workspace_id, mode, id;
DROP TABLE payment;
ALTER TABLE payment_new RENAME TO payment;
CREATE INDEX payment_subscription ON payment (workspace_id, mode, subscription_id)
    WHERE subscription_id IS NOT NULL;
CREATE INDEX payment_customer ON payment (workspace_id, mode, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX payment_unlisted ON payment (workspace_id, mode, unlisted_invoice) WHERE unlisted_invoice IS NOT NULL;
CREATE INDEX payment_click ON payment (workspace_id, mode, click_id, id) WHERE click_id IS NOT NULL;
-- One index for all filters by columns that `payment_count` has, and their combinations.
CREATE INDEX payment_facets ON payment (workspace_id, mode, coalesce(program_id, ''), coalesce(source, ''), coalesce(reason, ''),
    coalesce(currency, ''), is_credited, id) WHERE is_conversion;
-- The columns after the ID are there to be compared without reading the row.
CREATE INDEX payment_partner ON payment (workspace_id, mode, partner_id, id, program_id, source, reason, currency, is_credited, is_conversion)
    WHERE partner_id IS NOT NULL;
CREATE INDEX payment_conversion ON payment (workspace_id, mode, id) WHERE is_conversion;
CREATE INDEX payment_link ON payment (workspace_id, mode, link_id, id) WHERE link_id IS NOT NULL;
CREATE INDEX payment_lead ON payment (workspace_id, mode, lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX payment_lead_reason ON payment (workspace_id, mode, reason, lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX payment_transaction ON payment (workspace_id, mode, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX payment_waiting ON payment (workspace_id, mode, created_at) WHERE is_waiting;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('payment', 'sqlite_autoindex_payment_1', '1000000 1000000 500000 1'),
    ('payment', 'payment_subscription', '1000000 1000000 500000 12'),
    ('payment', 'payment_customer', '1000000 1000000 500000 12'),
    ('payment', 'payment_click', '1000000 1000000 500000 2 1'),
    ('payment', 'payment_unlisted', '100 100 50 1'),
    ('payment', 'payment_facets', '1000000 1000000 500000 100000 80000 60000 40000 40000 1'),
    ('payment', 'payment_partner', '1000000 1000000 500000 1000 1 1 1 1 1 1 1'),
    ('payment', 'payment_conversion', '1000000 1000000 500000 1'),
    ('payment', 'payment_link', '1000000 1000000 500000 1000 1'),
    ('payment', 'payment_lead', '100000 100000 50000 1'),
    ('payment', 'payment_lead_reason', '100000 100000 50000 10000 1'),
    ('payment', 'payment_transaction', '100000 100000 50000 1'),
    ('payment', 'payment_waiting', '10000 10000 5000 1');
ANALYZE sqlite_schema;

-- As before, of the new table.
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

-- Conversions, now also by program.
DROP TABLE payment_count;
CREATE TABLE payment_count (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    program_id    TEXT NOT NULL,
    source        TEXT NOT NULL,
    reason        TEXT NOT NULL,
    currency      TEXT NOT NULL,
    is_credited   INTEGER NOT NULL,
    rows          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, program_id, source, reason, currency, is_credited)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_count (workspace_id, mode, program_id, source, reason, currency, is_credited, rows)
    SELECT workspace_id, mode, coalesce(program_id, ''), coalesce(source, ''), coalesce(reason, ''), coalesce(currency, ''), is_credited, count(*)
    FROM payment WHERE is_conversion GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE TRIGGER payment_count_insert AFTER INSERT ON payment WHEN NEW.is_conversion BEGIN
    INSERT INTO payment_count (workspace_id, mode, program_id, source, reason, currency, is_credited, rows) VALUES
        (NEW.workspace_id, NEW.mode, coalesce(NEW.program_id, ''), coalesce(NEW.source, ''), coalesce(NEW.reason, ''),
        coalesce(NEW.currency, ''), NEW.is_credited, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER payment_count_update AFTER UPDATE OF is_conversion, program_id, source, reason, currency, is_credited ON payment
WHEN (NEW.is_conversion, NEW.program_id, NEW.source, NEW.reason, NEW.currency, NEW.is_credited)
    IS NOT (OLD.is_conversion, OLD.program_id, OLD.source, OLD.reason, OLD.currency, OLD.is_credited) BEGIN
    UPDATE payment_count SET rows = rows - 1 WHERE OLD.is_conversion AND workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND program_id = coalesce(OLD.program_id, '') AND source = coalesce(OLD.source, '') AND reason = coalesce(OLD.reason, '')
        AND currency = coalesce(OLD.currency, '') AND is_credited = OLD.is_credited;
    INSERT INTO payment_count (workspace_id, mode, program_id, source, reason, currency, is_credited, rows)
        SELECT NEW.workspace_id, NEW.mode, coalesce(NEW.program_id, ''), coalesce(NEW.source, ''), coalesce(NEW.reason, ''),
        coalesce(NEW.currency, ''), NEW.is_credited, 1
        WHERE NEW.is_conversion ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER payment_count_delete AFTER DELETE ON payment WHEN OLD.is_conversion BEGIN
    UPDATE payment_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND program_id = coalesce(OLD.program_id, '') AND source = coalesce(OLD.source, '') AND reason = coalesce(OLD.reason, '')
        AND currency = coalesce(OLD.currency, '') AND is_credited = OLD.is_credited;
END;
