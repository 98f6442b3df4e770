CREATE FUNCTION add_minor(a BIGINT, b BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(greatest(coalesce(a, 0)::NUMERIC + coalesce(b, 0), -9223372036854775808), 9223372036854775807)::BIGINT $$;
CREATE FUNCTION sub_minor(a BIGINT, b BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(greatest(coalesce(a, 0)::NUMERIC - coalesce(b, 0), -9223372036854775808), 9223372036854775807)::BIGINT $$;
CREATE FUNCTION clamp_minor(s NUMERIC) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN s IS NOT NULL THEN least(greatest(s, -9223372036854775808), 9223372036854775807)::BIGINT END $$;
CREATE FUNCTION sum_minor_step(s NUMERIC, a BIGINT) RETURNS NUMERIC LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN a IS NULL THEN s ELSE coalesce(s, 0) + a END $$;
CREATE AGGREGATE sum_minor(BIGINT) (SFUNC = sum_minor_step, STYPE = NUMERIC, FINALFUNC = clamp_minor);
CREATE FUNCTION floor_day(t BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (t - (t % 86400 + 86400) % 86400) / 86400 $$;
CREATE FUNCTION floor_span(day BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (day - (day % 10 + 10) % 10) / 10 $$;
CREATE FUNCTION unixepoch() RETURNS BIGINT LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT floor(extract(epoch FROM now()))::BIGINT $$;
CREATE TABLE workspace (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL
, fallback_url TEXT COLLATE "C");

CREATE TABLE address (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    email         TEXT COLLATE "C" NOT NULL,
    named_by      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, email, named_by)
);

CREATE TABLE api_key (
    hash          BYTEA NOT NULL PRIMARY KEY,
    workspace_id  TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    mode          TEXT COLLATE "C" NOT NULL CHECK (mode IN ('test', 'live')),
    kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('publishable', 'secret')),
    prefix        TEXT COLLATE "C" NOT NULL,
    last_four     TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT
, id TEXT COLLATE "C", name TEXT COLLATE "C", expires_at BIGINT, last_used_at BIGINT, allowed_origins TEXT COLLATE "C", token_secret TEXT COLLATE "C");

CREATE TABLE attribution (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    payment_id    TEXT COLLATE "C" NOT NULL,
    event_id      TEXT COLLATE "C",
    decision      TEXT COLLATE "C" NOT NULL,
    at            BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE attribution_count (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    rows          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode)
);

CREATE TABLE balance (
    workspace_id    TEXT COLLATE "C" NOT NULL,
    mode            TEXT COLLATE "C" NOT NULL,
    partner_id      TEXT COLLATE "C" NOT NULL,
    currency        TEXT COLLATE "C" NOT NULL,
    -- The net amounts of commissions by their state; those of claims that are not approved apart from other held ones.
    open_minor      BIGINT NOT NULL,
    held_minor      BIGINT NOT NULL,
    claimed_minor   BIGINT NOT NULL,
    -- The net amounts of commissions that are part of a payout, and the sum of all entries that were paid.
    of_paid_minor   BIGINT NOT NULL,
    paid_minor      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, partner_id, currency)
);

-- The calls of pages in the last minute, as Unix milliseconds. A file has no such table: one server counts in memory.
CREATE TABLE call_window (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    calls         BIGINT[] NOT NULL,
    is_accepted   BOOLEAN NOT NULL,
    PRIMARY KEY (workspace_id, mode, kind)
);

CREATE TABLE candidate (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    value         TEXT COLLATE "C" NOT NULL,
    payment_id    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, value, payment_id)
);

CREATE TABLE click_day (
    scope          BIGINT NOT NULL,
    key            BIGINT NOT NULL,
    -- Days since 1970, in UTC.
    day            BIGINT NOT NULL,
    -- The rows of click_record, also those that represent promotion codes.
    clicks         BIGINT NOT NULL,
    unique_clicks  BIGINT NOT NULL,
    -- All visits there ever were, also those whose clicks were deleted since.
    visits         BIGINT NOT NULL,
    unique_visits  BIGINT NOT NULL,
    PRIMARY KEY (scope, key, day)
);

CREATE TABLE click_day_position (
    "row"  BIGINT NOT NULL
);

CREATE TABLE click_record (
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    id           TEXT COLLATE "C" NOT NULL,
    scope        BIGINT NOT NULL,
    program      BIGINT NOT NULL,
    partner      BIGINT NOT NULL,
    link         BIGINT,
    clicked_at   BIGINT NOT NULL,
    is_unique    BOOLEAN NOT NULL,
    -- False for a click that represents a promotion code.
    is_visit     BOOLEAN NOT NULL,
    referrer     TEXT COLLATE "C",
    landing_url  TEXT COLLATE "C",
    PRIMARY KEY (id, scope)
);

CREATE TABLE click_span (
    scope             BIGINT NOT NULL,
    key               BIGINT NOT NULL,
    span              BIGINT NOT NULL,
    visits            BIGINT NOT NULL,
    unique_visits     BIGINT NOT NULL,
    PRIMARY KEY (scope, key, span)
);

