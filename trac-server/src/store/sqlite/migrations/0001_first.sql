-- Everything trac keeps. `(workspace_id, mode)` leads every key: no row can be reached without naming both.
-- Times are whole seconds since 1970 unless a name says otherwise; money is integer minor units; documents are JSON.

-- What the server remembers of itself: its public address, the salt of the day.
CREATE TABLE setting (
    name   TEXT NOT NULL PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys are random, so a plain SHA-256 with one look-up serves. The key itself is shown once and not kept.
CREATE TABLE api_key (
    hash          BLOB NOT NULL PRIMARY KEY,
    workspace_id  TEXT NOT NULL REFERENCES workspace (id),
    mode          TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    kind          TEXT NOT NULL CHECK (kind IN ('publishable', 'secret')),
    prefix        TEXT NOT NULL,
    last_four     TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER
) STRICT, WITHOUT ROWID;

-- What opens the dashboard: links that open it once, and the sessions made of links and keys. Hashed like keys.
CREATE TABLE dashboard_token (
    hash          BLOB NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('link', 'session')),
    workspace_id  TEXT NOT NULL REFERENCES workspace (id),
    mode          TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Found by ID alone: the address Stripe posts to names nothing else.
CREATE TABLE webhook_endpoint (
    id              TEXT NOT NULL PRIMARY KEY,
    workspace_id    TEXT NOT NULL REFERENCES workspace (id),
    mode            TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    stripe_account  TEXT,
    secrets         TEXT NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_endpoint_scope ON webhook_endpoint (workspace_id, mode, id);

CREATE TABLE program (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;

-- A change of terms is a new version; the old ones stay, because old payments are judged by them.
CREATE TABLE program_version (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    program_id    TEXT NOT NULL,
    number        INTEGER NOT NULL,
    valid_from    INTEGER NOT NULL,
    terms         TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, program_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE partner (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,
    email         TEXT,
    code          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE enrollment (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    program_id    TEXT NOT NULL,
    partner_id    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, program_id, partner_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE enrollment_version (
    workspace_id   TEXT NOT NULL,
    mode           TEXT NOT NULL,
    enrollment_id  TEXT NOT NULL,
    number         INTEGER NOT NULL,
    valid_from     INTEGER NOT NULL,
    terms          TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, enrollment_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    program_id    TEXT NOT NULL,
    partner_id    TEXT NOT NULL,
    slug          TEXT NOT NULL,
    destination   TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    deleted_at    INTEGER,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
-- A slug is a public address: one namespace for all.
CREATE UNIQUE INDEX link_slug ON link (slug) WHERE deleted_at IS NULL;

CREATE TABLE click (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    program_id    TEXT NOT NULL,
    partner_id    TEXT NOT NULL,
    link_id       TEXT,
    clicked_at    INTEGER NOT NULL,
    is_unique     INTEGER NOT NULL,
    visitor       BLOB,
    referrer      TEXT,
    landing_url   TEXT,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX click_time ON click (workspace_id, mode, clicked_at);
CREATE INDEX click_visitor ON click (workspace_id, mode, visitor) WHERE visitor IS NOT NULL;

-- The webhook log. Bodies live in a rowid table of their own: large blobs slow a WITHOUT ROWID tree down.
CREATE TABLE event (
    workspace_id     TEXT NOT NULL,
    mode             TEXT NOT NULL,
    id               TEXT NOT NULL,
    stripe_event_id  TEXT,
    endpoint_id      TEXT NOT NULL,
    type             TEXT,
    -- `data.object.id`: what the event is about.
    object_id        TEXT,
    api_version      TEXT,
    stripe_created   INTEGER,
    received_at      INTEGER NOT NULL,
    outcome          TEXT NOT NULL,
    reason           TEXT NOT NULL,
    message          TEXT NOT NULL,
    deliveries       INTEGER NOT NULL DEFAULT 1,
    -- The payment it is about, or the subscription (`sub_…`) where that is all it names.
    subject_id       TEXT,
    settled_by       TEXT,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_stripe_id ON event (workspace_id, mode, stripe_event_id)
    WHERE stripe_event_id IS NOT NULL;
CREATE INDEX event_subject ON event (workspace_id, mode, subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX event_object ON event (workspace_id, mode, object_id) WHERE object_id IS NOT NULL;
-- Rejected deliveries are folded: one row for each endpoint, reason and minute.
CREATE INDEX event_rejected ON event (workspace_id, mode, endpoint_id, reason, received_at)
    WHERE outcome = 'rejected';

CREATE TABLE event_body (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    event_id      TEXT NOT NULL,
    body          BLOB NOT NULL,
    UNIQUE (workspace_id, mode, event_id)
) STRICT;

-- A payment: the connected set of cs_, pi_, ch_ and in_ that events showed to be the same money, as one document
-- of merged facts. The columns beside it are what other payments need to know of it.
CREATE TABLE payment (
    workspace_id     TEXT NOT NULL,
    mode             TEXT NOT NULL,
    id               TEXT NOT NULL,
    facts            TEXT NOT NULL,
    subscription_id  TEXT,
    customer_id      TEXT,
    decision         TEXT,
    -- Whether it is a sale of its own, not a stray charge or refund that waits for one.
    is_conversion    INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_subscription ON payment (workspace_id, mode, subscription_id)
    WHERE subscription_id IS NOT NULL;
CREATE INDEX payment_customer ON payment (workspace_id, mode, customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE payment_object (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    stripe_id     TEXT NOT NULL,
    payment_id    TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, stripe_id)
) STRICT, WITHOUT ROWID;

-- What is known of subscriptions (`sub_`) and customers (`cus_`) themselves.
CREATE TABLE holder (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    stripe_id     TEXT NOT NULL,
    facts         TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, stripe_id)
) STRICT, WITHOUT ROWID;

-- The sums are a projection of ledger_entry, kept in the same transaction.
CREATE TABLE commission (
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
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX commission_payment ON commission (workspace_id, mode, payment_id);
CREATE INDEX commission_partner ON commission (workspace_id, mode, partner_id);

CREATE TABLE ledger_entry (
    workspace_id   TEXT NOT NULL,
    mode           TEXT NOT NULL,
    id             TEXT NOT NULL,
    commission_id  TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('earn', 'reverse', 'restore', 'adjust')),
    amount_minor   INTEGER NOT NULL CHECK (amount_minor <> 0),
    currency       TEXT NOT NULL,
    reason         TEXT NOT NULL,
    event_id       TEXT,
    corrects       TEXT,
    at             INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_entry_commission ON ledger_entry (workspace_id, mode, commission_id, id);

CREATE TRIGGER ledger_entry_is_never_changed BEFORE UPDATE ON ledger_entry
BEGIN
    SELECT raise(ABORT, 'ledger entries are only appended');
END;
CREATE TRIGGER ledger_entry_is_never_deleted BEFORE DELETE ON ledger_entry
BEGIN
    SELECT raise(ABORT, 'ledger entries are only appended');
END;

CREATE TABLE payout (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    partner_id    TEXT NOT NULL,
    currency      TEXT NOT NULL,
    amount_minor  INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;

-- Which entries a payout paid. An entry is paid at most once.
CREATE TABLE payout_entry (
    workspace_id   TEXT NOT NULL,
    mode           TEXT NOT NULL,
    entry_id       TEXT NOT NULL,
    payout_id      TEXT NOT NULL,
    commission_id  TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, entry_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payout_entry_commission ON payout_entry (workspace_id, mode, commission_id);
CREATE INDEX payout_entry_payout ON payout_entry (workspace_id, mode, payout_id);

-- The audit log of attribution: one row for each decision that differed from the one before.
CREATE TABLE attribution (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    payment_id    TEXT NOT NULL,
    event_id      TEXT,
    decision      TEXT NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX attribution_payment ON attribution (workspace_id, mode, payment_id);
