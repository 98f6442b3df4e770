-- Mails that wait to be sent, and those that were sent. `about` is the person or invitation that a mail is about. The text
-- is written when it is sent.
CREATE TABLE mail (
    workspace_id  TEXT NOT NULL REFERENCES workspace (id),
    mode          TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    id            TEXT NOT NULL,
    kind          TEXT NOT NULL,
    recipient     TEXT NOT NULL,
    about         TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('queued', 'sent', 'logged', 'failed', 'canceled')),
    attempts      INTEGER NOT NULL,
    next_at       INTEGER,
    subject       TEXT,
    text          TEXT,
    error         TEXT,
    created_at    INTEGER NOT NULL,
    sent_at       INTEGER,
    PRIMARY KEY (workspace_id, mode, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_due ON mail (next_at) WHERE status = 'queued';
CREATE INDEX mail_about ON mail (workspace_id, mode, about, id);
CREATE INDEX mail_kind ON mail (workspace_id, mode, kind, id);
CREATE INDEX mail_status ON mail (workspace_id, mode, status, id);
CREATE INDEX mail_recipient ON mail (workspace_id, mode, recipient, id);
CREATE INDEX mail_created ON mail (created_at);

-- The token of the link in the mail. The link that the inviter sees has another.
ALTER TABLE invitation ADD COLUMN mail_hash BLOB;
CREATE UNIQUE INDEX invitation_mail ON invitation (mail_hash) WHERE mail_hash IS NOT NULL;
