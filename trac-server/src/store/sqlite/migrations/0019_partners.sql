-- The planner is told of partners too, as in `statistics.sql`, so that an e-mail address is looked up by its index.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('partner', 'partner', '10000 10000 5000 1'),
    ('partner', 'sqlite_autoindex_partner_2', '10000 10000 5000 1'),
    ('partner', 'partner_code_any_case', '10000 10000 5000 1'),
    ('partner', 'partner_email', '10000 10000 5000 1');
ANALYZE sqlite_schema;