-- One row for each transaction that was committed in the last hour: see mark.rs.
CREATE TABLE commit_mark (
    mark  TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE TABLE commission (
    workspace_id        TEXT COLLATE "C" NOT NULL,
    mode                TEXT COLLATE "C" NOT NULL,
    id                  TEXT COLLATE "C" NOT NULL,
    payment_id          TEXT COLLATE "C" NOT NULL,
    program_id          TEXT COLLATE "C" NOT NULL,
    partner_id          TEXT COLLATE "C" NOT NULL,
    enrollment_id       TEXT COLLATE "C" NOT NULL,
    click_id            TEXT COLLATE "C" NOT NULL,
    program_version     BIGINT NOT NULL,
    enrollment_version  BIGINT NOT NULL,
    source              TEXT COLLATE "C" NOT NULL,
    recurring_month     BIGINT,
    currency            TEXT COLLATE "C" NOT NULL,
    base_minor          BIGINT NOT NULL,
    amount_minor        BIGINT NOT NULL,
    reversed_minor      BIGINT NOT NULL,
    reason              TEXT COLLATE "C" NOT NULL,
    matures_at          BIGINT NOT NULL,
    payment_time        BIGINT NOT NULL,
    held                BOOLEAN NOT NULL,
    -- Whether another commission took its place.
    closed              BOOLEAN NOT NULL,
    stripe              TEXT COLLATE "C" NOT NULL,
    created_at          BIGINT NOT NULL,
    is_paid             BOOLEAN NOT NULL DEFAULT FALSE,
    -- The part of its status that does not depend on the time.
    state               TEXT COLLATE "C" NOT NULL CHECK (state =
        CASE WHEN is_paid THEN 'paid' WHEN amount_minor = reversed_minor THEN 'reversed' WHEN held THEN 'held' ELSE 'open' END),
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE commission_count (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    program_id    TEXT COLLATE "C" NOT NULL,
    source        TEXT COLLATE "C" NOT NULL,
    currency      TEXT COLLATE "C" NOT NULL,
    reason        TEXT COLLATE "C" NOT NULL,
    state         TEXT COLLATE "C" NOT NULL,
    rows          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, program_id, source, currency, reason, state)
);

CREATE TABLE commission_partner_count (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    mode           TEXT COLLATE "C" NOT NULL,
    partner_id     TEXT COLLATE "C" NOT NULL,
    enrollment_id  TEXT COLLATE "C" NOT NULL,
    program_id     TEXT COLLATE "C" NOT NULL,
    source         TEXT COLLATE "C" NOT NULL,
    currency       TEXT COLLATE "C" NOT NULL,
    reason         TEXT COLLATE "C" NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    rows           BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state)
);

CREATE TABLE customer (
    workspace_id        TEXT COLLATE "C" NOT NULL,
    mode                TEXT COLLATE "C" NOT NULL,
    id                  TEXT COLLATE "C" NOT NULL,
    external_id         TEXT COLLATE "C",
    stripe_customer_id  TEXT COLLATE "C",
    created_at          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE customer_count (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    rows          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode)
);

CREATE TABLE dashboard_token (
    hash          BYTEA NOT NULL PRIMARY KEY,
    kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('link', 'session')),
    workspace_id  TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    mode          TEXT COLLATE "C" NOT NULL CHECK (mode IN ('test', 'live')),
    expires_at    BIGINT NOT NULL
, key_hash BYTEA, begun_at BIGINT, seen_at BIGINT);

CREATE TABLE deleted_visit (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    mode           TEXT COLLATE "C" NOT NULL,
    -- Days since 1970, in UTC.
    day            BIGINT NOT NULL,
    program_id     TEXT COLLATE "C" NOT NULL,
    partner_id     TEXT COLLATE "C" NOT NULL,
    -- Empty for visits without a link.
    link_id        TEXT COLLATE "C" NOT NULL,
    visits         BIGINT NOT NULL,
    unique_visits  BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, day, program_id, partner_id, link_id)
);

CREATE TABLE enrollment (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    program_id    TEXT COLLATE "C" NOT NULL,
    partner_id    TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL, copied_from TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, program_id, partner_id)
);

CREATE TABLE enrollment_version (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    mode           TEXT COLLATE "C" NOT NULL,
    enrollment_id  TEXT COLLATE "C" NOT NULL,
    number         BIGINT NOT NULL,
    valid_from     BIGINT NOT NULL,
    terms          TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL DEFAULT 'approved',
    PRIMARY KEY (workspace_id, mode, enrollment_id, number)
);

CREATE TABLE event (
    workspace_id     TEXT COLLATE "C" NOT NULL,
    mode             TEXT COLLATE "C" NOT NULL,
    id               TEXT COLLATE "C" NOT NULL,
    stripe_event_id  TEXT COLLATE "C",
    endpoint_id      TEXT COLLATE "C" NOT NULL,
    type             TEXT COLLATE "C",
    -- `data.object.id`: what the event is about.
    object_id        TEXT COLLATE "C",
    api_version      TEXT COLLATE "C",
    stripe_created   BIGINT,
    received_at      BIGINT NOT NULL,
    outcome          TEXT COLLATE "C" NOT NULL,
    reason           TEXT COLLATE "C" NOT NULL,
    message          TEXT COLLATE "C" NOT NULL,
    deliveries       BIGINT NOT NULL DEFAULT 1,
    -- The payment it is about, or the subscription (`sub_…`) where that is all it names.
    subject_id       TEXT COLLATE "C",
    settled_by       TEXT COLLATE "C", last_outcome TEXT COLLATE "C" NOT NULL GENERATED ALWAYS AS
    (CASE WHEN outcome = 'deferred' AND reason = 'no_attribution_yet' THEN 'skipped' ELSE outcome END) STORED, last_reason TEXT COLLATE "C" NOT NULL GENERATED ALWAYS AS
    (CASE WHEN outcome = 'deferred' AND reason = 'no_attribution_yet' THEN 'no_click' ELSE reason END) STORED,
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE event_body (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    event_id      TEXT COLLATE "C" NOT NULL,
    body          BYTEA NOT NULL,
    UNIQUE (workspace_id, mode, event_id)
);

CREATE TABLE event_count (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    last_outcome  TEXT COLLATE "C" NOT NULL,
    last_reason   TEXT COLLATE "C" NOT NULL,
    type          TEXT COLLATE "C" NOT NULL,
    api_version   TEXT COLLATE "C" NOT NULL,
    endpoint_id   TEXT COLLATE "C" NOT NULL,
    rows          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id)
);

CREATE TABLE external_customer (
    workspace_id          TEXT COLLATE "C" NOT NULL,
    mode                  TEXT COLLATE "C" NOT NULL,
    customer_external_id  TEXT COLLATE "C" NOT NULL,
    named_by              TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, customer_external_id, named_by)
);

CREATE TABLE holder (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    stripe_id     TEXT COLLATE "C" NOT NULL,
    facts         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, stripe_id)
);

CREATE TABLE idempotency (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    key           TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of method, address and body.
    request       BYTEA NOT NULL,
    status        BIGINT,
    answer        BYTEA,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, key)
);

CREATE TABLE late_click (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    click_id      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, click_id)
);

CREATE TABLE lead (
    workspace_id          TEXT COLLATE "C" NOT NULL,
    mode                  TEXT COLLATE "C" NOT NULL,
    id                    TEXT COLLATE "C" NOT NULL,
    customer_external_id  TEXT COLLATE "C" NOT NULL,
    event_name            TEXT COLLATE "C" NOT NULL,
    email                 TEXT COLLATE "C",
    name                  TEXT COLLATE "C",
    metadata              TEXT COLLATE "C",
    -- Whether it waits to be told again before it counts.
    deferred              BOOLEAN NOT NULL,
    created_at            BIGINT NOT NULL, status TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, customer_external_id, event_name)
);

