-- What SQLite's planner is told of the tables, once and for all: one workspace and mode may hold everything, and what is named
-- by an ID is a handful of rows. Without this it takes the primary key of a WITHOUT ROWID table over a better index and reads
-- a whole workspace to find the three entries of a commission. The figures say shapes, not sizes; they are never measured, so
-- that a plan is the same on every machine. Source: https://www.sqlite.org/optoverview.html, section 4.

-- When payments turn out to be one, the names of the one are looked up by it.
CREATE INDEX payment_object_payment ON payment_object (workspace_id, mode, payment_id);

ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('payment', 'payment', '1000000 1000000 500000 1'),
    ('payment', 'payment_subscription', '1000000 1000000 500000 12'),
    ('payment', 'payment_customer', '1000000 1000000 500000 12'),
    ('payment_object', 'payment_object', '3000000 3000000 1500000 1'),
    ('payment_object', 'payment_object_payment', '3000000 3000000 1500000 4'),
    ('commission', 'commission', '1000000 1000000 500000 1'),
    ('commission', 'commission_payment', '1000000 1000000 500000 2'),
    ('commission', 'commission_partner', '1000000 1000000 500000 5000'),
    ('ledger_entry', 'ledger_entry', '2000000 2000000 1000000 1'),
    ('ledger_entry', 'ledger_entry_commission', '2000000 2000000 1000000 3 1'),
    ('payout_entry', 'payout_entry', '1000000 1000000 500000 1'),
    ('payout_entry', 'payout_entry_commission', '1000000 1000000 500000 3'),
    ('payout_entry', 'payout_entry_payout', '1000000 1000000 500000 500'),
    ('event', 'event', '3000000 3000000 1500000 1'),
    ('event', 'event_stripe_id', '3000000 3000000 1500000 1'),
    ('event', 'event_subject', '3000000 3000000 1500000 4'),
    ('event', 'event_object', '3000000 3000000 1500000 4'),
    ('event', 'event_rejected', '1000 1000 500 500 100 1'),
    ('event_body', 'sqlite_autoindex_event_body_1', '3000000 3000000 1500000 1'),
    ('attribution', 'attribution', '3000000 3000000 1500000 1'),
    ('attribution', 'attribution_payment', '3000000 3000000 1500000 3'),
    ('external_customer', 'external_customer', '1000000 1000000 500000 12 1'),
    ('external_customer', 'external_customer_named_by', '1000000 1000000 500000 2'),
    ('click', 'click', '3000000 3000000 1500000 1'),
    ('click', 'click_time', '3000000 3000000 1500000 5'),
    ('click', 'click_visitor', '3000000 3000000 1500000 3');
ANALYZE sqlite_schema;
