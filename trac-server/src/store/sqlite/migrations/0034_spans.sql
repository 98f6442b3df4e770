-- Sums of ten days of click_day and sale_day, so that the groups of a long report are added up from few rows. A span is the number of
-- ten days since 1970.
CREATE TABLE click_span (
    scope             INTEGER NOT NULL,
    key               INTEGER NOT NULL,
    span              INTEGER NOT NULL,
    visits            INTEGER NOT NULL,
    unique_visits     INTEGER NOT NULL,
    PRIMARY KEY (scope, key, span)
) STRICT, WITHOUT ROWID;
CREATE TABLE sale_span (
    scope             INTEGER NOT NULL,
    key               INTEGER NOT NULL,
    span              INTEGER NOT NULL,
    currency          TEXT NOT NULL,
    leads             INTEGER NOT NULL,
    sales             INTEGER NOT NULL,
    revenue_minor     INTEGER NOT NULL,
    commission_minor  INTEGER NOT NULL,
    PRIMARY KEY (scope, key, span, currency)
) STRICT, WITHOUT ROWID;

INSERT INTO click_span (scope, key, span, visits, unique_visits)
    SELECT scope, key, (day / 10 - (day % 10 < 0)), sum_minor(visits), sum_minor(unique_visits) FROM click_day GROUP BY 1, 2, 3;
INSERT INTO sale_span (scope, key, span, currency, leads, sales, revenue_minor, commission_minor)
    SELECT scope, key, (day / 10 - (day % 10 < 0)), currency, sum_minor(leads), sum_minor(sales), sum_minor(revenue_minor), sum_minor(commission_minor)
    FROM sale_day GROUP BY 1, 2, 3, 4;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('click_span', 'click_span', '1000000 500000 100 1'),
    ('sale_span', 'sale_span', '1000000 500000 100 2 1');
ANALYZE sqlite_schema;
