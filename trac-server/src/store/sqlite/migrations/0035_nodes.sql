-- Several servers may share a database (PostgreSQL). The tables are the same in a file, where they stay empty.

-- Clicks that arrived after a payment that names them. The payment is settled again, and the row is deleted.
CREATE TABLE late_click (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    click_id      TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mode, click_id)
) STRICT, WITHOUT ROWID;

-- Work that one server at a time does: who does it, and until when nobody else may.
CREATE TABLE lease (
    name    TEXT NOT NULL PRIMARY KEY,
    holder  TEXT NOT NULL,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
