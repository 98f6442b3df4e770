//! Actions: what a merchant changes with forms.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::acts::ACTS;
use super::shown::busy;
use super::{form, log_in};
use crate::testing::app::{Answer, App, Merchant};
use crate::testing::person::{add_person, post_form, sign_in};
use crate::testing::shop::Shop;

/// A merchant's browser.
pub(super) struct Browser<'a> {
    pub(super) app: &'a App,
    pub(super) cookie: String,
}

impl<'a> Browser<'a> {
    pub(super) async fn open(app: &'a App, merchant: &Merchant<'_>) -> Self {
        Self { app, cookie: log_in(app, &merchant.key).await }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.app.visit(&format!("/dashboard/{path}"), &[("cookie", &self.cookie)]).await
    }

    /// The fields of the form on a page, as a browser would send them.
    pub(super) async fn fields(&self, path: &str) -> BTreeMap<String, String> {
        let page = self.get(path).await;
        let html = page.body.as_str().unwrap();
        assert_eq!(page.status, 200, "{path}: {html}");
        let form = html.split("<form class=\"form\"").nth(1).unwrap().split("</form>").next().unwrap();
        let plain = |text: &str| {
            text.replace("&#38;", "&")
                .replace("&#60;", "<")
                .replace("&#62;", ">")
                .replace("&#34;", "\"")
                .replace("&#39;", "'")
        };
        let value = |tag: &str, name: &str| {
            let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
            Some(plain(value))
        };
        let mut fields = BTreeMap::new();
        for tag in form.split('<') {
            let Some(name) = value(tag, "name") else { continue };
            if tag.starts_with("input") {
                let is_box = tag.contains("type=\"checkbox\"");
                if !is_box || tag.contains(" checked") {
                    fields.insert(name, value(tag, "value").unwrap_or_default());
                }
            } else if tag.starts_with("textarea") {
                fields.insert(name, plain(tag.split_once('>').unwrap().1));
            } else if tag.starts_with("select") {
                let rest = form
                    .split(&format!("name=\"{name}\""))
                    .nth(1)
                    .unwrap()
                    .split("</select>")
                    .next()
                    .unwrap();
                let options: Vec<_> = rest.split("<option").skip(1).collect();
                let chosen =
                    options.iter().find(|option| option.contains(" selected")).or_else(|| options.first());
                fields.insert(name, chosen.and_then(|option| value(option, "value")).unwrap_or_default());
            }
        }
        fields
    }

    pub(super) async fn send(&self, path: &str, fields: &BTreeMap<String, String>) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        form(self.app, &format!("/dashboard/{path}"), &body, &[("cookie", &self.cookie)]).await
    }

    /// Opens a form, changes some fields and sends it.
    pub(super) async fn act(&self, path: &str, change: &[(&str, &str)]) -> Answer {
        let mut fields = self.fields(path).await;
        for (name, value) in change {
            fields.insert((*name).to_owned(), (*value).to_owned());
        }
        self.send(path, &fields).await
    }
}

