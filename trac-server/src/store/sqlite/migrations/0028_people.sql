-- The e-mail addresses of buyers and leads, in lower case, with the payment whose facts contain them, or the customer at Stripe.
CREATE TABLE address (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    email         TEXT NOT NULL,
    named_by      TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, email, named_by)
) STRICT, WITHOUT ROWID;
CREATE INDEX address_named_by ON address (workspace_id, mode, named_by);
INSERT INTO address (workspace_id, mode, email, named_by)
    SELECT p.workspace_id, p.mode, lower(t.value), p.id FROM payment AS p, json_tree(p.facts) AS t WHERE t.type = 'text' AND t.value LIKE '%@%'
    UNION SELECT h.workspace_id, h.mode, lower(t.value), h.stripe_id FROM holder AS h, json_tree(h.facts) AS t
    WHERE h.stripe_id LIKE 'cus%' AND t.type = 'text' AND t.value LIKE '%@%';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('address', 'address', '1000000 1000000 500000 2 1'),
    ('address', 'address_named_by', '1000000 1000000 500000 1');

-- The customers who signed up or paid: by the merchant's own ID if a payment, lead or customer names it, otherwise by Stripe's.
CREATE TABLE customer (
    workspace_id        TEXT NOT NULL,
    mode                TEXT NOT NULL,
    id                  TEXT NOT NULL,
    external_id         TEXT,
    stripe_customer_id  TEXT,
    created_at          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_time ON customer (workspace_id, mode, created_at, id);
CREATE INDEX customer_stripe ON customer (workspace_id, mode, stripe_customer_id) WHERE stripe_customer_id IS NOT NULL;
INSERT INTO customer (workspace_id, mode, id, external_id, stripe_customer_id, created_at)
    SELECT e.workspace_id, e.mode, e.customer_external_id, e.customer_external_id,
        max(coalesce(p.customer_id, CASE WHEN e.named_by LIKE 'cus\_%' ESCAPE '\' THEN e.named_by END)), coalesce(min(p.created_at), unixepoch())
    FROM external_customer AS e LEFT JOIN payment AS p ON p.workspace_id = e.workspace_id AND p.mode = e.mode AND p.id = e.named_by
    GROUP BY 1, 2, 3;
INSERT INTO customer (workspace_id, mode, id, external_id, stripe_customer_id, created_at)
    SELECT q.workspace_id, q.mode, q.customer_id, NULL, q.customer_id, min(q.created_at) FROM payment AS q
    WHERE q.customer_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM external_customer AS e WHERE e.workspace_id = q.workspace_id AND e.mode = q.mode AND e.named_by = q.customer_id)
    AND NOT EXISTS (SELECT 1 FROM payment AS n JOIN external_customer AS e ON e.workspace_id = n.workspace_id AND e.mode = n.mode
        AND e.named_by = n.id WHERE n.workspace_id = q.workspace_id AND n.mode = q.mode AND n.customer_id = q.customer_id)
    GROUP BY 1, 2, 3 ON CONFLICT DO NOTHING;
CREATE TABLE customer_count (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    rows          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode)
) STRICT, WITHOUT ROWID;
INSERT INTO customer_count (workspace_id, mode, rows) SELECT workspace_id, mode, count(*) FROM customer GROUP BY 1, 2;
CREATE TRIGGER customer_count_insert AFTER INSERT ON customer BEGIN
    INSERT INTO customer_count (workspace_id, mode, rows) VALUES (NEW.workspace_id, NEW.mode, 1) ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER customer_count_delete AFTER DELETE ON customer BEGIN
    UPDATE customer_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode;
END;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('customer', 'customer', '500000 500000 250000 1'),
    ('customer', 'customer_time', '500000 500000 250000 2 1'),
    ('customer', 'customer_stripe', '500000 500000 250000 1'),
    -- Without these, the planner reads all leads of a workspace to find those of one customer.
    ('lead', 'lead', '100000 100000 50000 1'),
    ('lead', 'sqlite_autoindex_lead_2', '100000 100000 50000 2 1'),
    ('payout', 'payout', '10000 10000 5000 1'),
    ('enrollment', 'enrollment', '10000 10000 5000 1'),
    ('enrollment', 'sqlite_autoindex_enrollment_2', '10000 10000 5000 1000 1');
ANALYZE sqlite_schema;
