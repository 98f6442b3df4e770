//! The hops of objects that the merchant made: a link, a partner, an enrollment, a program, an endpoint, a
//! payout. They show whether the object is active, and its clicks, events or entries.

use std::collections::BTreeMap;

use serde_json::json;
use trac_core::money::Currency;
use trac_core::reason::Reason;
use trac_core::time::Timestamp;

use super::diagnosis;
use super::evidence::Archive;
use super::hop::{Hop, Status};
use super::subject::{Kind, Subject};
use crate::click::link_path;
use crate::store::StoreError;
use crate::store::rows::{Row, args};

/// The hops of an object that the merchant made; empty for other kinds.
pub(super) fn of(archive: &Archive<'_>, subject: &Subject) -> Result<Vec<Hop>, StoreError> {
    let Some(id) = subject.made_id.as_deref() else { return Ok(Vec::new()) };
    match subject.kind {
        Kind::Link => {
            let mut hops = of_link(archive, id)?;
            hops.extend(of_enrollments(archive, "EXISTS (SELECT 1 FROM link AS l WHERE l.workspace_id = ?1 \
                AND l.mode = ?2 AND l.id = ?3 AND l.program_id = n.program_id AND l.partner_id = n.partner_id)", id)?);
            hops.push(of_clicks(archive, "link", id)?);
            Ok(hops)
        }
        Kind::Partner => {
            let mut hops = of_enrollments(archive, "n.partner_id = ?3", id)?;
            hops.push(of_clicks(archive, "partner", id)?);
            Ok(hops)
        }
        Kind::Program => {
            let mut hops = of_enrollments(archive, "n.program_id = ?3", id)?;
            hops.push(of_clicks(archive, "program", id)?);
            Ok(hops)
        }
        Kind::Enrollment => of_enrollments(archive, "n.id = ?3", id),
        Kind::Endpoint => of_endpoint(archive, id).map(|hop| vec![hop]),
        Kind::Payout => of_payout(archive, id),
        _ => Ok(Vec::new()),
    }
}

fn of_link(archive: &Archive<'_>, id: &str) -> Result<Vec<Hop>, StoreError> {
    let sql = "SELECT slug, destination, archived_at, coalesce(purged_at, deleted_at) FROM link \
         WHERE workspace_id = ?1 AND mode = ?2 AND id = ?3";
    let read = |row: &Row<'_>| {
        let ends: (Option<Timestamp>, Option<Timestamp>) = (row.get(2)?, row.get(3)?);
        Ok((row.get::<String>(0)?, row.get::<String>(1)?, ends))
    };
    let found = archive.rows.one(sql, args![id], read)?;
    let Some((slug, destination, (archived_at, removed_at))) = found else { return Ok(Vec::new()) };
    let path = link_path(archive.rows.scope().mode(), &slug);
    if let Some(at) = removed_at {
        let at = at.to_rfc3339();
        let what = format!("{path} was removed at {at} and no longer redirects to {destination}.");
        let remedy = "Make another link, with another slug. Earlier clicks still count.";
        return Ok(vec![Hop::cause("link", Status::Refused, "link_removed", what, remedy)]);
    }
    let not_counted = not_counted(archive, id)?;
    let details =
        json!({ "link_id": id, "slug": slug, "destination": destination, "not_counted": not_counted });
    let visits: Vec<_> = not_counted.iter().map(|(why, count)| format!("{count} ({why})")).collect();
    let hop = match archived_at {
        None if visits.is_empty() => Hop::ok("link", format!("{path} leads to {destination}.")),
        None => Hop::ok(
            "link",
            format!("{path} leads to {destination}. Visits not counted as clicks: {}.", visits.join(", ")),
        ),
        Some(at) => Hop::cause(
            "link",
            Status::Refused,
            "link_archived",
            format!("{path} was archived at {}: visitors are redirected and not counted.", at.to_rfc3339()),
            format!(
                "If it should count again: PATCH /links/{id} with archived false. Earlier clicks still count."
            ),
        ),
    };
    Ok(vec![hop.with_details(details)])
}

