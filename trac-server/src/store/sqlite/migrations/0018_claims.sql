-- Pages may claim one transaction for several partners: one claim of each is kept, so that the first does not hide the true one.
CREATE TABLE report_by_partner (
    workspace_id    TEXT NOT NULL,
    mode            TEXT NOT NULL,
    id              TEXT NOT NULL,
    transaction_id  TEXT NOT NULL,
    by_merchant     INTEGER NOT NULL,
    -- The payment it was answered with. Payments that are absorbed later keep their IDs as names in payment_object.
    conversion_id   TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    -- The partner whose click a page claimed; empty for the merchant's reports, for claims without a known click and for those of
    -- before this step.
    partner_id      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, transaction_id, by_merchant, partner_id)
) STRICT, WITHOUT ROWID;
INSERT INTO report_by_partner (workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at)
SELECT workspace_id, mode, id, transaction_id, by_merchant, conversion_id, created_at FROM report;
DROP TABLE report;
ALTER TABLE report_by_partner RENAME TO report;
