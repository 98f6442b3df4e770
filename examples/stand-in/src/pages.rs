//! The HTML pages: the hosted payment page, the frames of the Buy Button and the Pricing Table, and the
//! merchant's dashboard.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::Value;
use trac_core::money::Currency;

use crate::catalogue::{PaymentLink, Price};
use crate::form;
use crate::outbox::Delivery;
use crate::payment::Payment;
use crate::refusal::Refusal;
use crate::server::StandIn;
use crate::session::Session;

const STYLE: &str = include_str!("../assets/stand-in.css");
const BUY_BUTTON: &str = include_str!("../assets/buy-button.js");
const PRICING_TABLE: &str = include_str!("../assets/pricing-table.js");

#[derive(Template)]
#[template(path = "checkout.html")]
struct CheckoutPage<'a> {
    session: &'a Session,
    amount: String,
    interval: Option<&'a str>,
    reference: Option<&'a str>,
    email: &'a str,
}

#[derive(Template)]
#[template(path = "done.html")]
struct DonePage {
    heading: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "offers.html")]
struct OffersPage<'a> {
    offers: Vec<Offer<'a>>,
    label: &'static str,
    query: String,
}

struct Offer<'a> {
    link: &'a PaymentLink,
    amount: String,
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    rows: Vec<Row>,
    deliveries: Vec<Delivery>,
    held: usize,
    notice: Option<String>,
}

struct Row {
    payment: Payment,
    amount: String,
    refunded: Option<String>,
    half: i64,
    is_running: bool,
    dispute: &'static str,
}

/// `GET /`: redirects to the dashboard.
pub(crate) async fn index() -> Redirect {
    Redirect::to("/dashboard")
}

pub(crate) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

pub(crate) async fn buy_button_script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], BUY_BUTTON).into_response()
}

pub(crate) async fn pricing_table_script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], PRICING_TABLE).into_response()
}

/// `GET /test_…`: a Payment Link.
pub(crate) async fn payment_link(
    State(stand_in): State<StandIn>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(link) = stand_in.config().catalogue.by_slug(&slug) else {
        let text = format!("There is no Payment Link {slug}.");
        return (StatusCode::NOT_FOUND, page(&DonePage { heading: "Not found", text })).into_response();
    };
    let session = Session::of_link(link, &parse(query), stand_in.config().after_payment.clone());
    let html = checkout(&session);
    stand_in.books().open(session);
    html.into_response()
}

/// `GET /c/pay/cs_…`: the page of a session created through the API.
pub(crate) async fn hosted_session(
    State(stand_in): State<StandIn>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let session = stand_in.books().session(&id)?.clone();
    if session.completion.is_some() {
        let text = "This Checkout Session has already been completed.".to_owned();
        return Ok(page(&DonePage { heading: "All done here", text }).into_response());
    }
    Ok(checkout(&session).into_response())
}

/// `POST /pay/cs_…`: the page's pay button.
pub(crate) async fn pay(
    State(stand_in): State<StandIn>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let fields = form::parse(&body);
    let email = form::text(&fields, "/email").unwrap_or("ada@example.com");
    stand_in.apply(|books| books.pay(&id, email)).await?;
    let next = stand_in.books().session(&id)?.success_address();
    Ok(match next {
        Some(url) => Redirect::to(&url).into_response(),
        None => page(&DonePage { heading: "Thank you", text: "Your payment went through.".to_owned() })
            .into_response(),
    })
}

/// `GET /embed/buy-button/{id}`: the frame inside `<stripe-buy-button>`.
pub(crate) async fn buy_button(
    State(stand_in): State<StandIn>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let offers = stand_in.config().catalogue.buy_button(&id).into_iter().collect();
    offers_page(offers, "Buy now", query)
}

/// `GET /embed/pricing-table/{id}`: the frame inside `<stripe-pricing-table>`.
pub(crate) async fn pricing_table(
    State(stand_in): State<StandIn>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    offers_page(stand_in.config().catalogue.pricing_table(&id), "Subscribe", query)
}

/// `GET /dashboard`: every payment with its actions, and every delivery.
pub(crate) async fn dashboard(State(stand_in): State<StandIn>, RawQuery(query): RawQuery) -> Html<String> {
    let rows = {
        let books = stand_in.books();
        let row = |payment: &Payment| Row {
            amount: format_amount(&payment.currency, payment.amount_minor),
            refunded: (payment.refunded_minor > 0)
                .then(|| format_amount(&payment.currency, payment.refunded_minor)),
            half: payment.refundable_minor() / 2,
            is_running: payment.subscription.as_ref().is_some_and(|id| books.is_running(id)),
            dispute: payment.dispute.as_ref().map_or("", |dispute| dispute.status),
            payment: payment.clone(),
        };
        books.payments().map(row).collect()
    };
    let notice = form::text(&parse(query), "/notice").map(str::to_owned);
    let outbox = stand_in.outbox();
    page(&DashboardPage { rows, deliveries: outbox.deliveries(), held: outbox.held(), notice })
}

/// `POST /dashboard/{verb}/{id}`: a button of the dashboard.
pub(crate) async fn act(
    State(stand_in): State<StandIn>,
    Path((verb, id)): Path<(String, String)>,
    body: Bytes,
) -> Redirect {
    let amount = form::text(&form::parse(&body), "/amount").and_then(|text| text.parse().ok());
    let outcome = if verb == "deliver" {
        let is_known = stand_in.outbox().resend(&id).await;
        if is_known { Ok(()) } else { Err(Refusal::not_found("event", &id)) }
    } else {
        stand_in.act(&verb, &id, amount).await
    };
    match outcome {
        Ok(()) => Redirect::to("/dashboard"),
        Err(refusal) => {
            let notice = form_urlencoded::byte_serialize(refusal.to_string().as_bytes()).collect::<String>();
            Redirect::to(&format!("/dashboard?notice={notice}"))
        }
    }
}

fn checkout(session: &Session) -> Html<String> {
    let reference = session.client_reference_id.as_deref();
    let in_metadata = session.metadata.get("tracClickId").and_then(Value::as_str);
    page(&CheckoutPage {
        amount: format_amount(&session.price.currency, session.amount_minor()),
        interval: session.price.interval.as_deref(),
        reference: reference.or(in_metadata),
        email: session.customer_email.as_deref().unwrap_or("ada@example.com"),
        session,
    })
}

fn offers_page(links: Vec<&PaymentLink>, label: &'static str, query: Option<String>) -> Response {
    if links.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let offer = |link| Offer { amount: format_price(link), link };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    page(&OffersPage { offers: links.into_iter().map(offer).collect(), label, query }).into_response()
}

fn format_price(link: &PaymentLink) -> String {
    let Price { currency, amount_minor, interval, .. } = &link.price;
    let amount = format_amount(currency, *amount_minor);
    interval.as_ref().map_or(amount.clone(), |interval| format!("{amount} a {interval}"))
}

fn format_amount(currency: &str, amount_minor: i64) -> String {
    Currency::parse(currency)
        .map_or_else(|_| format!("{amount_minor} {currency}"), |currency| currency.display(amount_minor))
}

fn parse(query: Option<String>) -> Value {
    form::parse(query.unwrap_or_default().as_bytes())
}

fn page(template: &impl Template) -> Html<String> {
    Html(template.render().unwrap_or_else(|error| format!("The page could not be made: {error}")))
}
