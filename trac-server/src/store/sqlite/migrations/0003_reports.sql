-- What others than Stripe told of payments: the merchant's server, and pages whose word is a claim. What each transaction
-- was first answered is kept, so that a repeat is told the same.
CREATE TABLE report (
    workspace_id    TEXT NOT NULL,
    mode            TEXT NOT NULL,
    id              TEXT NOT NULL,
    transaction_id  TEXT NOT NULL,
    by_merchant     INTEGER NOT NULL,
    -- The payment it was answered with. Payments that are absorbed later keep their IDs as names in payment_object.
    conversion_id   TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, transaction_id, by_merchant)
) STRICT, WITHOUT ROWID;
