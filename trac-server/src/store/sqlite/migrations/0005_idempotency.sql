-- Calls made under an Idempotency-Key. A row is written with the effect of its call, in one transaction; the answer follows.
CREATE TABLE idempotency (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    key           TEXT NOT NULL,
    -- SHA-256 of method, address and body.
    request       BLOB NOT NULL,
    status        INTEGER,
    answer        BLOB,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_time ON idempotency (created_at);
