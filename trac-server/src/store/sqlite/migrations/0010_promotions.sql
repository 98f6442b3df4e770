-- Stripe's promotion codes in partners' hands. Each time a code is given to an enrollment, a click is made that stands for it.
CREATE TABLE promotion_code (
    workspace_id   TEXT NOT NULL,
    mode           TEXT NOT NULL,
    -- Stripe's ID (`promo_…`), or the code itself in capitals.
    code           TEXT NOT NULL,
    click_id       TEXT NOT NULL,
    enrollment_id  TEXT NOT NULL,
    given_at       INTEGER NOT NULL,
    taken_at       INTEGER,
    PRIMARY KEY (workspace_id, mode, code, click_id)
) STRICT, WITHOUT ROWID;
-- One partner holds it at a time.
CREATE UNIQUE INDEX promotion_code_held ON promotion_code (workspace_id, mode, code) WHERE taken_at IS NULL;
CREATE INDEX promotion_code_enrollment ON promotion_code (workspace_id, mode, enrollment_id);

-- Whoever types a partner's code does not mind the case.
CREATE INDEX partner_code_any_case ON partner (workspace_id, mode, code COLLATE NOCASE);
