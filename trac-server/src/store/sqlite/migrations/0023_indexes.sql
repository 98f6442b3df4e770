-- Lists are answered by indexes, also where they are filtered.

-- Whether it is part of a payout.
ALTER TABLE commission ADD COLUMN is_paid INTEGER NOT NULL DEFAULT 0;
UPDATE commission SET is_paid = 1 WHERE EXISTS (SELECT 1 FROM payout_entry AS e
    WHERE e.workspace_id = commission.workspace_id AND e.mode = commission.mode AND e.commission_id = commission.id);
-- The status, where 'open' is approved from matures_at on and pending before.
ALTER TABLE commission ADD COLUMN state TEXT NOT NULL GENERATED ALWAYS AS
    (CASE WHEN is_paid THEN 'paid' WHEN amount_minor = reversed_minor THEN 'reversed' WHEN held THEN 'held' ELSE 'open' END) VIRTUAL;
CREATE INDEX commission_program ON commission (workspace_id, mode, program_id);
CREATE INDEX commission_click ON commission (workspace_id, mode, click_id);
CREATE INDEX commission_source ON commission (workspace_id, mode, source);
CREATE INDEX commission_currency ON commission (workspace_id, mode, currency);
CREATE INDEX commission_reason ON commission (workspace_id, mode, reason);
CREATE INDEX commission_state ON commission (workspace_id, mode, state, id, matures_at);
CREATE INDEX commission_maturity ON commission (workspace_id, mode, matures_at) WHERE state = 'open';
CREATE INDEX commission_partner_maturity ON commission (workspace_id, mode, partner_id, currency, matures_at, amount_minor, reversed_minor)
    WHERE state = 'open';

-- Program, partner and link of the click that the decision names.
ALTER TABLE payment ADD COLUMN program_id TEXT;
ALTER TABLE payment ADD COLUMN partner_id TEXT;
ALTER TABLE payment ADD COLUMN link_id TEXT;
UPDATE payment SET (program_id, partner_id, link_id) = (SELECT k.program_id, k.partner_id, k.link_id FROM click AS k
    WHERE k.id = payment.click_id AND k.workspace_id = payment.workspace_id AND k.mode = payment.mode)
WHERE click_id IS NOT NULL;
-- What it is in reports: a credited lead, a credited sale, or nothing. Not sales: payments that failed or are still open, claims
-- that are not approved, and payments that may be the same money as another payment.
ALTER TABLE payment ADD COLUMN counts_as TEXT GENERATED ALWAYS AS
    (CASE WHEN NOT is_conversion OR partner_id IS NULL OR happened_at IS NULL THEN NULL WHEN lead_id IS NOT NULL THEN 'lead'
    WHEN gross_minor IS NOT NULL AND NOT is_claimed
    AND reason NOT IN ('client_reported', 'rejected_by_merchant', 'payment_unlinked', 'duplicate_payment') THEN 'sale' END) VIRTUAL;
