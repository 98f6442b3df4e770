-- People who sign in to the dashboard, what they may do in which workspace, and the record of all changes.

-- What opens the dashboard: links, sessions, and sign-ins that wait for a second factor. `person_id` is NULL for a link
-- or session without a person. `origin` is where a link or session comes from: `command`, a link that a command on the
-- server's machine made; `mail`; `key`; `link`, a link without a person; `password`. `agent` and `address` tell a person
-- their own sessions apart. Sessions of older versions end.
CREATE TABLE dashboard_token_of_people (
    hash          BLOB NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('link', 'session', 'second_factor')),
    workspace_id  TEXT NOT NULL REFERENCES workspace (id),
    mode          TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    expires_at    INTEGER NOT NULL,
    key_hash      BLOB,
    begun_at      INTEGER,
    seen_at       INTEGER,
    id            TEXT,
    person_id     TEXT,
    origin        TEXT,
    agent         TEXT,
    address       TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO dashboard_token_of_people (hash, kind, workspace_id, mode, expires_at, origin)
SELECT hash, kind, workspace_id, mode, expires_at, 'command' FROM dashboard_token WHERE kind = 'link';
DROP TABLE dashboard_token;
ALTER TABLE dashboard_token_of_people RENAME TO dashboard_token;
CREATE INDEX dashboard_token_of_workspace ON dashboard_token (workspace_id);
CREATE INDEX dashboard_token_of_person ON dashboard_token (person_id) WHERE person_id IS NOT NULL;

CREATE TABLE person (
    id           TEXT NOT NULL PRIMARY KEY,
    -- In lower case.
    email        TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    -- Argon2id, in PHC string format; NULL for a person without a password.
    password     TEXT,
    -- The sealed secret of the second factor. It is asked for once `totp_since` is set.
    totp_secret  TEXT,
    totp_since   INTEGER,
    -- The last time step whose code was accepted: a code is valid once.
    totp_step    INTEGER,
    language     TEXT,
    -- The workspace and mode that the person opened last.
    workspace_id TEXT,
    mode         TEXT,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Codes for a person who has lost the second factor, each valid once.
CREATE TABLE recovery_code (
    person_id  TEXT NOT NULL,
    hash       BLOB NOT NULL,
    used_at    INTEGER,
    PRIMARY KEY (person_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
    workspace_id  TEXT NOT NULL REFERENCES workspace (id),
    person_id     TEXT NOT NULL REFERENCES person (id),
    role          TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'finance', 'support', 'viewer')),
    since         INTEGER NOT NULL,
    last_seen_at  INTEGER,
    PRIMARY KEY (workspace_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_person ON member (person_id);

CREATE TABLE invitation (
    workspace_id  TEXT NOT NULL REFERENCES workspace (id),
    id            TEXT NOT NULL,
    hash          BLOB NOT NULL UNIQUE,
    email         TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'finance', 'support', 'viewer')),
    invited_by    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    accepted_at   INTEGER,
    revoked_at    INTEGER,
    PRIMARY KEY (workspace_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX invitation_email ON invitation (workspace_id, email);

-- Failed attempts to sign in, and those that are being answered, by the hash of an account, of an address, or of both.
-- Old ones are deleted.
CREATE TABLE sign_in_failure (
    subject  BLOB NOT NULL,
    at       INTEGER NOT NULL,
    id       TEXT NOT NULL,
    PRIMARY KEY (subject, at, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_failure_at ON sign_in_failure (at);

-- Addresses from which a person has signed in: they are not locked out by others' failures.
CREATE TABLE known_address (
    person_id  TEXT NOT NULL,
    hash       BLOB NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (person_id, hash)
) STRICT, WITHOUT ROWID;

-- Everything that a person, a key or the server itself changed. Rows are only appended.
CREATE TABLE activity (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,
    at            INTEGER NOT NULL,
    actor_kind    TEXT NOT NULL CHECK (actor_kind IN ('person', 'key', 'system', 'partner')),
    actor_id      TEXT NOT NULL,
    actor_name    TEXT NOT NULL,
    action        TEXT NOT NULL,
    object_kind   TEXT NOT NULL,
    object_id     TEXT NOT NULL,
    before        TEXT,
    after         TEXT,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_object ON activity (workspace_id, mode, object_id, id);
CREATE INDEX activity_actor ON activity (workspace_id, mode, actor_id, id);
CREATE INDEX activity_action ON activity (workspace_id, mode, action, id);
CREATE INDEX activity_kind ON activity (workspace_id, mode, object_kind, id);
CREATE TRIGGER activity_is_not_changed BEFORE UPDATE ON activity
BEGIN SELECT RAISE(ABORT, 'activity is append-only'); END;
CREATE TRIGGER activity_is_not_deleted BEFORE DELETE ON activity
BEGIN SELECT RAISE(ABORT, 'activity is append-only'); END;

-- The destination that `POST /api/v1/setup/stripe` made or found at Stripe, and the event types that it selected there.
ALTER TABLE webhook_endpoint ADD COLUMN stripe_destination TEXT;
ALTER TABLE webhook_endpoint ADD COLUMN stripe_events TEXT;
ALTER TABLE webhook_endpoint ADD COLUMN stripe_set_up_at INTEGER;

-- Checks of the script on a merchant's page: the link that starts one, and what the script reported.
CREATE TABLE script_check (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    hash          BLOB NOT NULL UNIQUE,
    page          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    reported_at   INTEGER,
    report        TEXT,
    PRIMARY KEY (workspace_id, mode, hash)
) STRICT, WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('activity', 'activity', '1000000 500000 500000 1'),
    ('activity', 'activity_object', '1000000 500000 500000 20 1'),
    ('activity', 'activity_actor', '1000000 500000 500000 1000 1'),
    ('activity', 'activity_action', '1000000 500000 500000 5000 1'),
    ('activity', 'activity_kind', '1000000 500000 500000 20000 1');
ANALYZE sqlite_schema;