/// The visits of a link that were redirected and not recorded as clicks, by reason.
fn not_counted(archive: &Archive<'_>, id: &str) -> Result<BTreeMap<String, i64>, StoreError> {
    let sql = "SELECT why, sum(count) FROM visit_not_counted \
               WHERE workspace_id = ?1 AND mode = ?2 AND link_id = ?3 GROUP BY why";
    let visits = archive.rows.all(sql, args![id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(visits.into_iter().collect())
}

/// The current status of each partner in each program.
fn of_enrollments(archive: &Archive<'_>, condition: &str, id: &str) -> Result<Vec<Hop>, StoreError> {
    let sql = format!(
        "SELECT n.id, a.name, g.name, g.id, \
         (SELECT v.status FROM enrollment_version AS v WHERE v.workspace_id = n.workspace_id \
          AND v.mode = n.mode AND v.enrollment_id = n.id ORDER BY v.number DESC LIMIT 1), \
         (SELECT v.status FROM program_version AS v WHERE v.workspace_id = n.workspace_id \
          AND v.mode = n.mode AND v.program_id = n.program_id ORDER BY v.number DESC LIMIT 1) \
         FROM enrollment AS n JOIN partner AS a ON a.workspace_id = n.workspace_id AND a.mode = n.mode \
         AND a.id = n.partner_id JOIN program AS g ON g.workspace_id = n.workspace_id AND g.mode = n.mode \
         AND g.id = n.program_id WHERE n.workspace_id = ?1 AND n.mode = ?2 AND {condition} ORDER BY n.id LIMIT 20"
    );
    let enrollments = archive.rows.all(&sql, args![id], |row| {
        let text = |column: usize| row.get::<Option<String>>(column).map(Option::unwrap_or_default);
        Ok([text(0)?, text(1)?, text(2)?, text(3)?, text(4)?, text(5)?])
    })?;
    let mut hops = Vec::new();
    for [enrollment, partner, program, program_id, enrolled, active] in enrollments {
        let details = json!({ "enrollment_id": enrollment, "program_id": program_id });
        let hop = if enrolled != "approved" {
            Hop::broken("enrollment", Status::Refused, Reason::PartnerNotApproved)
                .with_message(format!(
                    "{partner}'s enrollment in {program} is {enrolled}: payments earn nothing."
                ))
                .with_remedy(format!("Approve it: PATCH /enrollments/{enrollment} with status approved."))
        } else if active != "active" {
            Hop::broken("enrollment", Status::Refused, Reason::ProgramInactive)
                .with_message(format!(
                    "{partner} is approved in {program}, which is {active}: new payments earn nothing."
                ))
                .with_remedy(format!("Activate it: PATCH /programs/{program_id} with status active."))
        } else {
            Hop::ok("enrollment", format!("{partner} is approved in {program}, which is active."))
        };
        hops.push(hop.with_details(details));
    }
    if hops.is_empty() {
        hops.push(
            Hop::broken("enrollment", Status::Missing, Reason::PartnerNotApproved)
                .with_message("No partner is enrolled.")
                .with_remedy(
                    "Enroll the partner in a program: POST /enrollments with program_id and partner_id.",
                ),
        );
    }
    Ok(hops)
}

fn of_clicks(archive: &Archive<'_>, column: &str, id: &str) -> Result<Hop, StoreError> {
    let sql = format!(
        "SELECT coalesce(sum(CASE WHEN d.visits > d.clicks THEN d.visits ELSE d.clicks END), 0), coalesce((SELECT max(c.clicked_at) FROM click_record AS c WHERE c.{column} = (SELECT no FROM name WHERE id = ?3)), \
         max(d.day) * 86400) \
         FROM click_day AS d WHERE d.scope = (SELECT no FROM scope WHERE workspace_id = ?1 AND mode = ?2) \
         AND d.key = (SELECT no FROM name WHERE id = ?3)"
    );
    let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<Option<Timestamp>>(1)?));
    let (clicks, last) = archive.rows.one(&sql, args![id], read)?.unwrap_or_default();
    if let Some(last) = last {
        let last = last.to_rfc3339();
        let counted = if clicks == 1 { "1 click".to_owned() } else { format!("{clicks} clicks") };
        return Ok(Hop::ok("click", format!("{counted}, the last at {last}."))
            .with_details(json!({ "clicks": clicks })));
    }
    let hop = Hop::broken("click", Status::Missing, Reason::NoClick)
        .with_message("No click has been recorded.")
        .with_remedy(
            "Follow the link once: it must answer 302 from this server. Bots, prefetches, images and frames are not counted; \
             a page that uses ?ref= needs the script with data-key.",
        );
    let refused = diagnosis::of_refused_calls(archive)?;
    Ok(refused
        .first()
        .map_or_else(|| hop.clone(), |cause| hop.clone().with_possible_cause(&cause.what, &cause.remedy)))
}