CREATE TABLE lead_count (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    event_name    TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    deferred      BOOLEAN NOT NULL,
    rows          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, event_name, status, deferred)
);

CREATE TABLE lease (
    name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder  TEXT COLLATE "C" NOT NULL,
    until   BIGINT NOT NULL
);

CREATE TABLE ledger_entry (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    mode           TEXT COLLATE "C" NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    commission_id  TEXT COLLATE "C" NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('earn', 'reverse', 'restore', 'adjust')),
    amount_minor   BIGINT NOT NULL CHECK (amount_minor <> 0),
    currency       TEXT COLLATE "C" NOT NULL,
    reason         TEXT COLLATE "C" NOT NULL,
    event_id       TEXT COLLATE "C",
    corrects       TEXT COLLATE "C",
    at             BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE link (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    program_id    TEXT COLLATE "C" NOT NULL,
    partner_id    TEXT COLLATE "C" NOT NULL,
    slug          TEXT COLLATE "C" NOT NULL,
    destination   TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    deleted_at    BIGINT, archived_at BIGINT, purged_at BIGINT, copied_from TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE name (
    no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id  TEXT COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE partner (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    email         TEXT COLLATE "C",
    code          TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL, copied_from TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, code)
);

CREATE TABLE partner_address (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    partner_id    TEXT COLLATE "C" NOT NULL,
    email         TEXT COLLATE "C" NOT NULL,
    -- Since when the partner has had it. The first is taken to have been the partner's all the time before.
    since         BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, partner_id, email)
);

CREATE TABLE payment (
    workspace_id      TEXT COLLATE "C" NOT NULL,
    mode              TEXT COLLATE "C" NOT NULL,
    id                TEXT COLLATE "C" NOT NULL,
    facts             TEXT COLLATE "C" NOT NULL,
    subscription_id   TEXT COLLATE "C",
    customer_id       TEXT COLLATE "C",
    decision          TEXT COLLATE "C",
    -- Whether it is a sale of its own, not a stray charge or refund that waits for one.
    is_conversion     BOOLEAN NOT NULL,
    created_at        BIGINT NOT NULL,
    reason            TEXT COLLATE "C",
    is_waiting        BOOLEAN NOT NULL DEFAULT FALSE,
    click_id          TEXT COLLATE "C",
    rule              TEXT COLLATE "C",
    is_credited       BOOLEAN NOT NULL DEFAULT FALSE,
    source            TEXT COLLATE "C",
    currency          TEXT COLLATE "C",
    gross_minor       BIGINT,
    lost_minor        BIGINT,
    happened_at       BIGINT,
    lead_id           TEXT COLLATE "C",
    transaction_id    TEXT COLLATE "C",
    is_claimed        BOOLEAN NOT NULL DEFAULT FALSE,
    unlisted_invoice  TEXT COLLATE "C",
    program_id        TEXT COLLATE "C",
    partner_id        TEXT COLLATE "C",
    link_id           TEXT COLLATE "C",
    counts_as         TEXT COLLATE "C" GENERATED ALWAYS AS
        (CASE WHEN NOT is_conversion OR partner_id IS NULL OR happened_at IS NULL THEN NULL WHEN lead_id IS NOT NULL THEN 'lead'
        WHEN gross_minor IS NOT NULL AND NOT is_claimed
        AND reason NOT IN ('client_reported', 'rejected_by_merchant', 'payment_unlinked', 'duplicate_payment') THEN 'sale' END) STORED,
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE payment_count (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    program_id    TEXT COLLATE "C" NOT NULL,
    source        TEXT COLLATE "C" NOT NULL,
    reason        TEXT COLLATE "C" NOT NULL,
    currency      TEXT COLLATE "C" NOT NULL,
    is_credited   BOOLEAN NOT NULL,
    rows          BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, program_id, source, reason, currency, is_credited)
);

CREATE TABLE payment_object (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    stripe_id     TEXT COLLATE "C" NOT NULL,
    payment_id    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, stripe_id)
);

CREATE TABLE payout (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    partner_id    TEXT COLLATE "C" NOT NULL,
    currency      TEXT COLLATE "C" NOT NULL,
    amount_minor  BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE payout_entry (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    mode           TEXT COLLATE "C" NOT NULL,
    entry_id       TEXT COLLATE "C" NOT NULL,
    payout_id      TEXT COLLATE "C" NOT NULL,
    commission_id  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, entry_id)
);

CREATE TABLE program (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL, slug TEXT COLLATE "C", tracking_domain TEXT COLLATE "C", copied_from TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, mode, id)
);

CREATE TABLE program_version (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    program_id    TEXT COLLATE "C" NOT NULL,
    number        BIGINT NOT NULL,
    valid_from    BIGINT NOT NULL,
    terms         TEXT COLLATE "C" NOT NULL, status TEXT COLLATE "C" NOT NULL DEFAULT 'active',
    PRIMARY KEY (workspace_id, mode, program_id, number)
);

CREATE TABLE promotion_code (
    workspace_id   TEXT COLLATE "C" NOT NULL,
    mode           TEXT COLLATE "C" NOT NULL,
    -- Stripe's ID (`promo_…`), or the code itself in capitals.
    code           TEXT COLLATE "C" NOT NULL,
    click_id       TEXT COLLATE "C" NOT NULL,
    enrollment_id  TEXT COLLATE "C" NOT NULL,
    given_at       BIGINT NOT NULL,
    taken_at       BIGINT,
    PRIMARY KEY (workspace_id, mode, code, click_id)
);

CREATE TABLE question (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    -- `pi_…`
    stripe_id     TEXT COLLATE "C" NOT NULL,
    -- Counted before it is asked.
    tries         BIGINT NOT NULL,
    asked_at      BIGINT NOT NULL,
    -- NULL: it is not asked again.
    next_at       BIGINT,
    -- `in_…`, if Stripe named one.
    invoice       TEXT COLLATE "C",
    -- What became of the last try, for people.
    answer        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, mode, stripe_id)
);

