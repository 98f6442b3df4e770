//! Lists: filters in the URL, pages, files.

use serde_json::json;

use super::super::lists::LISTS;
use super::log_in;
use super::shown::busy;
use crate::api::list::words_of;
use crate::dashboard::listing::Of;
use crate::testing::app::App;

async fn page(app: &App, cookie: &str, path: &str, want: u16) -> String {
    let page = app.visit(path, &[("cookie", cookie)]).await;
    assert_eq!(page.status.as_u16(), want, "{path}: {}", page.body);
    page.body.as_str().unwrap().to_owned()
}

/// The number of rows in the first table.
fn rows(html: &str) -> usize {
    html.split("<tbody>")
        .nth(1)
        .and_then(|rest| rest.split("</tbody>").next())
        .map_or(0, |body| body.matches("<tr").count())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_of_every_list_works_with_every_value_that_it_offers() {
    let app = App::new();
    let shop = busy(&app).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    for list in LISTS {
        for filter in list.filters {
            let values: Vec<String> = match filter.of {
                Of::Words(resource) => {
                    let words = words_of(resource, filter.name);
                    words
                        .unwrap_or_else(|| panic!("{} {} has no words", list.path, filter.name))
                        .iter()
                        .map(|word| (*word).to_owned())
                        .collect()
                }
                Of::Partner => vec![
                    "ada".to_owned(),
                    "Ada & Co".to_owned(),
                    "ADA@example.com".to_owned(),
                    shop.partner.clone(),
                ],
                Of::Program => vec![shop.program.clone()],
                Of::Text if filter.name == "currency" => vec!["usd".to_owned(), "EUR".to_owned()],
                Of::Text => vec!["no such value".to_owned()],
            };
            for value in values {
                let query = super::super::api::query_of([(filter.name, value.as_str())]);
                let html = page(&app, &cookie, &format!("/dashboard/{}{query}", list.path), 200).await;
                assert!(html.contains("Show all"), "{} {query}", list.path);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_the_list_and_wrong_ones_are_explained() {
    let app = App::new();
    let shop = busy(&app).await;
    let cookie = log_in(&app, &shop.merchant.key).await;
    let at = async |path: &str, want: u16| page(&app, &cookie, &format!("/dashboard/{path}"), want).await;
    assert_eq!(rows(&at("commissions?status=paid", 200).await), 1);
    assert_eq!(rows(&at("commissions?status=pending", 200).await), 0);
    assert!(at("commissions?status=pending", 200).await.contains("Nothing matches these filters."));
    assert!(at("commissions?currency=dollars", 422).await.contains("must be a currency code"));
    let unknown = at("commissions?partner_id=nobody", 404).await;
    assert!(unknown.contains("No partner has the name, e-mail address, code or ID “nobody”."), "{unknown}");
    // An empty field of the form is no filter, and an unknown parameter is none either.
    assert_eq!(rows(&at("commissions?status=&currency=&utm_source=x", 200).await), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_has_pages_and_a_file_of_all_rows() {
    let app = App::new();
    let merchant = app.merchant().await;
    for number in 0..123 {
        merchant
            .make(
                "/partners",
                json!({ "name": format!("=Partner {number}"), "code": format!("code-{number}") }),
            )
            .await;
    }
    let cookie = log_in(&app, &merchant.key).await;
    let first = page(&app, &cookie, "/dashboard/partners", 200).await;
    assert_eq!(rows(&first), 50);
    assert!(
        first.contains("1–50 of 123") && first.contains("?page=2") && !first.contains("rel=\"prev\""),
        "{first}"
    );
    let last = page(&app, &cookie, "/dashboard/partners?page=3", 200).await;
    assert_eq!(rows(&last), 23);
    assert!(last.contains("101–123 of 123") && !last.contains("rel=\"next\""), "{last}");
    let file = app.visit("/dashboard/partners?format=csv", &[("cookie", &cookie)]).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"trac-partners.csv\"");
    let text = file.body.as_str().unwrap();
    assert_eq!(text.lines().count(), 124);
    assert!(
        text.starts_with(
            "Name,E-mail address,Code,Since\r\n'=Partner 122,,code-122,2026-11-21T08:00:00Z\r\n"
        ),
        "{text}"
    );
    let one = app.visit("/dashboard/partners?code=code-7&format=csv", &[("cookie", &cookie)]).await;
    assert_eq!(one.body.as_str().unwrap().lines().count(), 2);
}
