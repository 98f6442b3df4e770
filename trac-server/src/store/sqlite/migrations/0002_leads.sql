-- Leads, and the customers a merchant knows by an ID of its own.

-- A lead is unique for its customer and event name. What it earns is decided like a payment: its facts lie in `payment`,
-- under `payment_object` (stripe_id = the lead's ID).
CREATE TABLE lead (
    workspace_id          TEXT NOT NULL,
    mode                  TEXT NOT NULL,
    id                    TEXT NOT NULL,
    customer_external_id  TEXT NOT NULL,
    event_name            TEXT NOT NULL,
    email                 TEXT,
    name                  TEXT,
    metadata              TEXT,
    -- Whether it waits to be told again before it counts.
    deferred              INTEGER NOT NULL,
    created_at            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, customer_external_id, event_name)
) STRICT, WITHOUT ROWID;

-- Which payments (`pay_`), subscriptions (`sub_`) and customers (`cus_`) name a customer by the merchant's own ID.
CREATE TABLE external_customer (
    workspace_id          TEXT NOT NULL,
    mode                  TEXT NOT NULL,
    customer_external_id  TEXT NOT NULL,
    named_by              TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, customer_external_id, named_by)
) STRICT, WITHOUT ROWID;
CREATE INDEX external_customer_named_by ON external_customer (workspace_id, mode, named_by);

INSERT OR IGNORE INTO external_customer (workspace_id, mode, customer_external_id, named_by)
SELECT p.workspace_id, p.mode, t.atom, p.id FROM payment AS p, json_tree(p.facts) AS t
WHERE t.key = 'customer' AND t.type = 'text' AND t.path LIKE '%references.value';
INSERT OR IGNORE INTO external_customer (workspace_id, mode, customer_external_id, named_by)
SELECT h.workspace_id, h.mode, t.atom, h.stripe_id FROM holder AS h, json_tree(h.facts) AS t
WHERE t.key = 'customer' AND t.type = 'text' AND t.path LIKE '%references.value';