CREATE TABLE refusal (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    route         TEXT COLLATE "C" NOT NULL,
    cause         TEXT COLLATE "C" NOT NULL,
    hour          BIGINT NOT NULL,
    -- What was wrong with the last of them.
    message       TEXT COLLATE "C" NOT NULL,
    calls         BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, route, cause, hour)
);

CREATE TABLE report (
    workspace_id    TEXT COLLATE "C" NOT NULL,
    mode            TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    transaction_id  TEXT COLLATE "C" NOT NULL,
    by_merchant     BOOLEAN NOT NULL,
    -- The payment it was answered with. Payments that are absorbed later keep their IDs as names in payment_object.
    conversion_id   TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    -- The click that a page claimed; empty for the merchant's reports and for claims without a known click.
    claimed_click   TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, transaction_id, by_merchant, claimed_click)
);

CREATE TABLE sale_change (
    workspace_id      TEXT COLLATE "C" NOT NULL,
    mode              TEXT COLLATE "C" NOT NULL,
    -- Days since 1970, in UTC, of the payment or lead.
    day               BIGINT NOT NULL,
    program_id        TEXT COLLATE "C" NOT NULL,
    partner_id        TEXT COLLATE "C" NOT NULL,
    -- Empty for a sale without a link, and for a lead without an amount.
    link_id           TEXT COLLATE "C" NOT NULL,
    currency          TEXT COLLATE "C" NOT NULL,
    leads             BIGINT NOT NULL,
    sales             BIGINT NOT NULL,
    revenue_minor     BIGINT NOT NULL,
    commission_minor  BIGINT NOT NULL
);

CREATE TABLE sale_day (
    scope             BIGINT NOT NULL,
    key               BIGINT NOT NULL,
    day               BIGINT NOT NULL,
    currency          TEXT COLLATE "C" NOT NULL,
    leads             BIGINT NOT NULL,
    sales             BIGINT NOT NULL,
    revenue_minor     BIGINT NOT NULL,
    commission_minor  BIGINT NOT NULL,
    PRIMARY KEY (scope, key, day, currency)
);

CREATE TABLE sale_span (
    scope             BIGINT NOT NULL,
    key               BIGINT NOT NULL,
    span              BIGINT NOT NULL,
    currency          TEXT COLLATE "C" NOT NULL,
    leads             BIGINT NOT NULL,
    sales             BIGINT NOT NULL,
    revenue_minor     BIGINT NOT NULL,
    commission_minor  BIGINT NOT NULL,
    PRIMARY KEY (scope, key, span, currency)
);

CREATE TABLE scope (
    no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    UNIQUE (workspace_id, mode)
);

CREATE TABLE setting (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value  TEXT COLLATE "C" NOT NULL
);

CREATE TABLE visit_not_counted (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    link_id       TEXT COLLATE "C" NOT NULL,
    day           BIGINT NOT NULL,
    why           TEXT COLLATE "C" NOT NULL,
    count         BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mode, link_id, day, why)
);

CREATE TABLE visitor (
    -- The click's, since 1970, in UTC.
    day   BIGINT NOT NULL,
    mark  BYTEA NOT NULL,
    PRIMARY KEY (day, mark)
);

CREATE TABLE webhook_endpoint (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    workspace_id    TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    mode            TEXT COLLATE "C" NOT NULL CHECK (mode IN ('test', 'live')),
    stripe_account  TEXT COLLATE "C",
    secrets         TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL
, stripe_api_key TEXT COLLATE "C", stripe_api_key_hint TEXT COLLATE "C", stripe_api_key_problem TEXT COLLATE "C", stripe_api_rests_until BIGINT);

CREATE INDEX address_named_by ON address (workspace_id, mode, named_by);

CREATE UNIQUE INDEX api_key_id ON api_key (workspace_id, mode, id);

CREATE INDEX attribution_event ON attribution (workspace_id, mode, event_id) WHERE event_id IS NOT NULL;

CREATE INDEX attribution_payment ON attribution (workspace_id, mode, payment_id);

CREATE INDEX candidate_payment ON candidate (workspace_id, mode, payment_id);

CREATE INDEX click_link ON click_record (link, clicked_at) WHERE link IS NOT NULL;

CREATE INDEX click_partner ON click_record (partner, clicked_at);

CREATE INDEX click_program ON click_record (program, clicked_at);

CREATE INDEX click_scope ON click_record (scope, clicked_at);

CREATE INDEX commission_click ON commission (workspace_id, mode, click_id);

CREATE INDEX commission_facets ON commission (workspace_id, mode, program_id, source, currency, reason, state, id, matures_at);

CREATE INDEX commission_maturity ON commission (workspace_id, mode, matures_at, program_id, source, currency, reason, state) WHERE state = 'open';

CREATE INDEX commission_partner ON commission (workspace_id, mode, partner_id, program_id, source, currency, reason, state, id, matures_at);

CREATE INDEX commission_partner_maturity ON commission (workspace_id, mode, partner_id, currency, matures_at, amount_minor, reversed_minor, state)
    WHERE state = 'open';

CREATE INDEX commission_payment ON commission (workspace_id, mode, payment_id);

CREATE INDEX customer_stripe ON customer (workspace_id, mode, stripe_customer_id) WHERE stripe_customer_id IS NOT NULL;

CREATE INDEX customer_time ON customer (workspace_id, mode, created_at, id);

CREATE INDEX dashboard_token_of_workspace ON dashboard_token (workspace_id);

CREATE INDEX enrollment_partner ON enrollment (workspace_id, mode, partner_id);

CREATE INDEX event_facets ON event (workspace_id, mode, last_outcome, last_reason, coalesce(type, ''), coalesce(api_version, ''), endpoint_id, id);

CREATE INDEX event_object ON event (workspace_id, mode, object_id) WHERE object_id IS NOT NULL;

CREATE INDEX event_rejected ON event (workspace_id, mode, endpoint_id, reason, received_at)
    WHERE outcome = 'rejected';

CREATE INDEX event_settled_by ON event (workspace_id, mode, settled_by) WHERE settled_by IS NOT NULL;

CREATE UNIQUE INDEX event_stripe_id ON event (workspace_id, mode, stripe_event_id)
    WHERE stripe_event_id IS NOT NULL;

CREATE INDEX event_subject ON event (workspace_id, mode, subject_id) WHERE subject_id IS NOT NULL;

