-- What the server asks Stripe for itself, where a merchant has given it a restricted key.

-- Sealed, as signing secrets are; and the part of it that is shown.
ALTER TABLE webhook_endpoint ADD COLUMN stripe_api_key TEXT;
ALTER TABLE webhook_endpoint ADD COLUMN stripe_api_key_hint TEXT;
-- Why Stripe refuses the key; nothing is asked with it until another is set.
ALTER TABLE webhook_endpoint ADD COLUMN stripe_api_key_problem TEXT;
-- Nothing is asked with the key before then: Stripe said so, or did not answer.
ALTER TABLE webhook_endpoint ADD COLUMN stripe_api_rests_until INTEGER;
CREATE INDEX webhook_endpoint_asks ON webhook_endpoint (workspace_id, mode) WHERE stripe_api_key IS NOT NULL;

-- Which invoice did this PaymentIntent pay? What is open is found in `event`; this says how often it was asked, so that a
-- restart forgets nothing and nothing is asked without end.
CREATE TABLE question (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    -- `pi_…`
    stripe_id     TEXT NOT NULL,
    -- Counted before it is asked.
    tries         INTEGER NOT NULL,
    asked_at      INTEGER NOT NULL,
    -- NULL: it is not asked again.
    next_at       INTEGER,
    -- `in_…`, if Stripe named one.
    invoice       TEXT,
    -- What became of the last try, for people.
    answer        TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, stripe_id)
) STRICT, WITHOUT ROWID;

-- The events whose payment is not known.
CREATE INDEX event_unlinked ON event (workspace_id, mode, subject_id)
    WHERE outcome = 'deferred' AND reason IN ('payment_unlinked', 'payment_unknown');

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('event', 'event_unlinked', '1000 1000 500 2'),
    ('question', 'question', '1000 1000 500 1');
ANALYZE sqlite_schema;