fn of_endpoint(archive: &Archive<'_>, id: &str) -> Result<Hop, StoreError> {
    let sql = "SELECT max(received_at) FROM event WHERE workspace_id = ?1 AND mode = ?2 AND endpoint_id = ?3 \
               AND stripe_event_id IS NOT NULL";
    let last = archive.rows.one(sql, args![id], |row| row.get::<Option<Timestamp>>(0))?.flatten();
    let causes = diagnosis::of_deliveries(archive)?;
    let details: Vec<_> = causes.iter().map(diagnosis::Diagnosis::to_json).collect();
    let hop = match (causes.into_iter().next(), last) {
        (Some(worst), _) => Hop::cause("event", Status::Refused, worst.reason, worst.what, worst.remedy),
        (None, Some(at)) => {
            let at = at.to_rfc3339();
            Hop::ok("event", format!("Stripe's deliveries arrive; the last at {at}."))
        }
        (None, None) => Hop::cause(
            "event",
            Status::Missing,
            "webhook_never_arrived",
            "No authentic event has ever arrived at this endpoint.",
            "In Stripe, add an endpoint with the URL from GET /webhook-endpoints, and select the events listed there.",
        ),
    };
    Ok(hop.with_details(json!({ "causes": details })))
}

fn of_payout(archive: &Archive<'_>, id: &str) -> Result<Vec<Hop>, StoreError> {
    let sql = "SELECT o.amount_minor, o.currency, coalesce(a.name, o.partner_id), o.created_at, \
               (SELECT string_agg(d.commission_id, '\n' ORDER BY d.commission_id) FROM (SELECT DISTINCT e.commission_id \
                FROM payout_entry AS e WHERE e.workspace_id = o.workspace_id AND e.mode = o.mode AND e.payout_id = o.id) AS d) \
               FROM payout AS o LEFT JOIN partner AS a ON a.workspace_id = o.workspace_id AND a.mode = o.mode \
               AND a.id = o.partner_id WHERE o.workspace_id = ?1 AND o.mode = ?2 AND o.id = ?3";
    let read = |row: &Row<'_>| {
        let (amount, currency): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok((amount, currency, row.get::<String>(2)?, row.get::<Timestamp>(3)?, row.words(4)?))
    };
    let found = archive.rows.one(sql, args![id], read)?;
    let Some((amount, currency, partner, at, commissions)) = found else { return Ok(Vec::new()) };
    let amount = match Currency::parse(&currency) {
        Ok(currency) => currency.display(amount),
        Err(_) => format!("{amount} {currency}"),
    };
    let at = at.to_rfc3339();
    let count = match commissions.len() {
        1 => "1 commission".to_owned(),
        count => format!("{count} commissions"),
    };
    let words = format!(
        "{amount} was paid to {partner} at {at}, for {count}. Ask about a commission to see its story."
    );
    Ok(vec![Hop::ok("entries", words).with_details(json!({ "commission_ids": commissions }))])
}