CREATE INDEX event_unlinked ON event (workspace_id, mode, subject_id)
    WHERE outcome = 'deferred' AND reason IN ('payment_unlinked', 'payment_unknown');

CREATE INDEX event_waiting ON event (workspace_id, mode, received_at) WHERE outcome = 'deferred' AND reason = 'no_attribution_yet';

CREATE INDEX external_customer_named_by ON external_customer (workspace_id, mode, named_by);

CREATE INDEX idempotency_time ON idempotency (created_at);

CREATE INDEX lead_deferred ON lead (workspace_id, mode, deferred);

CREATE INDEX lead_event_name ON lead (workspace_id, mode, event_name);

CREATE INDEX lead_status ON lead (workspace_id, mode, status) WHERE status IS NOT NULL;

CREATE INDEX ledger_entry_commission ON ledger_entry (workspace_id, mode, commission_id, id);

CREATE INDEX link_partner ON link (workspace_id, mode, partner_id, program_id, id);

CREATE UNIQUE INDEX link_slug ON link (slug, mode) WHERE deleted_at IS NULL;

CREATE INDEX link_slug_any_case ON link (lower(slug)) WHERE deleted_at IS NULL;

CREATE INDEX partner_code_any_case ON partner (workspace_id, mode, lower(code));

CREATE INDEX partner_email ON partner (workspace_id, mode, lower(email)) WHERE email IS NOT NULL;

CREATE INDEX payment_click ON payment (workspace_id, mode, click_id, id) WHERE click_id IS NOT NULL;

CREATE INDEX payment_conversion ON payment (workspace_id, mode, id) WHERE is_conversion;

CREATE INDEX payment_customer ON payment (workspace_id, mode, customer_id) WHERE customer_id IS NOT NULL;

CREATE INDEX payment_facets ON payment (workspace_id, mode, coalesce(program_id, ''), coalesce(source, ''), coalesce(reason, ''),
    coalesce(currency, ''), is_credited, id) WHERE is_conversion;

CREATE INDEX payment_lead ON payment (workspace_id, mode, lead_id) WHERE lead_id IS NOT NULL;

CREATE INDEX payment_lead_reason ON payment (workspace_id, mode, reason, lead_id) WHERE lead_id IS NOT NULL;

CREATE INDEX payment_link ON payment (workspace_id, mode, link_id, id) WHERE link_id IS NOT NULL;

CREATE INDEX payment_partner ON payment (workspace_id, mode, partner_id, id, program_id, source, reason, currency, is_credited, is_conversion)
    WHERE partner_id IS NOT NULL;

CREATE INDEX payment_subscription ON payment (workspace_id, mode, subscription_id)
    WHERE subscription_id IS NOT NULL;

CREATE INDEX payment_transaction ON payment (workspace_id, mode, transaction_id) WHERE transaction_id IS NOT NULL;

CREATE INDEX payment_unlisted ON payment (workspace_id, mode, unlisted_invoice) WHERE unlisted_invoice IS NOT NULL;

CREATE INDEX payment_waiting ON payment (workspace_id, mode, created_at) WHERE is_waiting;

CREATE INDEX payment_object_payment ON payment_object (workspace_id, mode, payment_id);

CREATE INDEX payout_partner ON payout (workspace_id, mode, partner_id);

CREATE INDEX payout_entry_commission ON payout_entry (workspace_id, mode, commission_id);

CREATE INDEX payout_entry_payout ON payout_entry (workspace_id, mode, payout_id);

CREATE INDEX program_id ON program (id);

CREATE UNIQUE INDEX program_slug ON program (lower(slug), mode) WHERE slug IS NOT NULL;

CREATE INDEX promotion_code_click ON promotion_code (workspace_id, mode, click_id);

CREATE INDEX promotion_code_enrollment ON promotion_code (workspace_id, mode, enrollment_id);

CREATE UNIQUE INDEX promotion_code_held ON promotion_code (workspace_id, mode, code) WHERE taken_at IS NULL;

CREATE INDEX report_claimed_click ON report (workspace_id, mode, claimed_click) WHERE claimed_click <> '';

CREATE INDEX webhook_endpoint_asks ON webhook_endpoint (workspace_id, mode) WHERE stripe_api_key IS NOT NULL;

CREATE INDEX webhook_endpoint_scope ON webhook_endpoint (workspace_id, mode, id);

CREATE VIEW click AS
    SELECT s.workspace_id, s.mode, r.id, g.id AS program_id, a.id AS partner_id, l.id AS link_id, r.clicked_at, r.is_unique, r.is_visit,
        r.referrer, r.landing_url
    FROM click_record AS r JOIN scope AS s ON s.no = r.scope JOIN name AS g ON g.no = r.program JOIN name AS a ON a.no = r.partner
    LEFT JOIN name AS l ON l.no = r.link;

CREATE FUNCTION attribution_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO attribution_count (workspace_id, mode, rows) VALUES (NEW.workspace_id, NEW.mode, 1) ON CONFLICT (workspace_id, mode) DO UPDATE SET rows = attribution_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER attribution_count_insert AFTER INSERT ON attribution FOR EACH ROW  EXECUTE FUNCTION attribution_count_insert();

CREATE FUNCTION click_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO scope (workspace_id, mode) VALUES (NEW.workspace_id, NEW.mode) ON CONFLICT DO NOTHING;
    INSERT INTO name (id) VALUES (NEW.program_id), (NEW.partner_id) ON CONFLICT DO NOTHING;
    INSERT INTO name (id) SELECT NEW.link_id WHERE NEW.link_id IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO click_record (id, scope, program, partner, link, clicked_at, is_unique, is_visit, referrer, landing_url)
        SELECT NEW.id, s.no, (SELECT no FROM name WHERE id = NEW.program_id), (SELECT no FROM name WHERE id = NEW.partner_id),
        (SELECT no FROM name WHERE id = NEW.link_id), NEW.clicked_at, NEW.is_unique, NEW.is_visit, NEW.referrer, NEW.landing_url
        FROM scope AS s WHERE s.workspace_id = NEW.workspace_id AND s.mode = NEW.mode;
    RETURN NEW;
END $$;
CREATE TRIGGER click_insert INSTEAD OF INSERT ON click FOR EACH ROW  EXECUTE FUNCTION click_insert();

