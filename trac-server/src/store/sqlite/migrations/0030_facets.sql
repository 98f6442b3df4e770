-- One index for all filters of a list by columns that its counts have: the rows of one combination of values are next to each other, in the
-- order of their IDs. It takes the place of one index for each filter.
DROP INDEX event_outcome;
DROP INDEX event_reason;
DROP INDEX event_type;
DROP INDEX event_api_version;
DROP INDEX event_endpoint;
CREATE INDEX event_facets ON event (workspace_id, mode, last_outcome, last_reason, coalesce(type, ''), coalesce(api_version, ''), endpoint_id, id);

DROP INDEX commission_program;
DROP INDEX commission_source;
DROP INDEX commission_currency;
DROP INDEX commission_reason;
DROP INDEX commission_state;
DROP INDEX commission_partner;
CREATE INDEX commission_facets ON commission (workspace_id, mode, program_id, source, currency, reason, state, id, matures_at);
CREATE INDEX commission_partner ON commission (workspace_id, mode, partner_id, program_id, source, currency, reason, state, id, matures_at);

DELETE FROM sqlite_stat1 WHERE idx IN ('event_outcome', 'event_reason', 'event_type', 'event_api_version', 'event_endpoint', 'commission_program',
    'commission_source', 'commission_currency', 'commission_reason', 'commission_state', 'commission_partner');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('event', 'event_facets', '1000000 1000000 500000 200000 100000 50000 50000 50000 1'),
    ('commission', 'commission_facets', '1000000 1000000 500000 100000 80000 60000 40000 20000 1 1'),
    ('commission', 'commission_partner', '1000000 1000000 500000 1000 500 400 300 200 100 1 1');
ANALYZE sqlite_schema;
