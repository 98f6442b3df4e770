-- The values that lists filter by and reports add up are in columns, written together with the decision they
-- are part of.
-- The reason as it is shown after 72 hours of waiting; whether the payment still waits is in is_waiting.
ALTER TABLE payment ADD COLUMN reason TEXT;
ALTER TABLE payment ADD COLUMN is_waiting INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN click_id TEXT;
ALTER TABLE payment ADD COLUMN rule TEXT;
-- Whether a click was found and credited.
ALTER TABLE payment ADD COLUMN is_credited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment ADD COLUMN source TEXT;
ALTER TABLE payment ADD COLUMN currency TEXT;
ALTER TABLE payment ADD COLUMN gross_minor INTEGER;
ALTER TABLE payment ADD COLUMN lost_minor INTEGER;
ALTER TABLE payment ADD COLUMN happened_at INTEGER;
ALTER TABLE payment ADD COLUMN lead_id TEXT;
ALTER TABLE payment ADD COLUMN transaction_id TEXT;
-- Whether only a page reported it, and the merchant has not approved it.
ALTER TABLE payment ADD COLUMN is_claimed INTEGER NOT NULL DEFAULT 0;
-- The invoice whose lines are to be requested from Stripe.
ALTER TABLE payment ADD COLUMN unlisted_invoice TEXT;

UPDATE payment SET
    reason = CASE decision ->> '$.reason' WHEN 'no_attribution_yet' THEN 'no_click' ELSE decision ->> '$.reason' END,
    is_waiting = decision ->> '$.reason' = 'no_attribution_yet',
    click_id = decision ->> '$.attribution.click_id',
    rule = decision ->> '$.attribution.rule',
    is_credited = decision ->> '$.attribution.click_id' IS NOT NULL AND decision ->> '$.reason' NOT IN
        ('click_expired', 'partner_not_approved', 'program_inactive', 'self_referral', 'duplicate_payment',
         'payment_unlinked', 'rejected_by_merchant'),
    source = CASE WHEN decision ->> '$.lead_id' IS NOT NULL THEN 'lead'
        WHEN subscription_id IS NOT NULL THEN 'recurring' ELSE 'sale' END,
    currency = decision ->> '$.currency',
    gross_minor = decision ->> '$.gross_minor',
    lost_minor = decision ->> '$.lost_minor',
    happened_at = decision ->> '$.time',
    lead_id = decision ->> '$.lead_id',
    transaction_id = decision ->> '$.transaction',
    is_claimed = coalesce(decision ->> '$.claimed', 0),
    unlisted_invoice = (SELECT i.key FROM json_each(payment.facts, '$.invoices') AS i
        WHERE i.key = payment.decision ->> '$.stripe.invoice' AND payment.decision ->> '$.reason' = 'products_unknown'
        AND i.value ->> '$.amounts' IS NOT NULL
        AND coalesce(i.value ->> '$.lines', i.value ->> '$.amounts.value.lines') IS NULL)
WHERE decision IS NOT NULL;

DROP INDEX payment_unlisted;
CREATE INDEX payment_unlisted ON payment (workspace_id, mode, unlisted_invoice) WHERE unlisted_invoice IS NOT NULL;
CREATE INDEX payment_reason ON payment (workspace_id, mode, reason, id) WHERE is_conversion;
CREATE INDEX payment_click ON payment (workspace_id, mode, click_id, id) WHERE click_id IS NOT NULL;
CREATE INDEX payment_currency ON payment (workspace_id, mode, currency, id) WHERE is_conversion;

-- The values of a payment that may be click IDs, except the credited one.
CREATE TABLE candidate (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    value         TEXT NOT NULL,
    payment_id    TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, value, payment_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX candidate_payment ON candidate (workspace_id, mode, payment_id);
INSERT INTO candidate (workspace_id, mode, value, payment_id)
    SELECT DISTINCT p.workspace_id, p.mode, c.value ->> '$.value', p.id FROM payment AS p, json_each(p.decision, '$.candidates') AS c
    WHERE c.value ->> '$.value' IS NOT coalesce(p.decision ->> '$.attribution.click_id', '');

-- What the merchant decided about a lead that a page reported.
ALTER TABLE lead ADD COLUMN status TEXT;
UPDATE lead SET status = (SELECT CASE l.value ->> '$.verdict.value' WHEN 1 THEN 'approved' WHEN 0 THEN 'rejected' END
    FROM payment_object AS o JOIN payment AS p ON p.workspace_id = o.workspace_id AND p.mode = o.mode AND p.id = o.payment_id,
    json_each(p.facts, '$.leads') AS l
    WHERE o.workspace_id = lead.workspace_id AND o.mode = lead.mode AND o.stripe_id = lead.id AND l.key = lead.id LIMIT 1);

-- The status of a version gets its own column next to the terms.
ALTER TABLE program_version ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
UPDATE program_version SET status = coalesce(terms ->> '$.status', 'active');
ALTER TABLE enrollment_version ADD COLUMN status TEXT NOT NULL DEFAULT 'approved';
UPDATE enrollment_version SET status = coalesce(terms ->> '$.status', 'approved');

-- Indexes that ignore case use lower(), an expression that every database knows.
DROP INDEX link_slug_any_case;
CREATE INDEX link_slug_any_case ON link (lower(slug)) WHERE deleted_at IS NULL;
DROP INDEX program_slug;
CREATE UNIQUE INDEX program_slug ON program (lower(slug), mode) WHERE slug IS NOT NULL;
DROP INDEX partner_code_any_case;
CREATE INDEX partner_code_any_case ON partner (workspace_id, mode, lower(code));

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('payment', 'payment_reason', '1000000 1000000 500000 50000 1'),
    ('payment', 'payment_click', '1000000 1000000 500000 2 1'),
    ('payment', 'payment_currency', '1000000 1000000 500000 250000 1'),
    ('payment', 'payment_unlisted', '100 100 50 1'),
    ('partner', 'partner_code_any_case', '10000 10000 5000 1'),
    ('link', 'link', '100000 100000 50000 1'),
    ('link', 'link_slug_any_case', '100000 1'),
    ('link', 'link_partner', '100000 100000 50000 10 10 1'),
    ('candidate', 'candidate', '300000 300000 150000 2 1'),
    ('candidate', 'candidate_payment', '300000 300000 150000 2');
ANALYZE sqlite_schema;