CREATE INDEX payment_conversion ON payment (workspace_id, mode, id) WHERE is_conversion;
CREATE INDEX payment_source ON payment (workspace_id, mode, source, id) WHERE is_conversion;
CREATE INDEX payment_credited ON payment (workspace_id, mode, is_credited, id) WHERE is_conversion;
CREATE INDEX payment_program ON payment (workspace_id, mode, program_id, id) WHERE program_id IS NOT NULL;
CREATE INDEX payment_partner ON payment (workspace_id, mode, partner_id, id) WHERE partner_id IS NOT NULL;
CREATE INDEX payment_link ON payment (workspace_id, mode, link_id, id) WHERE link_id IS NOT NULL;
CREATE INDEX payment_lead ON payment (workspace_id, mode, lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX payment_lead_reason ON payment (workspace_id, mode, reason, lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX payment_transaction ON payment (workspace_id, mode, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX payment_waiting ON payment (workspace_id, mode, created_at) WHERE is_waiting;

-- The outcome and reason as they are shown after 72 hours.
ALTER TABLE event ADD COLUMN last_outcome TEXT NOT NULL GENERATED ALWAYS AS
    (CASE WHEN outcome = 'deferred' AND reason = 'no_attribution_yet' THEN 'skipped' ELSE outcome END) VIRTUAL;
ALTER TABLE event ADD COLUMN last_reason TEXT NOT NULL GENERATED ALWAYS AS
    (CASE WHEN outcome = 'deferred' AND reason = 'no_attribution_yet' THEN 'no_click' ELSE reason END) VIRTUAL;
CREATE INDEX event_outcome ON event (workspace_id, mode, last_outcome);
CREATE INDEX event_reason ON event (workspace_id, mode, last_reason);
CREATE INDEX event_type ON event (workspace_id, mode, type);
CREATE INDEX event_api_version ON event (workspace_id, mode, api_version);
CREATE INDEX event_endpoint ON event (workspace_id, mode, endpoint_id);
CREATE INDEX event_settled_by ON event (workspace_id, mode, settled_by) WHERE settled_by IS NOT NULL;
CREATE INDEX event_waiting ON event (workspace_id, mode, received_at) WHERE outcome = 'deferred' AND reason = 'no_attribution_yet';

CREATE INDEX attribution_event ON attribution (workspace_id, mode, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX lead_event_name ON lead (workspace_id, mode, event_name);
CREATE INDEX lead_status ON lead (workspace_id, mode, status) WHERE status IS NOT NULL;
CREATE INDEX lead_deferred ON lead (workspace_id, mode, deferred);
CREATE INDEX payout_partner ON payout (workspace_id, mode, partner_id);
CREATE INDEX enrollment_partner ON enrollment (workspace_id, mode, partner_id);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('commission', 'commission_program', '1000000 1000000 500000 100000'),
    ('commission', 'commission_click', '1000000 1000000 500000 2'),
    ('commission', 'commission_source', '1000000 1000000 500000 250000'),
    ('commission', 'commission_currency', '1000000 1000000 500000 250000'),
    ('commission', 'commission_reason', '1000000 1000000 500000 50000'),
    ('commission', 'commission_state', '1000000 1000000 500000 125000 1 1'),
    ('commission', 'commission_maturity', '300000 300000 150000 2'),
    ('commission', 'commission_partner_maturity', '300000 300000 150000 300 150 1 1 1'),
    ('payment', 'payment_conversion', '1000000 1000000 500000 1'),
    ('payment', 'payment_source', '1000000 1000000 500000 250000 1'),
    ('payment', 'payment_credited', '1000000 1000000 500000 500000 1'),
    ('payment', 'payment_program', '1000000 1000000 500000 100000 1'),
    ('payment', 'payment_partner', '1000000 1000000 500000 1000 1'),
    ('payment', 'payment_link', '1000000 1000000 500000 1000 1'),
    ('payment', 'payment_lead', '100000 100000 50000 1'),
    ('payment', 'payment_lead_reason', '100000 100000 50000 10000 1'),
    ('payment', 'payment_transaction', '100000 100000 50000 1'),
    ('payment', 'payment_waiting', '10000 10000 5000 1'),
    ('event', 'event_outcome', '1000000 1000000 500000 200000'),
    ('event', 'event_reason', '1000000 1000000 500000 50000'),
    ('event', 'event_type', '1000000 1000000 500000 100000'),
    ('event', 'event_api_version', '1000000 1000000 500000 500000'),
    ('event', 'event_endpoint', '1000000 1000000 500000 500000'),
    ('event', 'event_settled_by', '100000 100000 50000 2'),
    ('event', 'event_waiting', '100000 100000 50000 1'),
    ('attribution', 'attribution_event', '1000000 1000000 500000 2'),
    ('lead', 'lead_event_name', '100000 100000 50000 10000'),
    ('lead', 'lead_status', '10000 10000 5000 2000'),
    ('lead', 'lead_deferred', '100000 100000 50000 25000'),
    ('payout', 'payout_partner', '10000 10000 5000 10'),
    ('enrollment', 'enrollment_partner', '10000 10000 5000 2');
ANALYZE sqlite_schema;
