//! Records clicks, one or a thousand by one statement.
//!
//! The clicks are passed as one JSON document. The statement finds which of them are a visitor's first, inserts those
//! that are new, and adds them to the counts of their days. A click that is recorded again changes nothing.

use serde::Serialize;
use trac_core::click::ClickId;

use crate::id::hex;
use crate::store::click::NewClick;
use crate::store::rows::{Everywhere, args};
use crate::store::{Scope, StoreError};

const RECORD: &str = "WITH document AS (SELECT * FROM json_to_recordset(CAST(?1 AS JSON)) AS g (place INT, workspace TEXT, mode TEXT, \
        id TEXT, program TEXT, partner TEXT, link TEXT, clicked_at BIGINT, is_unique BOOLEAN, mark TEXT, last TEXT, referrer TEXT, \
        landing TEXT)), \
    given AS MATERIALIZED (SELECT d.place, s.no AS scope, d.id, g.no AS program, a.no AS partner, b.no AS pair, l.no AS link, d.clicked_at, \
        floor_day(d.clicked_at) AS day, d.is_unique, decode(d.mark, 'hex') AS mark, d.last, d.referrer, d.landing FROM document AS d \
        JOIN scope AS s ON s.workspace_id = d.workspace AND s.mode = d.mode JOIN name AS g ON g.id = d.program \
        JOIN name AS a ON a.id = d.partner JOIN name AS b ON b.id = d.program || '/' || d.partner \
        LEFT JOIN name AS l ON l.id = d.link WHERE d.link IS NULL OR l.no IS NOT NULL), \
    earliest AS (SELECT day, mark, min(place) AS place FROM given WHERE mark IS NOT NULL AND is_unique IS NULL GROUP BY day, mark), \
    marked AS (INSERT INTO visitor (day, mark) SELECT day, mark FROM earliest ORDER BY day, mark ON CONFLICT DO NOTHING RETURNING day, mark), \
    judged AS (SELECT g.*, coalesce(g.is_unique, (g.mark IS NULL OR EXISTS (SELECT 1 FROM earliest AS e JOIN marked AS m \
        ON m.day = e.day AND m.mark = e.mark WHERE e.place = g.place AND e.day = g.day AND e.mark = g.mark)) AND NOT (g.last IS NOT NULL \
        AND g.link IS NOT NULL AND (EXISTS (SELECT 1 FROM click_record AS c WHERE c.id = g.last AND c.scope = g.scope AND c.link = g.link) \
        OR EXISTS (SELECT 1 FROM given AS e WHERE e.place < g.place AND e.id = g.last AND e.scope = g.scope AND e.link = g.link)))) \
        AS is_first FROM given AS g), \
    new AS (INSERT INTO click_record (scope, id, program, partner, link, clicked_at, is_unique, is_visit, referrer, landing_url) \
        SELECT scope, id, program, partner, link, clicked_at, is_first, is_unique IS NOT FALSE, referrer, landing \
        FROM judged ORDER BY place ON CONFLICT (id, scope) DO NOTHING \
        RETURNING scope, program, partner, link, clicked_at, is_unique, is_visit), \
    keyed AS (SELECT n.scope, k.key, floor_day(n.clicked_at) AS day, count(*) AS clicks, \
        count(*) FILTER (WHERE n.is_unique) AS unique_clicks, count(*) FILTER (WHERE n.is_visit) AS visits, \
        count(*) FILTER (WHERE n.is_unique AND n.is_visit) AS unique_visits FROM new AS n \
        JOIN (SELECT DISTINCT program, partner, pair FROM given) AS p ON p.program = n.program AND p.partner = n.partner \
        CROSS JOIN LATERAL (VALUES (CAST(0 AS BIGINT)), (n.program), (n.partner), (n.link), (p.pair)) AS k (key) \
        WHERE k.key IS NOT NULL GROUP BY 1, 2, 3), \
    days AS (INSERT INTO click_day (scope, key, day, clicks, unique_clicks, visits, unique_visits) \
        SELECT scope, key, day, clicks, unique_clicks, visits, unique_visits FROM keyed ORDER BY scope, key, day \
        ON CONFLICT (scope, key, day) DO UPDATE SET clicks = click_day.clicks + excluded.clicks, \
        unique_clicks = click_day.unique_clicks + excluded.unique_clicks, visits = click_day.visits + excluded.visits, \
        unique_visits = click_day.unique_visits + excluded.unique_visits), \
    spans AS (INSERT INTO click_span (scope, key, span, visits, unique_visits) \
        SELECT scope, key, floor_span(day), sum(visits), sum(unique_visits) FROM keyed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 \
        ON CONFLICT (scope, key, span) DO UPDATE SET visits = click_span.visits + excluded.visits, \
        unique_visits = click_span.unique_visits + excluded.unique_visits) \
    SELECT (SELECT count(*) FROM new) AS added, (SELECT count(*) FROM given) AS known";

/// The names that clicks are numbered by, which the first click of a link finds missing.
const NAMES: [&str; 2] = [
    "INSERT INTO scope (workspace_id, mode) SELECT DISTINCT workspace, mode FROM json_to_recordset(CAST(?1 AS JSON)) \
     AS g (workspace TEXT, mode TEXT) ORDER BY 1, 2 ON CONFLICT DO NOTHING",
    "INSERT INTO name (id) SELECT DISTINCT n.id FROM json_to_recordset(CAST(?1 AS JSON)) AS g (program TEXT, partner TEXT, link TEXT) \
     CROSS JOIN LATERAL (VALUES (g.program), (g.partner), (g.link), (g.program || '/' || g.partner)) AS n (id) \
     WHERE n.id IS NOT NULL ORDER BY 1 ON CONFLICT DO NOTHING",
];

/// A click in the document.
#[derive(Serialize)]
struct Given<'c> {
    place: usize,
    workspace: &'c str,
    mode: &'static str,
    id: &'c str,
    program: &'c str,
    partner: &'c str,
    link: Option<&'c str>,
    clicked_at: i64,
    is_unique: Option<bool>,
    mark: Option<String>,
    last: Option<&'c str>,
    referrer: Option<&'c str>,
    landing: Option<&'c str>,
}

/// Records clicks in this transaction and returns how many are new.
pub(in crate::store) fn record(
    tx: Everywhere<'_>,
    clicks: &[(&Scope, &NewClick)],
) -> Result<usize, StoreError> {
    let given = clicks.iter().enumerate().map(|(place, (scope, click))| Given {
        place,
        workspace: scope.workspace_id(),
        mode: scope.mode_str(),
        id: click.id.as_str(),
        program: &click.program_id,
        partner: &click.partner_id,
        link: click.link_id.as_deref(),
        clicked_at: click.clicked_at.unix_secs(),
        is_unique: click.is_unique,
        mark: click.visitor.as_ref().map(|mark| hex(mark)),
        last: click.last_click.as_ref().map(ClickId::as_str),
        referrer: click.referrer.as_deref(),
        landing: click.landing_url.as_deref(),
    });
    let document = serde_json::to_string(&given.collect::<Vec<_>>())?;
    let run = || {
        let counted = tx.one(RECORD, args![document], |row| Ok((row.get::<u32>(0)?, row.get::<u32>(1)?)))?;
        counted.ok_or_else(|| StoreError::internal("no clicks were counted"))
    };
    let (mut added, known) = run()?;
    if usize::try_from(known).is_ok_and(|known| known < clicks.len()) {
        for names in NAMES {
            tx.write(names, args![document])?;
        }
        added = added.saturating_add(run()?.0);
    }
    usize::try_from(added).map_err(|_| StoreError::internal("too many clicks"))
}