CREATE FUNCTION balance_commission_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO balance (workspace_id, mode, partner_id, currency, open_minor, held_minor, claimed_minor, of_paid_minor, paid_minor)
        VALUES (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.currency,
        CASE WHEN NEW.state = 'open' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END,
        CASE WHEN NEW.state = 'held' AND NEW.reason <> 'client_reported' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END,
        CASE WHEN NEW.state = 'held' AND NEW.reason = 'client_reported' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END,
        CASE WHEN NEW.state = 'paid' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END, 0)
        ON CONFLICT (workspace_id, mode, partner_id, currency) DO UPDATE SET open_minor = add_minor(balance.open_minor, excluded.open_minor), held_minor = add_minor(balance.held_minor, excluded.held_minor),
        claimed_minor = add_minor(balance.claimed_minor, excluded.claimed_minor), of_paid_minor = add_minor(balance.of_paid_minor, excluded.of_paid_minor);
    RETURN NULL;
END $$;
CREATE TRIGGER balance_commission_insert AFTER INSERT ON commission FOR EACH ROW  EXECUTE FUNCTION balance_commission_insert();

CREATE FUNCTION balance_commission_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE balance SET
        open_minor = add_minor(add_minor(open_minor, CASE WHEN OLD.state = 'open' THEN -sub_minor(OLD.amount_minor, OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'open' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END),
        held_minor = add_minor(add_minor(held_minor, CASE WHEN OLD.state = 'held' AND OLD.reason <> 'client_reported' THEN -sub_minor(OLD.amount_minor, OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'held' AND NEW.reason <> 'client_reported' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END),
        claimed_minor = add_minor(add_minor(claimed_minor, CASE WHEN OLD.state = 'held' AND OLD.reason = 'client_reported' THEN -sub_minor(OLD.amount_minor, OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'held' AND NEW.reason = 'client_reported' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END),
        of_paid_minor = add_minor(add_minor(of_paid_minor, CASE WHEN OLD.state = 'paid' THEN -sub_minor(OLD.amount_minor, OLD.reversed_minor) ELSE 0 END),
            CASE WHEN NEW.state = 'paid' THEN sub_minor(NEW.amount_minor, NEW.reversed_minor) ELSE 0 END)
    WHERE workspace_id = NEW.workspace_id AND mode = NEW.mode AND partner_id = NEW.partner_id AND currency = NEW.currency;
    RETURN NULL;
END $$;
CREATE TRIGGER balance_commission_update AFTER UPDATE OF reason, amount_minor, reversed_minor, state ON commission FOR EACH ROW WHEN ((NEW.state, NEW.reason, sub_minor(NEW.amount_minor, NEW.reversed_minor)) IS DISTINCT FROM (OLD.state, OLD.reason, sub_minor(OLD.amount_minor, OLD.reversed_minor))) EXECUTE FUNCTION balance_commission_update();

CREATE FUNCTION commission_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO commission_count (workspace_id, mode, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT (workspace_id, mode, program_id, source, currency, reason, state) DO UPDATE SET rows = commission_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER commission_count_insert AFTER INSERT ON commission FOR EACH ROW  EXECUTE FUNCTION commission_count_insert();

CREATE FUNCTION commission_count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE commission_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND program_id = OLD.program_id
        AND source = OLD.source AND currency = OLD.currency AND reason = OLD.reason AND state = OLD.state;
    INSERT INTO commission_count (workspace_id, mode, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT (workspace_id, mode, program_id, source, currency, reason, state) DO UPDATE SET rows = commission_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER commission_count_update AFTER UPDATE OF source, reason, state ON commission FOR EACH ROW WHEN ((NEW.source, NEW.reason, NEW.state) IS DISTINCT FROM (OLD.source, OLD.reason, OLD.state)) EXECUTE FUNCTION commission_count_update();

CREATE FUNCTION commission_partner_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO commission_partner_count (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.enrollment_id, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state) DO UPDATE SET rows = commission_partner_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER commission_partner_count_insert AFTER INSERT ON commission FOR EACH ROW  EXECUTE FUNCTION commission_partner_count_insert();

CREATE FUNCTION commission_partner_count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE commission_partner_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND partner_id = OLD.partner_id AND enrollment_id = OLD.enrollment_id AND program_id = OLD.program_id
        AND source = OLD.source AND currency = OLD.currency AND reason = OLD.reason AND state = OLD.state;
    INSERT INTO commission_partner_count (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.enrollment_id, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state) DO UPDATE SET rows = commission_partner_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER commission_partner_count_update AFTER UPDATE OF source, reason, state ON commission FOR EACH ROW WHEN ((NEW.source, NEW.reason, NEW.state) IS DISTINCT FROM (OLD.source, OLD.reason, OLD.state)) EXECUTE FUNCTION commission_partner_count_update();

CREATE FUNCTION sale_change_commission_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (NEW.workspace_id, NEW.mode, floor_day(NEW.payment_time), NEW.program_id, NEW.partner_id,
        coalesce((SELECT k.link_id FROM click AS k WHERE k.id = NEW.click_id AND k.workspace_id = NEW.workspace_id AND k.mode = NEW.mode), ''),
        NEW.currency, 0, 0, 0, sub_minor(NEW.amount_minor, NEW.reversed_minor));
    RETURN NULL;
END $$;
CREATE TRIGGER sale_change_commission_insert AFTER INSERT ON commission FOR EACH ROW  EXECUTE FUNCTION sale_change_commission_insert();

CREATE FUNCTION sale_change_commission_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        SELECT NEW.workspace_id, NEW.mode, c.day, NEW.program_id, NEW.partner_id, coalesce((SELECT k.link_id FROM click AS k
        WHERE k.id = NEW.click_id AND k.workspace_id = NEW.workspace_id AND k.mode = NEW.mode), ''), NEW.currency, 0, 0, 0, c.minor
        FROM (SELECT floor_day(OLD.payment_time) AS day, -sub_minor(OLD.amount_minor, OLD.reversed_minor) AS minor
        UNION ALL SELECT floor_day(NEW.payment_time), sub_minor(NEW.amount_minor, NEW.reversed_minor)) AS c;
    RETURN NULL;
END $$;
CREATE TRIGGER sale_change_commission_update AFTER UPDATE OF amount_minor, reversed_minor, payment_time ON commission FOR EACH ROW WHEN ((NEW.amount_minor, NEW.reversed_minor, floor_day(NEW.payment_time)) IS DISTINCT FROM (OLD.amount_minor, OLD.reversed_minor, floor_day(OLD.payment_time))) EXECUTE FUNCTION sale_change_commission_update();

CREATE FUNCTION customer_count_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE customer_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode;
    RETURN NULL;
END $$;
CREATE TRIGGER customer_count_delete AFTER DELETE ON customer FOR EACH ROW  EXECUTE FUNCTION customer_count_delete();

CREATE FUNCTION customer_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO customer_count (workspace_id, mode, rows) VALUES (NEW.workspace_id, NEW.mode, 1) ON CONFLICT (workspace_id, mode) DO UPDATE SET rows = customer_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER customer_count_insert AFTER INSERT ON customer FOR EACH ROW  EXECUTE FUNCTION customer_count_insert();

CREATE FUNCTION event_count_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE event_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND last_outcome = OLD.last_outcome AND last_reason = OLD.last_reason AND type = coalesce(OLD.type, '')
        AND api_version = coalesce(OLD.api_version, '') AND endpoint_id = OLD.endpoint_id;
    RETURN NULL;
END $$;
CREATE TRIGGER event_count_delete AFTER DELETE ON event FOR EACH ROW  EXECUTE FUNCTION event_count_delete();

CREATE FUNCTION event_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO event_count (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.last_outcome, NEW.last_reason, coalesce(NEW.type, ''), coalesce(NEW.api_version, ''), NEW.endpoint_id, 1)
        ON CONFLICT (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id) DO UPDATE SET rows = event_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER event_count_insert AFTER INSERT ON event FOR EACH ROW  EXECUTE FUNCTION event_count_insert();

CREATE FUNCTION event_count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE event_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND last_outcome = OLD.last_outcome AND last_reason = OLD.last_reason AND type = coalesce(OLD.type, '')
        AND api_version = coalesce(OLD.api_version, '') AND endpoint_id = OLD.endpoint_id;
    INSERT INTO event_count (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.last_outcome, NEW.last_reason, coalesce(NEW.type, ''), coalesce(NEW.api_version, ''), NEW.endpoint_id, 1)
        ON CONFLICT (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id) DO UPDATE SET rows = event_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER event_count_update AFTER UPDATE OF outcome, reason, type, api_version, endpoint_id ON event FOR EACH ROW WHEN ((NEW.last_outcome, NEW.last_reason, NEW.type, NEW.api_version, NEW.endpoint_id) IS DISTINCT FROM (OLD.last_outcome, OLD.last_reason, OLD.type, OLD.api_version, OLD.endpoint_id)) EXECUTE FUNCTION event_count_update();

CREATE FUNCTION lead_count_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE lead_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND event_name = OLD.event_name
        AND status = coalesce(OLD.status, '') AND deferred = OLD.deferred;
    RETURN NULL;
END $$;
CREATE TRIGGER lead_count_delete AFTER DELETE ON lead FOR EACH ROW  EXECUTE FUNCTION lead_count_delete();

CREATE FUNCTION lead_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO lead_count (workspace_id, mode, event_name, status, deferred, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.event_name, coalesce(NEW.status, ''), NEW.deferred, 1) ON CONFLICT (workspace_id, mode, event_name, status, deferred) DO UPDATE SET rows = lead_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER lead_count_insert AFTER INSERT ON lead FOR EACH ROW  EXECUTE FUNCTION lead_count_insert();

CREATE FUNCTION lead_count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE lead_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND event_name = OLD.event_name
        AND status = coalesce(OLD.status, '') AND deferred = OLD.deferred;
    INSERT INTO lead_count (workspace_id, mode, event_name, status, deferred, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.event_name, coalesce(NEW.status, ''), NEW.deferred, 1) ON CONFLICT (workspace_id, mode, event_name, status, deferred) DO UPDATE SET rows = lead_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER lead_count_update AFTER UPDATE OF status, deferred ON lead FOR EACH ROW WHEN ((NEW.status, NEW.deferred) IS DISTINCT FROM (OLD.status, OLD.deferred)) EXECUTE FUNCTION lead_count_update();

CREATE FUNCTION ledger_entry_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'ledger entries are only appended';
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_is_never_changed BEFORE UPDATE ON ledger_entry FOR EACH ROW  EXECUTE FUNCTION ledger_entry_is_never_changed();

CREATE FUNCTION ledger_entry_is_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'ledger entries are only appended';
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_is_never_deleted BEFORE DELETE ON ledger_entry FOR EACH ROW  EXECUTE FUNCTION ledger_entry_is_never_deleted();

CREATE FUNCTION payment_count_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE payment_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND program_id = coalesce(OLD.program_id, '') AND source = coalesce(OLD.source, '') AND reason = coalesce(OLD.reason, '')
        AND currency = coalesce(OLD.currency, '') AND is_credited = OLD.is_credited;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_count_delete AFTER DELETE ON payment FOR EACH ROW WHEN (OLD.is_conversion) EXECUTE FUNCTION payment_count_delete();

CREATE FUNCTION payment_count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO payment_count (workspace_id, mode, program_id, source, reason, currency, is_credited, rows) VALUES
        (NEW.workspace_id, NEW.mode, coalesce(NEW.program_id, ''), coalesce(NEW.source, ''), coalesce(NEW.reason, ''),
        coalesce(NEW.currency, ''), NEW.is_credited, 1)
        ON CONFLICT (workspace_id, mode, program_id, source, reason, currency, is_credited) DO UPDATE SET rows = payment_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_count_insert AFTER INSERT ON payment FOR EACH ROW WHEN (NEW.is_conversion) EXECUTE FUNCTION payment_count_insert();

CREATE FUNCTION payment_count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE payment_count SET rows = rows - 1 WHERE OLD.is_conversion AND workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND program_id = coalesce(OLD.program_id, '') AND source = coalesce(OLD.source, '') AND reason = coalesce(OLD.reason, '')
        AND currency = coalesce(OLD.currency, '') AND is_credited = OLD.is_credited;
    INSERT INTO payment_count (workspace_id, mode, program_id, source, reason, currency, is_credited, rows)
        SELECT NEW.workspace_id, NEW.mode, coalesce(NEW.program_id, ''), coalesce(NEW.source, ''), coalesce(NEW.reason, ''),
        coalesce(NEW.currency, ''), NEW.is_credited, 1
        WHERE NEW.is_conversion ON CONFLICT (workspace_id, mode, program_id, source, reason, currency, is_credited) DO UPDATE SET rows = payment_count.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_count_update AFTER UPDATE OF is_conversion, program_id, source, reason, currency, is_credited ON payment FOR EACH ROW WHEN ((NEW.is_conversion, NEW.program_id, NEW.source, NEW.reason, NEW.currency, NEW.is_credited) IS DISTINCT FROM (OLD.is_conversion, OLD.program_id, OLD.source, OLD.reason, OLD.currency, OLD.is_credited)) EXECUTE FUNCTION payment_count_update();

CREATE FUNCTION sale_change_payment_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (OLD.workspace_id, OLD.mode, floor_day(OLD.happened_at), OLD.program_id, OLD.partner_id,
        coalesce(OLD.link_id, ''), coalesce(OLD.currency, ''), -(OLD.counts_as = 'lead')::int, -(OLD.counts_as = 'sale')::int,
        CASE WHEN OLD.counts_as = 'sale' THEN coalesce(OLD.lost_minor, 0) - coalesce(OLD.gross_minor, 0) ELSE 0 END, 0);
    RETURN NULL;
END $$;
CREATE TRIGGER sale_change_payment_delete AFTER DELETE ON payment FOR EACH ROW WHEN (OLD.counts_as IS NOT NULL) EXECUTE FUNCTION sale_change_payment_delete();

CREATE FUNCTION sale_change_payment_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        VALUES (NEW.workspace_id, NEW.mode, floor_day(NEW.happened_at), NEW.program_id, NEW.partner_id,
        coalesce(NEW.link_id, ''), coalesce(NEW.currency, ''), (NEW.counts_as = 'lead')::int, (NEW.counts_as = 'sale')::int,
        CASE WHEN NEW.counts_as = 'sale' THEN coalesce(NEW.gross_minor, 0) - coalesce(NEW.lost_minor, 0) ELSE 0 END, 0);
    RETURN NULL;
END $$;
CREATE TRIGGER sale_change_payment_insert AFTER INSERT ON payment FOR EACH ROW WHEN (NEW.counts_as IS NOT NULL) EXECUTE FUNCTION sale_change_payment_insert();

CREATE FUNCTION sale_change_payment_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        SELECT OLD.workspace_id, OLD.mode, floor_day(OLD.happened_at), OLD.program_id, OLD.partner_id,
        coalesce(OLD.link_id, ''), coalesce(OLD.currency, ''), -(OLD.counts_as = 'lead')::int, -(OLD.counts_as = 'sale')::int,
        CASE WHEN OLD.counts_as = 'sale' THEN coalesce(OLD.lost_minor, 0) - coalesce(OLD.gross_minor, 0) ELSE 0 END, 0
        WHERE OLD.counts_as IS NOT NULL;
    INSERT INTO sale_change (workspace_id, mode, day, program_id, partner_id, link_id, currency, leads, sales, revenue_minor, commission_minor)
        SELECT NEW.workspace_id, NEW.mode, floor_day(NEW.happened_at), NEW.program_id, NEW.partner_id,
        coalesce(NEW.link_id, ''), coalesce(NEW.currency, ''), (NEW.counts_as = 'lead')::int, (NEW.counts_as = 'sale')::int,
        CASE WHEN NEW.counts_as = 'sale' THEN coalesce(NEW.gross_minor, 0) - coalesce(NEW.lost_minor, 0) ELSE 0 END, 0
        WHERE NEW.counts_as IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER sale_change_payment_update AFTER UPDATE OF is_conversion, reason, click_id, is_claimed, lead_id, currency, gross_minor,
    lost_minor, happened_at, program_id, partner_id, link_id ON payment FOR EACH ROW WHEN ((NEW.counts_as, NEW.currency, NEW.gross_minor, NEW.lost_minor, NEW.happened_at, NEW.program_id, NEW.partner_id, NEW.link_id) IS DISTINCT FROM (OLD.counts_as, OLD.currency, OLD.gross_minor, OLD.lost_minor, OLD.happened_at, OLD.program_id, OLD.partner_id, OLD.link_id)) EXECUTE FUNCTION sale_change_payment_update();

CREATE FUNCTION balance_payout_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO balance (workspace_id, mode, partner_id, currency, open_minor, held_minor, claimed_minor, of_paid_minor, paid_minor)
        VALUES (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.currency, 0, 0, 0, 0, NEW.amount_minor)
        ON CONFLICT (workspace_id, mode, partner_id, currency) DO UPDATE SET paid_minor = add_minor(balance.paid_minor, excluded.paid_minor);
    RETURN NULL;
END $$;
CREATE TRIGGER balance_payout_insert AFTER INSERT ON payout FOR EACH ROW  EXECUTE FUNCTION balance_payout_insert();

CREATE FUNCTION balance_entry_paid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE commission SET is_paid = TRUE, state = 'paid' WHERE workspace_id = NEW.workspace_id AND mode = NEW.mode AND id = NEW.commission_id
        AND NOT is_paid;
    RETURN NULL;
END $$;
CREATE TRIGGER balance_entry_paid AFTER INSERT ON payout_entry FOR EACH ROW  EXECUTE FUNCTION balance_entry_paid();

INSERT INTO click_day_position ("row") VALUES (0);
CREATE FUNCTION json_part(document TEXT, name TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (replace(document, '\u0000', '\ufffd')::JSON -> name)::TEXT $$;
CREATE FUNCTION json_text(document TEXT, name TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT replace(document, '\u0000', '\ufffd')::JSON ->> name $$;
CREATE OPERATOR -> (LEFTARG = TEXT, RIGHTARG = TEXT, FUNCTION = json_part);
CREATE OPERATOR ->> (LEFTARG = TEXT, RIGHTARG = TEXT, FUNCTION = json_text);

-- Every job of a workspace and mode locks the row of its scope first.
CREATE FUNCTION workspace_has_scopes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO scope (workspace_id, mode) VALUES (NEW.id, 'test'), (NEW.id, 'live') ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER workspace_has_scopes AFTER INSERT ON workspace FOR EACH ROW EXECUTE FUNCTION workspace_has_scopes();
