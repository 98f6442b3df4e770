use std::convert::Infallible;

use http::{Request, Response};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use super::ClickLayer;
use crate::get_click_id;

/// Sends a request through the layer; returns the cookie that was set and the click that the handler saw.
async fn send(layer: ClickLayer, uri: &str, cookie: &str) -> (Option<String>, Option<String>) {
    let handler = service_fn(async |request: Request<()>| {
        let seen = get_click_id(&request).map(|id| id.as_str().to_owned());
        Ok::<_, Infallible>(Response::new(seen))
    });
    let service = ServiceBuilder::new().layer(layer).service(handler);
    let request = Request::get(uri).header("cookie", cookie).body(()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let set = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
    let private = response.headers().get("cache-control").is_some_and(|value| value == "private");
    assert_eq!(private, set.is_some(), "a response with a cookie must be private");
    (set, response.into_body())
}

#[tokio::test]
async fn a_click_in_the_url_becomes_a_cookie_and_is_readable_in_the_same_request() {
    let (set, seen) = send(ClickLayer::new(), "/?trac_click_id=abc", "").await;
    let want = "trac_click_id=abc; Path=/; Max-Age=7776000; SameSite=Lax; Secure";
    assert_eq!((set.as_deref(), seen.as_deref()), (Some(want), Some("abc")));

    let layer = ClickLayer::new().domain("shop.example").days(1).insecure();
    let (set, _) = send(layer, "/?trac_click_id=abc", "").await;
    let want = "trac_click_id=abc; Path=/; Max-Age=86400; SameSite=Lax; Domain=shop.example";
    assert_eq!(set.as_deref(), Some(want));
}

#[tokio::test]
async fn the_attribution_model_decides_which_click_is_stored() {
    let (old, new) = ("clk_1_0000000000000001", "clk_2_0000000000000002");
    let check = async |layer: ClickLayer, uri: String, stored: &str, seen: &str, is_set: bool| {
        let (set, found) = send(layer, &uri, &format!("trac_click_id={stored}")).await;
        assert_eq!((found.as_deref(), set.is_some()), (Some(seen), is_set), "{uri} over {stored}");
    };
    check(ClickLayer::new(), format!("/?trac_click_id={new}"), old, new, true).await;
    check(ClickLayer::new().first_click(), format!("/?trac_click_id={new}"), old, old, false).await;
    check(ClickLayer::new(), "/?trac_click_id=foreign".to_owned(), old, old, false).await;
    check(ClickLayer::new(), format!("/?trac_click_id={old}"), old, old, false).await;
    check(ClickLayer::new(), "/".to_owned(), old, old, false).await;
}

#[tokio::test]
async fn a_request_without_a_click_sets_no_cookie() {
    assert_eq!(send(ClickLayer::new(), "/?trac_click_id=%0d%0aSet-Cookie", "").await, (None, None));
    assert_eq!(send(ClickLayer::new(), "/", "").await, (None, None));
}
