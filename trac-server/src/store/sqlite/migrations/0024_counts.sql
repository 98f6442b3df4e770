-- The number of rows of each large list, by the values it can be filtered by. Triggers keep them, so that they are exact at every commit.

CREATE TABLE event_count (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    last_outcome  TEXT NOT NULL,
    last_reason   TEXT NOT NULL,
    type          TEXT NOT NULL,
    api_version   TEXT NOT NULL,
    endpoint_id   TEXT NOT NULL,
    rows          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id)
) STRICT, WITHOUT ROWID;
INSERT INTO event_count (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id, rows)
    SELECT workspace_id, mode, last_outcome, last_reason, coalesce(type, ''), coalesce(api_version, ''), endpoint_id, count(*)
    FROM event GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE TRIGGER event_count_insert AFTER INSERT ON event BEGIN
    INSERT INTO event_count (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.last_outcome, NEW.last_reason, coalesce(NEW.type, ''), coalesce(NEW.api_version, ''), NEW.endpoint_id, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER event_count_update AFTER UPDATE OF outcome, reason, type, api_version, endpoint_id ON event
WHEN (NEW.last_outcome, NEW.last_reason, NEW.type, NEW.api_version, NEW.endpoint_id)
    IS NOT (OLD.last_outcome, OLD.last_reason, OLD.type, OLD.api_version, OLD.endpoint_id) BEGIN
    UPDATE event_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND last_outcome = OLD.last_outcome AND last_reason = OLD.last_reason AND type = coalesce(OLD.type, '')
        AND api_version = coalesce(OLD.api_version, '') AND endpoint_id = OLD.endpoint_id;
    INSERT INTO event_count (workspace_id, mode, last_outcome, last_reason, type, api_version, endpoint_id, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.last_outcome, NEW.last_reason, coalesce(NEW.type, ''), coalesce(NEW.api_version, ''), NEW.endpoint_id, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER event_count_delete AFTER DELETE ON event BEGIN
    UPDATE event_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND last_outcome = OLD.last_outcome AND last_reason = OLD.last_reason AND type = coalesce(OLD.type, '')
        AND api_version = coalesce(OLD.api_version, '') AND endpoint_id = OLD.endpoint_id;
END;

-- Conversions.
CREATE TABLE payment_count (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    reason        TEXT NOT NULL,
    source        TEXT NOT NULL,
    currency      TEXT NOT NULL,
    is_credited   INTEGER NOT NULL,
    rows          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, reason, source, currency, is_credited)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_count (workspace_id, mode, reason, source, currency, is_credited, rows)
    SELECT workspace_id, mode, coalesce(reason, ''), coalesce(source, ''), coalesce(currency, ''), is_credited, count(*)
    FROM payment WHERE is_conversion GROUP BY 1, 2, 3, 4, 5, 6;
CREATE TRIGGER payment_count_insert AFTER INSERT ON payment WHEN NEW.is_conversion BEGIN
    INSERT INTO payment_count (workspace_id, mode, reason, source, currency, is_credited, rows) VALUES
        (NEW.workspace_id, NEW.mode, coalesce(NEW.reason, ''), coalesce(NEW.source, ''), coalesce(NEW.currency, ''), NEW.is_credited, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER payment_count_update AFTER UPDATE OF is_conversion, reason, source, currency, is_credited ON payment
WHEN (NEW.is_conversion, NEW.reason, NEW.source, NEW.currency, NEW.is_credited)
    IS NOT (OLD.is_conversion, OLD.reason, OLD.source, OLD.currency, OLD.is_credited) BEGIN
    UPDATE payment_count SET rows = rows - 1 WHERE OLD.is_conversion AND workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND reason = coalesce(OLD.reason, '') AND source = coalesce(OLD.source, '') AND currency = coalesce(OLD.currency, '')
        AND is_credited = OLD.is_credited;
    INSERT INTO payment_count (workspace_id, mode, reason, source, currency, is_credited, rows)
        SELECT NEW.workspace_id, NEW.mode, coalesce(NEW.reason, ''), coalesce(NEW.source, ''), coalesce(NEW.currency, ''), NEW.is_credited, 1
        WHERE NEW.is_conversion ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER payment_count_delete AFTER DELETE ON payment WHEN OLD.is_conversion BEGIN
    UPDATE payment_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND reason = coalesce(OLD.reason, '') AND source = coalesce(OLD.source, '') AND currency = coalesce(OLD.currency, '')
        AND is_credited = OLD.is_credited;
END;

-- Commissions without their partners: few rows, for whole lists.
CREATE TABLE commission_count (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    program_id    TEXT NOT NULL,
    source        TEXT NOT NULL,
    currency      TEXT NOT NULL,
    reason        TEXT NOT NULL,
    state         TEXT NOT NULL,
    rows          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, program_id, source, currency, reason, state)
) STRICT, WITHOUT ROWID;
INSERT INTO commission_count (workspace_id, mode, program_id, source, currency, reason, state, rows)
    SELECT workspace_id, mode, program_id, source, currency, reason, state, count(*) FROM commission GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE TRIGGER commission_count_insert AFTER INSERT ON commission BEGIN
    INSERT INTO commission_count (workspace_id, mode, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER commission_count_update AFTER UPDATE OF source, reason, amount_minor, reversed_minor, held, is_paid ON commission
WHEN (NEW.source, NEW.reason, NEW.state) IS NOT (OLD.source, OLD.reason, OLD.state) BEGIN
    UPDATE commission_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND program_id = OLD.program_id
        AND source = OLD.source AND currency = OLD.currency AND reason = OLD.reason AND state = OLD.state;
    INSERT INTO commission_count (workspace_id, mode, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;

-- By partner first, so that one partner's counts are next to each other.
CREATE TABLE commission_partner_count (
    workspace_id   TEXT NOT NULL,
    mode           TEXT NOT NULL,
    partner_id     TEXT NOT NULL,
    enrollment_id  TEXT NOT NULL,
    program_id     TEXT NOT NULL,
    source         TEXT NOT NULL,
    currency       TEXT NOT NULL,
    reason         TEXT NOT NULL,
    state          TEXT NOT NULL,
    rows           INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state)
) STRICT, WITHOUT ROWID;
INSERT INTO commission_partner_count (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, rows)
    SELECT workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, count(*)
    FROM commission GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
CREATE TRIGGER commission_partner_count_insert AFTER INSERT ON commission BEGIN
    INSERT INTO commission_partner_count (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.enrollment_id, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER commission_partner_count_update AFTER UPDATE OF source, reason, amount_minor, reversed_minor, held, is_paid ON commission
WHEN (NEW.source, NEW.reason, NEW.state) IS NOT (OLD.source, OLD.reason, OLD.state) BEGIN
    UPDATE commission_partner_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode
        AND partner_id = OLD.partner_id AND enrollment_id = OLD.enrollment_id AND program_id = OLD.program_id
        AND source = OLD.source AND currency = OLD.currency AND reason = OLD.reason AND state = OLD.state;
    INSERT INTO commission_partner_count (workspace_id, mode, partner_id, enrollment_id, program_id, source, currency, reason, state, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.partner_id, NEW.enrollment_id, NEW.program_id, NEW.source, NEW.currency, NEW.reason, NEW.state, 1)
        ON CONFLICT DO UPDATE SET rows = rows + 1;
END;

CREATE TABLE attribution_count (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    rows          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode)
) STRICT, WITHOUT ROWID;
INSERT INTO attribution_count (workspace_id, mode, rows) SELECT workspace_id, mode, count(*) FROM attribution GROUP BY 1, 2;
CREATE TRIGGER attribution_count_insert AFTER INSERT ON attribution BEGIN
    INSERT INTO attribution_count (workspace_id, mode, rows) VALUES (NEW.workspace_id, NEW.mode, 1) ON CONFLICT DO UPDATE SET rows = rows + 1;
END;

CREATE TABLE lead_count (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    event_name    TEXT NOT NULL,
    status        TEXT NOT NULL,
    deferred      INTEGER NOT NULL,
    rows          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, event_name, status, deferred)
) STRICT, WITHOUT ROWID;
INSERT INTO lead_count (workspace_id, mode, event_name, status, deferred, rows)
    SELECT workspace_id, mode, event_name, coalesce(status, ''), deferred, count(*) FROM lead GROUP BY 1, 2, 3, 4, 5;
CREATE TRIGGER lead_count_insert AFTER INSERT ON lead BEGIN
    INSERT INTO lead_count (workspace_id, mode, event_name, status, deferred, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.event_name, coalesce(NEW.status, ''), NEW.deferred, 1) ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER lead_count_update AFTER UPDATE OF status, deferred ON lead WHEN (NEW.status, NEW.deferred) IS NOT (OLD.status, OLD.deferred) BEGIN
    UPDATE lead_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND event_name = OLD.event_name
        AND status = coalesce(OLD.status, '') AND deferred = OLD.deferred;
    INSERT INTO lead_count (workspace_id, mode, event_name, status, deferred, rows) VALUES
        (NEW.workspace_id, NEW.mode, NEW.event_name, coalesce(NEW.status, ''), NEW.deferred, 1) ON CONFLICT DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER lead_count_delete AFTER DELETE ON lead BEGIN
    UPDATE lead_count SET rows = rows - 1 WHERE workspace_id = OLD.workspace_id AND mode = OLD.mode AND event_name = OLD.event_name
        AND status = coalesce(OLD.status, '') AND deferred = OLD.deferred;
END;
