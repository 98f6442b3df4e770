-- Calls that were turned away before they could leave a trace: one row for each route, cause and hour.
CREATE TABLE refusal (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    route         TEXT NOT NULL,
    cause         TEXT NOT NULL,
    hour          INTEGER NOT NULL,
    -- What was wrong with the last of them.
    message       TEXT NOT NULL,
    calls         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, id),
    UNIQUE (workspace_id, mode, route, cause, hour)
) STRICT, WITHOUT ROWID;
