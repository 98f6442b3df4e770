//! Every public route in one table: `/openapi.json` is generated from it, and so is the test that tries every
//! route with every kind of wrong key.
//!
//! # Notation
//! Fields are written `name: type`, with `*` after the name if a body must have the field, `?` after the type
//! if it may be null in a response, and `[]` after the type for a list.

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A server with a secret key, which limits the call to its workspace and mode.
    Merchant,
    /// A page with a publishable key or the workspace's ID, or a server with a secret key.
    Tracker,
    /// A page with a publishable key.
    Page,
    /// Stripe, by its signature.
    Stripe,
    /// Any caller, without a key.
    Anybody,
}

/// One method of one path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) caller: Caller,
    pub(crate) summary: &'static str,
    /// The fields of the body.
    pub(crate) body: &'static str,
    /// Status and schema name of the response; `[]` after the name for a list of them. Empty if it is not
    /// JSON.
    pub(crate) answer: (u16, &'static str),
}

const fn merchant(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    body: &'static str,
    answer: (u16, &'static str),
) -> Operation {
    Operation { method, path, caller: Caller::Merchant, summary, body, answer }
}

const fn public(
    caller: Caller,
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    body: &'static str,
    answer: (u16, &'static str),
) -> Operation {
    Operation { method, path, caller, summary, body, answer }
}

const PROGRAM: &str = "name: string; slug: string?; tracking_domain: string?; status: string; attribution_window_days: integer; attribution_model: string; \
    commission: object; recurring: any; lead_amount_minor: integer; lead_currency: currency?; lead_events: string[]; client_lead_days: integer; hold_days: object; \
    base: string; include_shipping: boolean; count_out_of_band: boolean; products: string[]; cancel_policy: string; \
    attribute_by_customer: boolean; block_self_referral: boolean; valid_from: time";
const PREVIEWED_PROGRAM: &str = "name: string; slug: string?; tracking_domain: string?; status: string; attribution_window_days: integer; attribution_model: string; \
    commission: object; recurring: any; lead_amount_minor: integer; lead_currency: currency?; lead_events: string[]; client_lead_days: integer; hold_days: object; \
    base: string; include_shipping: boolean; count_out_of_band: boolean; products: string[]; cancel_policy: string; \
    attribute_by_customer: boolean; block_self_referral: boolean; valid_from: time; days: integer";
const NEW_PROGRAM: &str = "name*: string; slug: string; tracking_domain: string; status: string; attribution_window_days: integer; attribution_model: string; \
    commission*: object; recurring: any; lead_amount_minor: integer; lead_currency: currency; lead_events: string[]; client_lead_days: integer; hold_days: object; \
    base: string; include_shipping: boolean; count_out_of_band: boolean; products: string[]; cancel_policy: string; \
    attribute_by_customer: boolean; block_self_referral: boolean";

/// All operations, in the order of docs/api.md.
pub(crate) const OPERATIONS: &[Operation] = &[
    merchant("GET", "/api/v1/programs", "List programs", "", (200, "Program[]")),
    merchant("POST", "/api/v1/programs", "Create a program", NEW_PROGRAM, (201, "Program")),
    merchant("GET", "/api/v1/programs/{id}", "One program", "", (200, "Program")),
    merchant(
        "PATCH",
        "/api/v1/programs/{id}",
        "Change a program by a new version, in force from now on or from valid_from on",
        PROGRAM,
        (200, "Program"),
    ),
    merchant(
        "POST",
        "/api/v1/programs/{id}/preview",
        "What the program's payments of the last days would have earned under changed terms; nothing is written",
        PREVIEWED_PROGRAM,
        (200, "ProgramPreview"),
    ),
    merchant(
        "DELETE",
        "/api/v1/programs/{id}",
        "Delete a program that nothing refers to; else 409 PROGRAM_IN_USE",
        "",
        (200, "Deleted"),
    ),
    merchant("GET", "/api/v1/partners", "List partners", "", (200, "Partner[]")),
    merchant(
        "POST",
        "/api/v1/partners",
        "Create a partner; 409 PARTNER_EXISTS if a partner has the e-mail address, unless anyway is true",
        "name*: string; email: string; code: string; anyway: boolean",
        (201, "Partner"),
    ),
    merchant("GET", "/api/v1/partners/{id}", "One partner", "", (200, "Partner")),
    merchant(
        "PATCH",
        "/api/v1/partners/{id}",
        "Change a partner",
        "name: string; email: string?; code: string; anyway: boolean",
        (200, "Partner"),
    ),
    merchant(
        "DELETE",
        "/api/v1/partners/{id}",
        "Delete a partner that nothing refers to; else 409 PARTNER_IN_USE",
        "",
        (200, "Deleted"),
    ),
    merchant("GET", "/api/v1/enrollments", "List enrollments", "", (200, "Enrollment[]")),
    merchant(
        "POST",
        "/api/v1/enrollments",
        "Enroll a partner in a program",
        "program_id*: string; partner_id*: string; status: string; note: string; commission: object; promotion_codes: string[]",
        (201, "Enrollment"),
    ),
    merchant("GET", "/api/v1/enrollments/{id}", "One enrollment", "", (200, "Enrollment")),
    merchant(
        "PATCH",
        "/api/v1/enrollments/{id}",
        "Change an enrollment by a new version, in force from now on or from valid_from on",
        "status: string; note: string?; commission: object?; promotion_codes: string[]; valid_from: time",
        (200, "Enrollment"),
    ),
    merchant(
        "DELETE",
        "/api/v1/enrollments/{id}",
        "Delete an enrollment that nothing refers to; else 409 ENROLLMENT_IN_USE",
        "",
        (200, "Deleted"),
    ),
    merchant("GET", "/api/v1/links", "List tracked links", "", (200, "Link[]")),
    merchant(
        "POST",
        "/api/v1/links",
        "Create a tracked link",
        "program_id*: string; partner_id*: string; destination*: string; slug: string",
        (201, "Link"),
    ),
    merchant("GET", "/api/v1/links/{id}", "One tracked link", "", (200, "Link")),
    merchant(
        "PATCH",
        "/api/v1/links/{id}",
        "Change a tracked link",
        "destination: string; slug: string; archived: boolean",
        (200, "Link"),
    ),
    merchant(
        "DELETE",
        "/api/v1/links/{id}",
        "Delete a tracked link, or archive it if it was ever visited; ?purge=1 ends its address permanently",
        "",
        (200, "DeletedLink"),
    ),
    merchant("GET", "/api/v1/links/{id}/qr.svg", "The link as a QR code (SVG)", "", (200, "")),
    merchant("GET", "/api/v1/clicks", "List clicks", "", (200, "Click[]")),
    merchant(
        "POST",
        "/api/v1/clicks",
        "Record a click by hand",
        "link_id: string; program_id: string; partner_id: string; clicked_at: time; click_id: string",
        (201, "Click"),
    ),
    merchant("GET", "/api/v1/clicks/{id}", "One click", "", (200, "Click")),
    merchant(
        "GET",
        "/api/v1/conversions",
        "List leads and sales, credited or not",
        "",
        (200, "Conversion[]"),
    ),
    merchant(
        "POST",
        "/api/v1/conversions",
        "Report a payment; 409 CONVERSION_DUPLICATE if it was reported before",
        "external_transaction_id*: string; event_type*: string; click_id: string; promo_code: string; \
         amount_cents: integer; currency: currency; occurred_at: time; customer_external_id: string; \
         customer_email: string",
        (201, "Conversion"),
    ),
    merchant("GET", "/api/v1/conversions/{id}", "One conversion", "", (200, "Conversion")),
    merchant(
        "PATCH",
        "/api/v1/conversions/{id}",
        "Approve or reject a claim (status, and click_id where pages claimed several), or report the refunded total (refunded_cents)",
        "status: string; click_id: string; refunded_cents: integer",
        (200, "Conversion"),
    ),
    merchant("GET", "/api/v1/customers", "List customers", "", (200, "Customer[]")),
    merchant("GET", "/api/v1/customers/{id}", "One customer", "", (200, "Customer")),
    merchant(
        "POST",
        "/api/v1/customers/{id}/reassign",
        "Decide who earns from a customer's payments from a time on, before all rules: a partner, the partner of a click, or nobody (null)",
        "partner_id: string?; program_id: string; click_id: string?; from: time",
        (200, "Customer"),
    ),
    merchant(
        "DELETE",
        "/api/v1/customers/{id}/reassign",
        "Take all decisions about a customer back, so that the rules decide",
        "",
        (200, "Customer"),
    ),
    merchant("GET", "/api/v1/leads", "List leads", "", (200, "Lead[]")),
    merchant("GET", "/api/v1/leads/{id}", "One lead", "", (200, "Lead")),
    merchant(
        "PATCH",
        "/api/v1/leads/{id}",
        "Approve or reject a lead; the latest decision applies",
        "status*: string",
        (200, "Lead"),
    ),
    merchant("GET", "/api/v1/commissions", "List commissions", "", (200, "Commission[]")),
    merchant("GET", "/api/v1/commissions/{id}", "One commission", "", (200, "Commission")),
    merchant(
        "PATCH",
        "/api/v1/commissions/{id}",
        "Hold, approve or reject a commission (status), or take the decision back (status restored, or restore); the latest decision applies",
        "status: string; reason: string; restore: boolean",
        (200, "Commission"),
    ),
    merchant(
        "GET",
        "/api/v1/commissions/{id}/entries",
        "The ledger entries of a commission",
        "",
        (200, "Entry[]"),
    ),
    merchant(
        "POST",
        "/api/v1/adjustments",
        "Give a partner an amount by hand, or take one back (below zero), as a commission of source manual",
        "partner_id*: string; program_id*: string; currency*: currency; amount_minor*: integer; reason*: string",
        (201, "Commission"),
    ),
    merchant(
        "GET",
        "/api/v1/balances",
        "The amounts that each partner has earned, was paid and is owed",
        "",
        (200, "Balance[]"),
    ),
    merchant("GET", "/api/v1/payouts", "List payouts", "", (200, "Payout[]")),
    merchant(
        "POST",
        "/api/v1/payouts",
        "Record a payout of all that is due to a partner in a currency; 422 PARTNER_BANNED if only a banned enrollment's earnings are due",
        "partner_id*: string; currency*: currency; anyway: boolean",
        (201, "Payout"),
    ),
    merchant("GET", "/api/v1/payouts/{id}", "One payout", "", (200, "Payout")),
    merchant("GET", "/api/v1/events", "The webhook log", "", (200, "Event[]")),
    merchant(
        "GET",
        "/api/v1/events/{id}",
        "One event with its payload, by trac's ID or Stripe's",
        "",
        (200, "any"),
    ),
    merchant(
        "POST",
        "/api/v1/events/{id}/replay",
        "Decide an event again, by the terms of its time (?rules=then) or by today's (?rules=now); ?dry_run=1 only shows the changes",
        "",
        (200, "any"),
    ),
    merchant(
        "POST",
        "/api/v1/events/{id}/link",
        "Set the payment that an unlinked refund, dispute or charge belongs to",
        "payment*: string",
        (200, "Event"),
    ),
    merchant("GET", "/api/v1/attributions", "The audit log of attribution", "", (200, "Attribution[]")),
    merchant("GET", "/api/v1/attributions/{id}", "One decision", "", (200, "Attribution")),
    merchant(
        "GET",
        "/api/v1/explain/{id}",
        "The story of any ID or e-mail address, hop by hop",
        "",
        (200, "any"),
    ),
    merchant(
        "POST",
        "/api/v1/explain",
        "The same, with the query in the body, so that an e-mail address is not in the URL",
        "query*: string",
        (200, "any"),
    ),
    merchant(
        "GET",
        "/api/v1/refusals",
        "Refused calls: wrong keys, limits, unknown codes and addresses",
        "",
        (200, "Refusal[]"),
    ),
    merchant("GET", "/api/v1/refusals/{id}", "One row of refused calls", "", (200, "Refusal")),
    merchant(
        "GET",
        "/api/v1/activity",
        "Everything that a person, a key or the server changed",
        "",
        (200, "Activity[]"),
    ),
    merchant("GET", "/api/v1/activity/{id}", "One change", "", (200, "Activity")),
    merchant("GET", "/api/v1/webhook-endpoints", "List webhook endpoints", "", (200, "WebhookEndpoint[]")),
    merchant(
        "POST",
        "/api/v1/webhook-endpoints",
        "Create a webhook endpoint",
        "signing_secrets: string[]; stripe_account: string; stripe_api_key: string",
        (201, "WebhookEndpoint"),
    ),
    merchant("GET", "/api/v1/webhook-endpoints/{id}", "One webhook endpoint", "", (200, "WebhookEndpoint")),
    merchant(
        "PATCH",
        "/api/v1/webhook-endpoints/{id}",
        "Set an endpoint's signing secrets, its Stripe account, or the restricted key for Stripe's API",
        "signing_secrets: string[]; stripe_account: string?; stripe_api_key: string?",
        (200, "WebhookEndpoint"),
    ),
    merchant("GET", "/api/v1/setup", "The steps of the set-up, as the store shows them", "", (200, "Setup")),
    merchant(
        "POST",
        "/api/v1/setup/stripe",
        "Make the destination at Stripe with a restricted key, or add missing event types to it",
        "restricted_key*: string",
        (200, "StripeSetup"),
    ),
    merchant(
        "POST",
        "/api/v1/setup/script-check",
        "Start a check of the script on a page; the URL is valid for an hour and one report",
        "page*: string",
        (201, "ScriptCheck"),
    ),
    merchant(
        "GET",
        "/api/v1/go-live",
        "What a copy of test mode to live mode would copy",
        "",
        (200, "GoLive"),
    ),
    merchant(
        "POST",
        "/api/v1/go-live",
        "Copy programs, partners, enrollments and links of test mode to live mode; nothing is copied twice",
        "",
        (200, "GoLive"),
    ),
    merchant("GET", "/api/v1/workspace", "The workspace of the key", "", (200, "Workspace")),
    merchant(
        "PATCH",
        "/api/v1/workspace",
        "Rename the workspace, or set where visitors of purged links are sent",
        "name: string; fallback_url: string?",
        (200, "Workspace"),
    ),
    merchant("GET", "/api/v1/analytics", "Clicks, leads, sales and revenue over time", "", (200, "any")),
    merchant("GET", "/api/v1/api-keys", "List API keys", "", (200, "ApiKey[]")),
    merchant(
        "POST",
        "/api/v1/api-keys",
        "Create an API key, which is shown only in this response",
        "kind*: string; name: string; allowed_origins: string[]",
        (201, "NewApiKey"),
    ),
    merchant("GET", "/api/v1/api-keys/{id}", "One API key", "", (200, "ApiKey")),
    merchant(
        "PATCH",
        "/api/v1/api-keys/{id}",
        "Rename an API key, or limit it to origins",
        "name: string?; allowed_origins: string[]?",
        (200, "ApiKey"),
    ),
    merchant("DELETE", "/api/v1/api-keys/{id}", "Revoke an API key at once", "", (200, "ApiKey")),
    merchant(
        "POST",
        "/api/v1/api-keys/{id}/roll",
        "Create the successor of an API key; the old key works for overlap_hours more (default 24)",
        "overlap_hours: integer",
        (201, "NewApiKey"),
    ),
    merchant(
        "POST",
        "/api/v1/api-keys/{id}/token-secret",
        "Create the token secret of a publishable key, which replaces an earlier one and is shown only in this response",
        "",
        (201, "NewTokenSecret"),
    ),
    merchant(
        "GET",
        "/api/v1/people",
        "List the people of the workspace, the same in both modes",
        "",
        (200, "Person[]"),
    ),
    merchant("GET", "/api/v1/people/{id}", "One person", "", (200, "Person")),
    merchant(
        "PATCH",
        "/api/v1/people/{id}",
        "Change a person's role; 409 LAST_OWNER if no owner would be left",
        "role: string",
        (200, "Person"),
    ),
    merchant(
        "DELETE",
        "/api/v1/people/{id}",
        "Remove a person, whose sessions in this workspace end; 409 LAST_OWNER if no owner would be left",
        "",
        (200, "Deleted"),
    ),
    merchant("GET", "/api/v1/invitations", "List invitations", "", (200, "Invitation[]")),
    merchant(
        "POST",
        "/api/v1/invitations",
        "Invite a person by a URL, which is shown only in this response; replaces an earlier invitation of the address; 409 ALREADY_MEMBER",
        "email*: string; role*: string",
        (201, "NewInvitation"),
    ),
    merchant("GET", "/api/v1/invitations/{id}", "One invitation", "", (200, "Invitation")),
    merchant(
        "DELETE",
        "/api/v1/invitations/{id}",
        "Revoke an invitation; 409 INVITATION_ACCEPTED if it was accepted",
        "",
        (200, "Invitation"),
    ),
    merchant(
        "GET",
        "/api/v1/mails",
        "List mails: what was sent or will be, to whom, with what result",
        "",
        (200, "Mail[]"),
    ),
    merchant("GET", "/api/v1/mails/{id}", "One mail", "", (200, "Mail")),
    merchant(
        "POST",
        "/api/v1/mails/{id}/resend",
        "Send a mail again, with a new link if it has one; 409 MAIL_EXPIRED if it is too old to be of use, MAIL_CANCELED if what it is about is over",
        "",
        (200, "Mail"),
    ),
    public(
        Caller::Tracker,
        "POST",
        "/api/track/lead",
        "Report that a visitor signed up; 200 if it was reported before",
        "eventName*: string; customerExternalId*: string; clickId: string; customerEmail: string; customerName: string; \
         customerToken: string; metadata: object; mode: string",
        (201, "Told"),
    ),
    public(
        Caller::Tracker,
        "POST",
        "/api/track/conversion",
        "Claim a payment; held until the merchant approves it, or the payment itself names the same click",
        "amount*: integer; currency*: currency; eventName: string; externalTransactionId: string; \
         customerExternalId: string; clickId: string; customerEmail: string",
        (201, "Told"),
    ),
    public(
        Caller::Page,
        "POST",
        "/v1/clicks",
        "Request a click by a link's slug or a partner's code",
        "ref: string; via: string; code: string; program: string; url: string; referrer: string; key: string",
        (201, "NewClick"),
    ),
    public(
        Caller::Page,
        "POST",
        "/api/track/click",
        "The same, at its older address",
        "ref: string; via: string; code: string; program: string; url: string; referrer: string; key: string",
        (201, "NewClick"),
    ),
    public(
        Caller::Stripe,
        "POST",
        "/api/webhooks/{endpoint_id}",
        "Receives Stripe's events",
        "",
        (200, "Received"),
    ),
    public(
        Caller::Anybody,
        "POST",
        "/v1/setup/script-check",
        "Report the check of a page, with the token of its URL",
        "token*: string; report*: object",
        (200, "ScriptReport"),
    ),
    public(
        Caller::Anybody,
        "GET",
        "/s/{slug}",
        "A tracked link: records the click and redirects",
        "",
        (302, ""),
    ),
    public(
        Caller::Anybody,
        "GET",
        "/s/{program}/{code}",
        "A partner's newest link in a program, by the program's slug or ID and the partner's code",
        "",
        (302, ""),
    ),
    public(
        Caller::Anybody,
        "GET",
        "/t/{slug}",
        "A tracked link of test mode, even if a live link has the same slug",
        "",
        (302, ""),
    ),
    public(
        Caller::Anybody,
        "GET",
        "/t/{program}/{code}",
        "A partner's newest link in a program of test mode",
        "",
        (302, ""),
    ),
    public(Caller::Anybody, "GET", "/trac.js", "The script", "", (200, "")),
    public(Caller::Anybody, "GET", "/v1/trac.js", "The script", "", (200, "")),
    public(Caller::Anybody, "GET", "/v1/selgeo.js", "The script in the selgeo dialect", "", (200, "")),
    public(
        Caller::Anybody,
        "GET",
        "/trac.compat.js",
        "The script for pages that forbid WebAssembly",
        "",
        (200, ""),
    ),
    public(
        Caller::Anybody,
        "GET",
        "/v1/trac.compat.js",
        "The script for pages that forbid WebAssembly",
        "",
        (200, ""),
    ),
    public(
        Caller::Anybody,
        "GET",
        "/trac-verify.js",
        "The part of the script that checks a page",
        "",
        (200, ""),
    ),
    public(
        Caller::Anybody,
        "GET",
        "/v1/trac-verify.js",
        "The part of the script that checks a page",
        "",
        (200, ""),
    ),
    public(Caller::Anybody, "GET", "/healthz", "Whether the server runs", "", (200, "")),
    public(Caller::Anybody, "GET", "/readyz", "Whether the store can be read and written", "", (200, "")),
    public(Caller::Anybody, "GET", "/metrics", "Metrics for Prometheus", "", (200, "")),
    public(Caller::Anybody, "GET", "/openapi.json", "This description", "", (200, "any")),
];

/// The schemas of responses: name and fields.
pub(crate) const SCHEMAS: &[(&str, &str)] = &[
    (
        "Program",
        "id: string; name: string; slug: string?; tracking_domain: string?; status: string; version: integer; attribution_window_days: integer; \
         attribution_model: string; commission: object; recurring: any; lead_amount_minor: integer; \
         lead_currency: currency?; lead_events: string[]; client_lead_days: integer; hold_days: object; base: string; include_shipping: boolean; \
         count_out_of_band: boolean; products: string[]; cancel_policy: string; attribute_by_customer: boolean; \
         block_self_referral: boolean; valid_from: time; created_at: time",
    ),
    (
        "Refusal",
        "id: string; route: string; cause: string; message: string; remedy: string; calls: integer; created_at: time; \
         last_at: time",
    ),
    (
        "Activity",
        "id: string; at: time; actor: object; action: string; object: object; before: object?; after: object?",
    ),
    ("Partner", "id: string; name: string; email: string?; code: string; created_at: time"),
    (
        "Enrollment",
        "id: string; program_id: string; partner_id: string; status: string; note: string?; version: integer; commission: object?; \
         promotion_codes: string[]; valid_from: time; created_at: time",
    ),
    (
        "Link",
        "id: string; program_id: string; partner_id: string; slug: string; destination: string; url: string; \
         archived: boolean; not_counted: object; created_at: time",
    ),
    ("Deleted", "id: string; deleted: boolean"),
    ("DeletedLink", "id: string; deleted: boolean; archived: boolean"),
    (
        "Click",
        "id: string; click_id: string; program_id: string; partner_id: string; link_id: string?; clicked_at: time; \
         unique: boolean; referrer: string?; landing_url: string?; created_at: time",
    ),
    (
        "Conversion",
        "id: string; source: string; lead_id: string?; external_transaction_id: string?; stripe: object; \
         amount_minor: integer?; base_minor: integer?; lost_minor: integer; currency: currency?; attributed: boolean; \
         click_id: string?; program_id: string?; partner_id: string?; rule: string?; claims: object[]; reason: string; commission_id: string?; \
         occurred_at: time?; created_at: time",
    ),
    (
        "Customer",
        "id: string; external_id: string?; stripe_customer_id: string?; email: string?; name: string?; \
         attributed: boolean; click_id: string?; reassigned: object?; created_at: time",
    ),
    (
        "Lead",
        "id: string; customer_external_id: string; event_name: string; customer_email: string?; \
         customer_name: string?; metadata: object?; deferred: boolean; status: string?; attributed: boolean; click_id: string?; \
         rule: string?; reason: string; commission_id: string?; conversion_id: string; created_at: time",
    ),
    (
        "Commission",
        "id: string; payment_id: string; program_id: string; partner_id: string; enrollment_id: string; \
         click_id: string?; source: string; recurring_month: integer?; status: string; currency: currency; \
         base_minor: integer; amount_minor: integer; reversed_minor: integer; net_minor: integer; reason: string; \
         verdict: object?; note: string?; matures_at: time; stripe: object; created_at: time",
    ),
    (
        "Entry",
        "id: string; commission_id: string; kind: string; amount_minor: integer; currency: currency; reason: string; \
         event_id: string?; corrects: string?; payout_id: string?; at: time; created_at: time",
    ),
    (
        "Balance",
        "id: string; partner_id: string; currency: currency; pending_minor: integer; claimed_minor: integer; \
         approved_minor: integer; paid_minor: integer; owed_minor: integer",
    ),
    (
        "Payout",
        "id: string; partner_id: string; currency: currency; amount_minor: integer; commission_ids: string[]; \
         created_at: time",
    ),
    (
        "Event",
        "id: string; stripe_event_id: string?; endpoint_id: string; type: string?; \
         api_version: string?; stripe_created_at: time?; outcome: string; reason: string; message: string; \
         remedy: string?; deliveries: integer; \
         subject_id: string?; settled_by: string?; asked_at: time?; created_at: time",
    ),
    (
        "Attribution",
        "id: string; payment_id: string; event_id: string?; reason: string; rule: string?; click_id: string?; \
         bound_by: string?; bound_at: time?; candidates: object[]; same_as: string?; stripe: object; \
         occurred_at: time?; created_at: time",
    ),
    (
        "WebhookEndpoint",
        "id: string; url: string; stripe_account: string?; signing_secret_count: integer; stripe_api_key: string?; \
         stripe_api_key_problem: string?; events: string[]; created_at: time",
    ),
    (
        "ProgramPreview",
        "program: object; days: integer; since: time; payments: integer; is_limited: boolean; more: integer; less: integer; \
         nothing: integer; same: integer; other_currency: integer; currencies: object[]; largest: object[]",
    ),
    (
        "GoLive",
        "workspace_id: string; dry_run: boolean; copied: object[]; left_out: object[]; look_at: object[]",
    ),
    ("Setup", "steps: object[]"),
    (
        "StripeSetup",
        "endpoint: object; stripe_destination: string; created: boolean; disabled: string[]; events: string[]; steps: object[]",
    ),
    ("ScriptCheck", "url: string"),
    ("ScriptReport", "ok: boolean; what: string; remedy: string?"),
    ("Workspace", "id: string; name: string; fallback_url: string?; created_at: time"),
    (
        "ApiKey",
        "id: string; kind: string; name: string?; hint: string; status: string; allowed_origins: string[]?; \
         has_token_secret: boolean; created_at: time; last_used_at: time?; expires_at: time?; revoked_at: time?",
    ),
    (
        "NewApiKey",
        "id: string; key: string; kind: string; name: string?; hint: string; status: string; \
         allowed_origins: string[]?; has_token_secret: boolean; created_at: time; last_used_at: time?; \
         expires_at: time?; revoked_at: time?",
    ),
    ("NewTokenSecret", "id: string; token_secret: string"),
    (
        "Person",
        "id: string; name: string; email: string; role: string; since: time; last_seen_at: time?; has_second_factor: boolean",
    ),
    (
        "Invitation",
        "id: string; email: string; role: string; status: string; invited_by: string; created_at: time; expires_at: time; \
         accepted_at: time?; revoked_at: time?",
    ),
    (
        "NewInvitation",
        "id: string; email: string; role: string; status: string; invited_by: string; created_at: time; expires_at: time; \
         accepted_at: time?; revoked_at: time?; url: string",
    ),
    (
        "Mail",
        "id: string; kind: string; to: string; about: string; status: string; attempts: integer; next_attempt_at: time?; \
         subject: string?; text: string?; error: string?; created_at: time; sent_at: time?",
    ),
    ("Told", "id: string; attributed: boolean; reason: string; click_id: string?; commission_id: string?"),
    ("NewClick", "click_id: string"),
    ("Received", "received: boolean; outcome: string; reason: string"),
];
