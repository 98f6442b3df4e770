-- `state` as a column of its own. SQLite never reads a generated column from an index alone, so that counting the pending commissions
-- read the row of each.
DROP TRIGGER balance_entry_paid;
CREATE TABLE commission_new (
    workspace_id        TEXT NOT NULL,
    mode                TEXT NOT NULL,
    id                  TEXT NOT NULL,
    payment_id          TEXT NOT NULL,
    program_id          TEXT NOT NULL,
    partner_id          TEXT NOT NULL,
    enrollment_id       TEXT NOT NULL,
    click_id            TEXT NOT NULL,
    program_version     INTEGER NOT NULL,
    enrollment_version  INTEGER NOT NULL,
    source              TEXT NOT NULL,
    recurring_month     INTEGER,
    currency            TEXT NOT NULL,
    base_minor          INTEGER NOT NULL,
    amount_minor        INTEGER NOT NULL,
    reversed_minor      INTEGER NOT NULL,
    reason              TEXT NOT NULL,
    matures_at          INTEGER NOT NULL,
    payment_time        INTEGER NOT NULL,
    held                INTEGER NOT NULL,
    -- Whether another commission took its place.
    closed              INTEGER NOT NULL,
    stripe              TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    is_paid             INTEGER NOT NULL DEFAULT 0,
    -- The part of its status that does not depend on the time.
    state               TEXT NOT NULL CHECK (state =
        CASE WHEN is_paid THEN 'paid' WHEN amount_minor = reversed_minor THEN 'reversed' WHEN held THEN 'held' ELSE 'open' END),
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
INSERT INTO commission_new (
    workspace_id, mode, id, payment_id, program_id, partner_id, enrollment_id, click_id, program_version, enrollment_version, source,
    recurring_month, currency, base_minor, amount_minor, reversed_minor, reason, matures_at, payment_time, held, closed, stripe, created_at,
    is_paid, state)
    SELECT
    workspace_id, mode, id, payment_id, program_id, partner_id, enrollment_id, click_id, program_version, enrollment_version, source,
    recurring_month, currency, base_minor, amount_minor, reversed_minor, reason, matures_at, payment_time, held, closed, stripe, created_at,
    is_paid, state
    FROM commission;
DROP TABLE commission;
ALTER TABLE commission_new RENAME TO commission;
CREATE INDEX commission_payment ON commission (workspace_id, mode, payment_id);
CREATE INDEX commission_click ON commission (workspace_id, mode, click_id);
CREATE INDEX commission_facets ON commission (workspace_id, mode, program_id, source, currency, reason, state, id, matures_at);
CREATE INDEX commission_partner ON commission (workspace_id, mode, partner_id, program_id, source, currency, reason, state, id, matures_at);
-- With all columns by which the commissions that are not due yet are counted and added up.
CREATE INDEX commission_maturity ON commission (workspace_id, mode, matures_at, program_id, source, currency, reason, state) WHERE state = 'open';
CREATE INDEX commission_partner_maturity ON commission (workspace_id, mode, partner_id, currency, matures_at, amount_minor, reversed_minor, state)
    WHERE state = 'open';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('commission', 'commission', '1000000 1000000 500000 1'),
    ('commission', 'commission_payment', '1000000 1000000 500000 1'),
    ('commission', 'commission_click', '1000000 1000000 500000 2'),
    ('commission', 'commission_facets', '1000000 1000000 500000 100000 80000 60000 40000 20000 1 1'),
    ('commission', 'commission_partner', '1000000 1000000 500000 1000 500 400 300 200 100 1 1'),
    ('commission', 'commission_maturity', '300000 300000 150000 2 2 2 2 2 2'),
    ('commission', 'commission_partner_maturity', '300000 300000 150000 300 150 1 1 1 1');
ANALYZE sqlite_schema;

-- As before, of the new table.
CREATE TRIGGER balance_entry_paid AFTER INSERT ON payout_entry BEGIN
    UPDATE commission SET is_paid = 1, state = 'paid' WHERE workspace_id = NEW.workspace_id AND mode = NEW.mode AND id = NEW.commission_id
        AND NOT is_paid;
END;
CREATE TRIGGER commission_count_insert AFTER INSERT ON commission BEGIN
    INSERT INTO commission_count (workspace_id, mode, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER commission_count_update AFTER UPDATE OF source, reason, state ON commission
WHEN (NEW.source, NEW.reason, NEW.state) IS NOT (OLD.source, OLD.reason, OLD.state) BEGIN
    UPDATE commission_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND program_id = OLD.program_id
        AND source = OLD.source AND currency = OLD.currency AND reason = OLD.reason AND state = OLD.state;
    INSERT INTO commission_count (workspace_id, mode, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER commission_partner_count_insert AFTER INSERT ON commission BEGIN
    INSERT INTO commission_partner_count (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.enrollment_id, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER commission_partner_count_update AFTER UPDATE OF source, reason, state ON commission
WHEN (NEW.source, NEW.reason, NEW.state) IS NOT (OLD.source, OLD.reason, OLD.state) BEGIN
    UPDATE commission_partner_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND partner_id = OLD.partner_id AND enrollment_id = OLD.enrollment_id AND program_id = OLD.program_id
        AND source = OLD.source AND currency = OLD.currency AND reason = OLD.reason AND state = OLD.state;
    INSERT INTO commission_partner_count (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.enrollment_id, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER balance_commission_insert AFTER INSERT ON commission BEGIN
    INSERT INTO balance (workspace_id, mode, partner_id, currency, open_minor, held_minor, claimed_minor, of_paid_minor, paid_minor)
        VALUES (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.currency,
        CASE WHEN NEW.state = 'open' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END,
        CASE WHEN NEW.state = 'held' AND NEW.reason <> 'client_reported' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END,
        CASE WHEN NEW.state = 'held' AND NEW.reason = 'client_reported' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END,
        CASE WHEN NEW.state = 'paid' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END, 0)
        ON CONFLICT DO UPDATE SET open_minor = add_minor(open_minor, excluded.open_minor), held_minor = add_minor(held_minor, excluded.held_minor),
        claimed_minor = add_minor(claimed_minor, excluded.claimed_minor), of_paid_minor = add_minor(of_paid_minor, excluded.of_paid_minor);
END;
CREATE TRIGGER balance_commission_update AFTER UPDATE OF reason, amount_minor, reversed_minor, state ON commission
WHEN (NEW.state, NEW.reason, add_minor(NEW.amount_minor, -NEW.reversed_minor)) IS NOT (OLD.state, OLD.reason, add_minor(OLD.amount_minor, -OLD.reversed_minor)) BEGIN
    UPDATE balance SET
        open_minor = add_minor(add_minor(open_minor, CASE WHEN OLD.state = 'open' THEN -add_minor(OLD.amount_minor, -OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'open' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END),
        held_minor = add_minor(add_minor(held_minor, CASE WHEN OLD.state = 'held' AND OLD.reason <> 'client_reported' THEN -add_minor(OLD.amount_minor, -OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'held' AND NEW.reason <> 'client_reported' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END),
        claimed_minor = add_minor(add_minor(claimed_minor, CASE WHEN OLD.state = 'held' AND OLD.reason = 'client_reported' THEN -add_minor(OLD.amount_minor, -OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'held' AND NEW.reason = 'client_reported' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END),
        of_paid_minor = add_minor(add_minor(of_paid_minor, CASE WHEN OLD.state = 'paid' THEN -add_minor(OLD.amount_minor, -OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'paid' THEN add_minor(NEW.amount_minor, -NEW.reversed_minor) ELSE 0 END)
    WHERE workspace_id = NEW.workspace_id AND mode = NEW.mode AND partner_id = NEW.partner_id AND currency = NEW.currency;
END;
