-- Whose invoice has more lines than an event carries. They are asked for: a row of `question` has the invoice's ID as `stripe_id`
-- then, and as `invoice` too once Stripe has listed them.
CREATE INDEX payment_unlisted ON payment (workspace_id, mode)
    WHERE decision ->> '$.reason' = 'products_unknown' AND decision ->> '$.stripe.invoice' GLOB 'in_*';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('payment', 'payment_unlisted', '1000 1000 500');
ANALYZE sqlite_schema;
