-- What each partner has earned, by currency and status, and was paid. Triggers keep it, so that it equals the ledger at every commit.
CREATE TABLE balance (
    workspace_id    TEXT NOT NULL,
    mode            TEXT NOT NULL,
    partner_id      TEXT NOT NULL,
    currency        TEXT NOT NULL,
    -- The net amounts of commissions by their state; those of claims that are not approved apart from other held ones.
    open_minor      INTEGER NOT NULL,
    held_minor      INTEGER NOT NULL,
    claimed_minor   INTEGER NOT NULL,
    -- The net amounts of commissions that are part of a payout, and the sum of all entries that were paid.
    of_paid_minor   INTEGER NOT NULL,
    paid_minor      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, partner_id, currency)
) STRICT, WITHOUT ROWID;
INSERT INTO balance (workspace_id, mode, partner_id, currency, open_minor, held_minor, claimed_minor, of_paid_minor, paid_minor)
    SELECT workspace_id, mode, partner_id, currency,
        sum_minor(CASE WHEN state = 'open' THEN amount_minor - reversed_minor ELSE 0 END),
        sum_minor(CASE WHEN state = 'held' AND reason <> 'client_reported' THEN amount_minor - reversed_minor ELSE 0 END),
        sum_minor(CASE WHEN state = 'held' AND reason = 'client_reported' THEN amount_minor - reversed_minor ELSE 0 END),
        sum_minor(CASE WHEN state = 'paid' THEN amount_minor - reversed_minor ELSE 0 END),
        0
    FROM commission GROUP BY 1, 2, 3, 4;
UPDATE balance SET paid_minor = coalesce((SELECT sum_minor(o.amount_minor) FROM payout AS o WHERE o.workspace_id = balance.workspace_id
    AND o.mode = balance.mode AND o.partner_id = balance.partner_id AND o.currency = balance.currency), 0);
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
CREATE TRIGGER balance_commission_update AFTER UPDATE OF reason, amount_minor, reversed_minor, held, is_paid ON commission
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
-- A payout is inserted before its entries, of commissions that the balance has already.
CREATE TRIGGER balance_payout_insert AFTER INSERT ON payout BEGIN
    INSERT INTO balance (workspace_id, mode, partner_id, currency, open_minor, held_minor, claimed_minor, of_paid_minor, paid_minor)
        VALUES (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.currency, 0, 0, 0, 0, NEW.amount_minor)
        ON CONFLICT DO UPDATE SET paid_minor = add_minor(paid_minor, excluded.paid_minor);
END;
CREATE TRIGGER balance_entry_paid AFTER INSERT ON payout_entry BEGIN
    UPDATE commission SET is_paid = 1 WHERE workspace_id = NEW.workspace_id AND mode = NEW.mode AND id = NEW.commission_id AND NOT is_paid;
END;
