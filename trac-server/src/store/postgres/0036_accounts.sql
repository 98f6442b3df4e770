-- People who sign in to the dashboard, what they may do in which workspace, and the record of all changes.

-- What opens the dashboard: links, sessions, and sign-ins that wait for a second factor. `person_id` is NULL for a link
-- or session without a person. `origin` is where a link or session comes from: `command`, a link that a command on the
-- server's machine made; `mail`; `key`; `link`, a link without a person; `password`. `agent` and `address` tell a person
-- their own sessions apart. Sessions of older versions end.
DELETE FROM dashboard_token WHERE kind = 'session';
ALTER TABLE dashboard_token DROP CONSTRAINT dashboard_token_kind_check;
ALTER TABLE dashboard_token ADD CONSTRAINT dashboard_token_kind_check CHECK (kind IN ('link', 'session', 'second_factor'));
ALTER TABLE dashboard_token ADD COLUMN id TEXT COLLATE "C";
ALTER TABLE dashboard_token ADD COLUMN person_id TEXT COLLATE "C";
ALTER TABLE dashboard_token ADD COLUMN origin TEXT COLLATE "C";
ALTER TABLE dashboard_token ADD COLUMN agent TEXT COLLATE "C";
ALTER TABLE dashboard_token ADD COLUMN address TEXT COLLATE "C";
UPDATE dashboard_token SET origin = 'command';
CREATE INDEX dashboard_token_of_person ON dashboard_token (person_id) WHERE person_id IS NOT NULL;

CREATE TABLE person (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- In lower case.
    email        TEXT COLLATE "C" NOT NULL UNIQUE,
    name         TEXT COLLATE "C" NOT NULL,
    -- Argon2id, in PHC string format; NULL for a person without a password.
    password     TEXT COLLATE "C",
    -- The sealed secret of the second factor. It is asked for once `totp_since` is set.
    totp_secret  TEXT COLLATE "C",
    totp_since   BIGINT,
    -- The last time step whose code was accepted: a code is valid once.
    totp_step    BIGINT,
    language     TEXT COLLATE "C",
    -- The workspace and mode that the person opened last.
    workspace_id TEXT COLLATE "C",
    mode         TEXT COLLATE "C",
    created_at   BIGINT NOT NULL
);

-- Codes for a person who has lost the second factor, each valid once.
CREATE TABLE recovery_code (
    person_id  TEXT COLLATE "C" NOT NULL,
    hash       BYTEA NOT NULL,
    used_at    BIGINT,
    PRIMARY KEY (person_id, hash)
);

CREATE TABLE member (
    workspace_id  TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    person_id     TEXT COLLATE "C" NOT NULL REFERENCES person (id),
    role          TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'manager', 'finance', 'support', 'viewer')),
    since         BIGINT NOT NULL,
    last_seen_at  BIGINT,
    PRIMARY KEY (workspace_id, person_id)
);
CREATE INDEX member_person ON member (person_id);

CREATE TABLE invitation (
    workspace_id  TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    id            TEXT COLLATE "C" NOT NULL,
    hash          BYTEA NOT NULL UNIQUE,
    email         TEXT COLLATE "C" NOT NULL,
    role          TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'manager', 'finance', 'support', 'viewer')),
    invited_by    TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    accepted_at   BIGINT,
    revoked_at    BIGINT,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX invitation_email ON invitation (workspace_id, email);

-- Failed attempts to sign in, and those that are being answered, by the hash of an account, of an address, or of both.
-- Old ones are deleted.
CREATE TABLE sign_in_failure (
    subject  BYTEA NOT NULL,
    at       BIGINT NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (subject, at, id)
);
CREATE INDEX sign_in_failure_at ON sign_in_failure (at);

-- Addresses from which a person has signed in: they are not locked out by others' failures.
CREATE TABLE known_address (
    person_id  TEXT COLLATE "C" NOT NULL,
    hash       BYTEA NOT NULL,
    seen_at    BIGINT NOT NULL,
    PRIMARY KEY (person_id, hash)
);

-- Everything that a person, a key or the server itself changed. Rows are only appended.
CREATE TABLE activity (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    at            BIGINT NOT NULL,
    actor_kind    TEXT COLLATE "C" NOT NULL CHECK (actor_kind IN ('person', 'key', 'system', 'partner')),
    actor_id      TEXT COLLATE "C" NOT NULL,
    actor_name    TEXT COLLATE "C" NOT NULL,
    action        TEXT COLLATE "C" NOT NULL,
    object_kind   TEXT COLLATE "C" NOT NULL,
    object_id     TEXT COLLATE "C" NOT NULL,
    before        TEXT COLLATE "C",
    after         TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, mode, id)
);
CREATE INDEX activity_object ON activity (workspace_id, mode, object_id, id);
CREATE INDEX activity_actor ON activity (workspace_id, mode, actor_id, id);
CREATE INDEX activity_action ON activity (workspace_id, mode, action, id);
CREATE INDEX activity_kind ON activity (workspace_id, mode, object_kind, id);
CREATE FUNCTION activity_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'activity is append-only';
    RETURN NULL;
END $$;
CREATE TRIGGER activity_is_not_changed BEFORE UPDATE OR DELETE ON activity FOR EACH ROW EXECUTE FUNCTION activity_is_not_changed();
CREATE TRIGGER activity_is_not_truncated BEFORE TRUNCATE ON activity FOR EACH STATEMENT EXECUTE FUNCTION activity_is_not_changed();

-- The destination that `POST /api/v1/setup/stripe` made or found at Stripe, and the event types that it selected there.
ALTER TABLE webhook_endpoint ADD COLUMN stripe_destination TEXT COLLATE "C";
ALTER TABLE webhook_endpoint ADD COLUMN stripe_events TEXT COLLATE "C";
ALTER TABLE webhook_endpoint ADD COLUMN stripe_set_up_at BIGINT;

-- Checks of the script on a merchant's page: the link that starts one, and what the script reported.
CREATE TABLE script_check (
    workspace_id  TEXT COLLATE "C" NOT NULL,
    mode          TEXT COLLATE "C" NOT NULL,
    hash          BYTEA NOT NULL UNIQUE,
    page          TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    reported_at   BIGINT,
    report        TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, mode, hash)
);
