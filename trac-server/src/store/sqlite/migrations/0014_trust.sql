-- Whose word a lead is, and every address that a partner had.

-- A partner's address that is taken away still tells the partner's own purchases.
CREATE TABLE partner_address (
    workspace_id  TEXT NOT NULL,
    mode          TEXT NOT NULL,
    partner_id    TEXT NOT NULL,
    email         TEXT NOT NULL,
    -- Since when the partner has had it. The first is taken to have been the partner's all the time before.
    since         INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, mode, partner_id, email)
) STRICT, WITHOUT ROWID;
INSERT INTO partner_address (workspace_id, mode, partner_id, email, since)
SELECT workspace_id, mode, id, email, created_at FROM partner WHERE email IS NOT NULL;

-- Leads were settled without asking whose word they are. Those known by now keep their standing: the merchant's.
UPDATE payment SET facts = (
    SELECT json_set(payment.facts, '$.leads."' || l.key || '".vouched', json('true'),
                    '$.leads."' || l.key || '".vouched_clicks', json(coalesce(l.value ->> '$.clicks', '[]')))
    FROM json_each(payment.facts, '$.leads') AS l LIMIT 1)
WHERE EXISTS (SELECT 1 FROM json_each(payment.facts, '$.leads'));
