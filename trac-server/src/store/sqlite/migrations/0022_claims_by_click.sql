-- Pages may claim one transaction with several clicks, also of one partner: a claim for one click hides no
-- other.
CREATE TABLE report_by_click (
    workspace_id    TEXT NOT NULL,
    mode            TEXT NOT NULL,
    id              TEXT NOT NULL,
    transaction_id  TEXT NOT NULL,
    by_merchant     INTEGER NOT NULL,
    -- The payment it was answered with. Payments that are absorbed later keep their IDs as names in payment_object.
    conversion_id   TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    -- The click that a page claimed; empty for the merchant's reports and for claims without a known click.
    claimed_click   TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, transaction_id, by_merchant, claimed_click)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO report_by_click (workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at, claimed_click)
SELECT r.workspace_id, r.mode, r.id, r.transaction_id, r.by_merchant, r.conversion_id, r.created_at,
    -- Until now one claim of each partner was stored, so its click distinguishes it from the others.
    coalesce((SELECT p.facts ->> ('$.reports."' || r.id || '".click') FROM payment_object AS o
        JOIN payment AS p ON p.workspace_id = o.workspace_id AND p.mode = o.mode AND p.id = o.payment_id
        WHERE NOT r.by_merchant AND o.workspace_id = r.workspace_id AND o.mode = r.mode AND o.stripe_id = r.transaction_id LIMIT 1),
        r.partner_id)
FROM report AS r ORDER BY r.id;
-- Rows that differed by partner alone, before claims had one, are kept under IDs of their own.
INSERT INTO report_by_click (workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at, claimed_click)
SELECT workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at, id FROM report AS r
WHERE NOT EXISTS (SELECT 1 FROM report_by_click AS c WHERE c.workspace_id = r.workspace_id AND c.mode = r.mode AND c.id = r.id);
DROP TABLE report;
ALTER TABLE report_by_click RENAME TO report;