pub(super) fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.header("location").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_sets_up_a_program_a_partner_and_a_link_without_the_api() {
    let app = App::new();
    let merchant = app.merchant().await;
    let browser = Browser::open(&app, &merchant).await;
    let made = browser
        .act(
            "do/program-create",
            &[("name", "Friends"), ("commission.rate_bps", "12.5"), ("recurring", "12")],
        )
        .await;
    let to = location(&made);
    assert!(to.starts_with("../programs/prog_") && to.ends_with("?done=program-create"), "{to}");
    let program = merchant.get("/programs").await;
    assert_eq!(program.body["data"][0]["commission"], json!({ "type": "percentage", "rate_bps": 1_250 }));
    assert_eq!(program.body["data"][0]["recurring"], json!({ "months": 12 }));
    let shown = browser.get(to.strip_prefix("../").unwrap()).await;
    let shown = shown.body.as_str().unwrap();
    assert!(
        shown.contains("The program was created.") && shown.contains("earns 12.50 USD (12.5 %)"),
        "{shown}"
    );

    let made = browser
        .act("do/partner-create", &[("name", "Ada"), ("email", "ada@example.com"), ("code", "ada")])
        .await;
    let partner = merchant.get("/partners").await.text("/data/0/id");
    assert_eq!(location(&made), format!("../partners/{partner}?done=partner-create"));
    location(&browser.act(&format!("do/enrollment-create?partner_id={partner}"), &[]).await);
    assert_eq!(merchant.get("/enrollments").await.text("/data/0/status"), "approved");
    let link = format!("do/link-create?partner_id={partner}");
    location(&browser.act(&link, &[("destination", "https://shop.example.com/"), ("slug", "ada")]).await);
    assert_eq!(app.visit("/t/ada", &[]).await.status, 302);
    // Each change is in the record, with the person or link that made it.
    let actions = merchant.get("/activity").await.column("action");
    let changes = ["link.created", "enrollment.created", "partner.created", "program.created"];
    assert_eq!(actions[..4], changes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_twice_takes_effect_once() {
    let app = App::new();
    let merchant = app.merchant().await;
    let browser = Browser::open(&app, &merchant).await;
    let mut fields = browser.fields("do/partner-create").await;
    fields.insert("name".to_owned(), "Ada".to_owned());
    let (one, other) =
        tokio::join!(browser.send("do/partner-create", &fields), browser.send("do/partner-create", &fields));
    let third = browser.send("do/partner-create", &fields).await;
    let answers = [one.status.as_u16(), other.status.as_u16(), third.status.as_u16()];
    assert!(answers.iter().all(|status| [303, 422].contains(status)) && third.status == 303, "{answers:?}");
    assert_eq!(merchant.get("/partners").await.column("id").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_shown_beside_their_fields_and_nothing_typed_is_lost() {
    let app = App::new();
    let merchant = app.merchant().await;
    let browser = Browser::open(&app, &merchant).await;
    let wrong = browser
        .act("do/partner-create", &[("name", "Ada"), ("email", "not an address"), ("code", "with blanks")])
        .await;
    let html = wrong.body.as_str().unwrap();
    assert_eq!(wrong.status, 422, "{html}");
    let at = |id: &str| html.split(&format!("id=\"{id}\"")).nth(1).unwrap().split("</p>").next().unwrap();
    assert!(
        at("f-email").contains("value=\"not an address\"") && at("f-email").contains("class=\"error\""),
        "{html}"
    );
    assert!(at("f-code").contains("class=\"error\"") && !at("f-name").contains("class=\"error\""), "{html}");
    let wrong = browser.act("do/program-create", &[("name", "P"), ("commission.rate_bps", "a lot")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.as_str().unwrap().contains("must be a percentage such as 20 or 12.5"));
    assert!(merchant.get("/partners").await.column("id").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_rejected_with_a_reason_and_a_commission_is_paid() {
    let app = App::new();
    let shop = busy(&app).await;
    let browser = Browser::open(&app, &shop.merchant).await;
    let suspend = format!("do/enrollment-suspend?id={}", shop.enrollment);
    location(&browser.act(&suspend, &[("note", "Bidding on our name")]).await);
    let row = shop.merchant.get(&format!("/enrollments/{}", shop.enrollment)).await;
    assert_eq!(
        (row.text("/status"), row.text("/note")),
        ("suspended".to_owned(), "Bidding on our name".to_owned())
    );
    let page = browser.get(&format!("applications/{}", shop.enrollment)).await;
    assert!(page.body.as_str().unwrap().contains("Bidding on our name"));
    // Everything due was paid before.
    let pay = format!("do/payout-create?partner_id={}&currency=usd", shop.partner);
    let nothing = browser.act(&pay, &[]).await;
    assert_eq!(nothing.status, 422);
    assert!(nothing.body.as_str().unwrap().contains("Nothing is owed"), "{}", nothing.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commission_is_held_approved_rejected_and_restored() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    shop.deliver_object("checkout.session.completed", 0, shop.session(json!({}))).await;
    let browser = Browser::open(&app, &shop.merchant).await;
    let id = shop.merchant.get("/commissions").await.text("/data/0/id");
    let offered = async || {
        let page = browser.get(&format!("commissions/{id}")).await;
        let html = page.body.as_str().unwrap().to_owned();
        assert_eq!(page.status, 200, "{html}");
        let acts = ["hold", "approve", "reject", "restore"];
        acts.into_iter()
            .filter(|act| html.contains(&format!("do/commission-{act}?id={id}")))
            .collect::<Vec<_>>()
    };
    let act = async |name: &str, reason: &str| {
        let done = browser.act(&format!("do/commission-{name}?id={id}"), &[("reason", reason)]).await;
        assert_eq!(location(&done), format!("../commissions/{id}?done=commission-{name}"));
        shop.merchant.get(&format!("/commissions/{id}")).await.text("/status")
    };
    assert_eq!(offered().await, ["hold", "approve", "reject"]);
    let empty = browser.act(&format!("do/commission-hold?id={id}"), &[]).await;
    assert_eq!(empty.status, 422, "a reason is required");
    assert_eq!(act("hold", "An odd order").await, "held");
    assert!(browser.get(&format!("commissions/{id}")).await.body.as_str().unwrap().contains("An odd order"));
    assert_eq!(offered().await, ["approve", "reject", "restore"]);
    assert_eq!(act("approve", "").await, "approved");
    assert_eq!(offered().await, ["hold", "reject"]);
    assert_eq!(act("reject", "Fraud").await, "reversed");
    assert_eq!(offered().await, ["restore"]);
    assert_eq!(act("restore", "It was none").await, "pending");
    act("approve", "").await;
    shop.merchant.make("/payouts", json!({ "partner_id": shop.partner, "currency": "usd" })).await;
    assert_eq!(offered().await, ["reject"]);
    let form = browser.get(&format!("do/commission-reject?id={id}")).await;
    assert!(form.body.as_str().unwrap().contains("taken back from the next payout"), "{}", form.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_adjusted_by_those_who_may_pay() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let finance = add_person(&app, &shop.merchant.workspace_id, "finance").await;
    let browser = Browser { app: &app, cookie: sign_in(&app, &finance).await };
    for page in [format!("partners/{}", shop.partner), "commissions".to_owned()] {
        assert!(browser.get(&page).await.body.as_str().unwrap().contains("do/adjust"), "{page}");
    }
    let path = format!("do/adjust?partner_id={}&currency=usd", shop.partner);
    let wrong = browser.act(&path, &[("amount_minor", "0"), ("reason", "A mistake in May")]).await;
    assert!(wrong.status == 422 && wrong.body.as_str().unwrap().contains("must not be 0"), "{}", wrong.body);
    let done = browser.act(&path, &[("amount_minor", "-12.50"), ("reason", "A mistake in May")]).await;
    let commission = shop.merchant.get("/commissions?source=manual").await;
    let id = commission.text("/data/0/id");
    assert_eq!(location(&done), format!("../commissions/{id}?done=adjust"));
    assert_eq!(commission.column("net_minor"), [-1_250]);
    let page = browser.get(&format!("commissions/{id}")).await;
    let html = page.body.as_str().unwrap();
    assert!(html.contains("A mistake in May") && !html.contains("conversions/pay_"), "{html}");
    let viewer = add_person(&app, &shop.merchant.workspace_id, "viewer").await;
    let browser = Browser { app: &app, cookie: sign_in(&app, &viewer).await };
    for page in [format!("partners/{}", shop.partner), "commissions".to_owned(), format!("commissions/{id}")]
    {
        let page = browser.get(&page).await;
        let html = page.body.as_str().unwrap();
        assert!(
            page.status == 200 && !html.contains("do/adjust") && !html.contains("do/commission-"),
            "{html}"
        );
    }
    assert_eq!(browser.get(&path).await.status, 403);
    let reject = format!("do/commission-reject?id={id}");
    let sent = browser.send(&reject, &[("status".to_owned(), "rejected".to_owned())].into()).await;
    assert_eq!(sent.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_the_other_mode_changes_nothing() {
    let app = App::new();
    let (test, live) = app.both_modes().await;
    let fields = {
        let browser = Browser::open(&app, &test).await;
        let mut fields = browser.fields("do/partner-create").await;
        fields.insert("name".to_owned(), "Ada".to_owned());
        fields
    };
    let browser = Browser::open(&app, &live).await;
    let answer = browser.send("do/partner-create", &fields).await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.as_str().unwrap().contains("switched to live mode"), "{}", answer.body);
    for merchant in [&test, &live] {
        assert!(merchant.get("/partners").await.column("id").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once() {
    let app = App::new();
    let merchant = app.merchant().await;
    let browser = Browser::open(&app, &merchant).await;
    let fields = browser.fields("do/key-create").await;
    let made = browser.send("do/key-create", &fields).await;
    let html = made.body.as_str().unwrap();
    assert_eq!(made.status, 200, "{html}");
    let key = html.split("<p class=\"copy\"><code>").nth(1).unwrap().split('<').next().unwrap();
    assert!(key.starts_with("pk_test_"), "{html}");
    let again = browser.send("do/key-create", &fields).await;
    assert!(!again.body.as_str().unwrap().contains("pk_test_"), "{}", again.body);
    for path in ["keys", "activity"] {
        assert!(!browser.get(path).await.body.as_str().unwrap().contains(key));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_has_a_page_with_a_form() {
    let app = App::new();
    let shop = busy(&app).await;
    let browser = Browser::open(&app, &shop.merchant).await;
    for act in ACTS {
        let list = act.about.strip_suffix("/{id}");
        let path = match list {
            Some(list) => act.to(&shop.merchant.get(list).await.text("/data/0/id")),
            None => act.to(""),
        };
        let page = browser.get(&path).await;
        let html = page.body.as_str().unwrap();
        assert_eq!(page.status, 200, "{path}: {html}");
        assert!(html.contains("<form class=\"form\"") && html.contains("name=\"once\""), "{path}: {html}");
        if list.is_some() {
            assert_eq!(browser.get(&act.to("x_404")).await.status, 404, "{path}");
        }
    }
    assert_eq!(browser.get("do/format-disk").await.status, 404);
}

/// The forms of an unchanged object change nothing when they are sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_unchanged_changes_nothing() {
    let app = App::new();
    let shop = busy(&app).await;
    let browser = Browser::open(&app, &shop.merchant).await;
    let before = shop.merchant.get("/activity").await.column("id").len();
    for (act, list) in [
        ("partner-change", "/partners"),
        ("program-change", "/programs"),
        ("enrollment-terms", "/enrollments"),
        ("link-change", "/links"),
        ("key-change", "/api-keys"),
    ] {
        let id = shop.merchant.get(list).await.text("/data/0/id");
        let row = shop.merchant.get(&format!("{list}/{id}")).await.body;
        let sent = browser.act(&format!("do/{act}?id={id}"), &[]).await;
        location(&sent);
        assert_eq!(shop.merchant.get(&format!("{list}/{id}")).await.body, row, "{act}");
    }
    location(&browser.act("do/workspace-change", &[]).await);
    assert_eq!(shop.merchant.get("/activity").await.column("id").len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_an_action_does_not_change_what_the_action_does() {
    let app = App::new();
    let shop = busy(&app).await;
    let browser = Browser::open(&app, &shop.merchant).await;
    let id = shop.merchant.get("/enrollments").await.text("/data/0/id");
    let fields = browser.fields(&format!("do/enrollment-ban?id={id}&status=approved&note=Hello")).await;
    assert_eq!((fields["status"].as_str(), fields["note"].as_str()), ("banned", "Hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_found_by_name_if_no_other_has_it() {
    let app = App::new();
    let merchant = app.merchant().await;
    let browser = Browser::open(&app, &merchant).await;
    let program = json!({ "name": "Friends", "commission": { "type": "percentage", "rate_bps": 1_000 } });
    merchant.post("/programs", program).await;
    let mut ids = Vec::new();
    for (name, code) in [("Ada", "ada-1"), ("Ada", "ada-2"), ("Eve", "eve"), ("Bob", "zoe"), ("zoe", "z")] {
        let made = merchant.post("/partners", json!({ "name": name, "code": code })).await;
        ids.push(made.text("/id"));
    }
    let join = async |partner: &str| browser.act("do/enrollment-create", &[("partner_id", partner)]).await;
    for several in ["Ada", " zoe "] {
        let page = join(several).await;
        let html = page.body.as_str().unwrap();
        assert!(page.status == 422 && html.contains("Several partners match"), "{several}: {html}");
    }
    let page = join("Nobody").await;
    assert!(page.status == 422 && page.body.as_str().unwrap().contains("No partner has the name"));
    location(&join("Eve").await);
    location(&join("ada-2").await);
    let mut joined = merchant.get("/enrollments").await.column("partner_id");
    joined.reverse();
    assert_eq!(joined, [json!(ids[2]), json!(ids[1])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_commission_above_the_sale_stays_so_when_a_program_is_renamed() {
    let app = App::new();
    let merchant = app.merchant().await;
    let browser = Browser::open(&app, &merchant).await;
    let terms = json!({ "type": "fixed", "amount_minor": 2_500, "currency": "usd", "cap_at_sale": false });
    let made = merchant.post("/programs", json!({ "name": "Friends", "commission": terms })).await;
    let path = format!("do/program-change?id={}", made.text("/id"));
    location(&browser.act(&path, &[("name", "Family")]).await);
    let program = merchant.get(&format!("/programs/{}", made.text("/id"))).await;
    assert_eq!((program.text("/name").as_str(), &program.body["commission"]), ("Family", &terms));
    location(&browser.act(&path, &[("commission.cap_at_sale", "true")]).await);
    let program = merchant.get(&format!("/programs/{}", made.text("/id"))).await;
    assert_eq!(program.body["commission"]["cap_at_sale"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_link_is_made_from_one_form_of_the_set_up() {
    let app = App::new();
    let (merchant, live) = app.both_modes().await;
    let browser = Browser::open(&app, &merchant).await;
    let page = browser.get("setup").await;
    let once = page.body.as_str().unwrap().split("name=\"once\" value=\"").nth(1).unwrap();
    let once = once.split('"').next().unwrap().to_owned();
    let send = async |mode: &str, destination: &str, email: &str| {
        let fields = [
            ("name", "Friends"),
            ("commission.rate_bps", "12.5"),
            ("partner.name", "Paula"),
            ("partner.email", email),
            ("link.destination", destination),
            ("once", once.as_str()),
            ("mode", mode),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        browser.send("setup/first-link", &fields).await
    };
    let count = async |path: &str| merchant.get(path).await.column("id").len();
    assert_eq!(send("live", "https://shop.example/", "paula@example.org").await.status, 409);
    let wrong = send("test", "no address", "paula@example.org").await;
    let html = wrong.body.as_str().unwrap();
    assert!(
        wrong.status == 422 && html.contains("value=\"no address\"") && html.contains("aria-invalid"),
        "{html}"
    );
    // Sent twice: made once.
    for _ in 0..2 {
        assert_eq!(location(&send("test", "https://shop.example/", "paula@example.org").await), "../setup");
    }
    for path in ["/programs", "/partners", "/enrollments", "/links"] {
        assert_eq!(count(path).await, 1, "{path}");
    }
    assert_eq!(merchant.get("/programs").await.body["data"][0]["commission"]["rate_bps"], 1_250);
    assert_eq!(live.get("/programs").await.column("id").len(), 0);
}

#[tokio::test]
async fn an_error_is_a_page_for_a_browser_and_json_for_a_program() {
    let app = App::new();
    let merchant = app.merchant().await;
    let cookie = log_in(&app, &merchant.key).await;
    let switch = async |accept: &str| {
        form(&app, "/dashboard/mode", "mode=live", &[("cookie", &cookie), ("accept", accept)]).await
    };
    assert_eq!(switch("*/*").await.code(), (403, "FORBIDDEN".to_owned()));
    let page = switch("text/html,*/*").await;
    let html = page.body.as_str().unwrap();
    assert!(page.status == 403 && html.contains("This session began with a secret key"), "{html}");
    assert!(html.contains("href=\"../dashboard\""), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_assigned_by_a_form_and_given_back() {
    let app = App::new();
    let shop = Shop::open(&app, json!({})).await;
    let session = shop.session(json!({ "customer": "cus_1" }));
    shop.deliver_object("checkout.session.completed", 0, session).await;
    let merchant = &shop.merchant;
    let paula = merchant.make("/partners", json!({ "name": "Paula", "code": "paula" })).await;
    merchant.make("/enrollments", json!({ "program_id": shop.program, "partner_id": paula })).await;
    let browser = Browser::open(&app, merchant).await;
    let reassigned = async || merchant.get("/customers/cus_1").await.body["reassigned"].clone();

    let assign = "do/customer-assign?id=cus_1";
    let page = browser.get(assign).await;
    let html = page.body.as_str().unwrap();
    assert!(html.contains("Every payment of this customer from that time on is the partner"), "{html}");
    let wrong = browser.act(assign, &[("partner_id", "Paula"), ("from", "yesterday")]).await;
    assert!(wrong.status == 422 && wrong.body.as_str().unwrap().contains("must be a time"), "{}", wrong.body);
    // An empty form does not decide for nobody.
    assert_eq!(browser.act(assign, &[]).await.status, 422);
    assert_eq!(reassigned().await, json!(null));
    let from = ("from", "2026-11-01T00:00:00Z");
    let sent = browser.act(assign, &[("partner_id", "Paula"), from]).await;
    assert_eq!(location(&sent), "../customers/cus_1?done=customer-assign");
    assert_eq!(reassigned().await["partner_id"], paula);
    let page = browser.get("customers/cus_1").await;
    let html = page.body.as_str().unwrap();
    assert!(html.contains("to a partner") && html.contains("Paula") && html.contains("Let the rules decide"));

    location(&browser.act("do/customer-nobody?id=cus_1", &[from]).await);
    assert_eq!(reassigned().await["partner_id"], json!(null));
    assert_eq!(shop.net().await, 0);
    location(&browser.act("do/customer-rules?id=cus_1", &[]).await);
    assert_eq!(reassigned().await, json!(null));
    assert_eq!(shop.net().await, 2_000);
    for role in ["support", "finance"] {
        let person = add_person(&app, &merchant.workspace_id, role).await;
        let cookie = sign_in(&app, &person).await;
        let path = "/dashboard/do/customer-rules?id=cus_1";
        assert_eq!(post_form(&app, path, &[("mode", "test")], &cookie).await.status, 403, "{role}");
    }
}
