//! Decides whether a request for a tracked link is a person's visit.
//!
//! Requests that are not visits are redirected too, but not counted: bots, prefetches, and links that a page
//! loads as an image, frame or script.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use axum::http::{HeaderMap, HeaderName, Method, header};

/// Why a request is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotCounted {
    /// It is a `HEAD` request.
    Head,
    /// Its `User-Agent` names a bot.
    Bot,
    /// The browser prefetches the link, in case the person follows it.
    Prefetch,
    /// A page loads it as an image, a frame or a script.
    Embedded,
    /// The link is archived.
    Archived,
    /// Its IP address has made too many visits within a minute.
    Flood,
}

impl NotCounted {
    /// The code under which the visit is counted and shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Bot => "bot",
            Self::Prefetch => "prefetch",
            Self::Embedded => "embedded",
            Self::Archived => "archived",
            Self::Flood => "flood",
        }
    }
}

/// Words in the `User-Agent` of crawlers and link previews.
const BOT_WORDS: &[&str] = &[
    "bot",
    "crawl",
    "spider",
    "slurp",
    "facebookexternalhit",
    "facebookcatalog",
    "embedly",
    "link preview",
    "linkpreview",
    "whatsapp",
    "telegram",
    "skypeuripreview",
    "mediapartners",
    "google-read-aloud",
    "lighthouse",
    "pingdom",
    "uptime",
    "feedfetcher",
    "ia_archiver",
    "quora link",
];
/// Words that contain one of the above and are not bots: names of phones.
const NOT_BOTS: &[&str] = &["cubot"];

/// Finds all these words, in any case, in one pass. The patterns of `NOT_BOTS` have the first indexes.
#[expect(clippy::expect_used, reason = "the words are constants, and a test runs this")]
static NAMES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let mut names = AhoCorasick::builder();
    names.ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest);
    names.build([NOT_BOTS, BOT_WORDS].concat()).expect("constant words make an automaton")
});

fn is_bot(agent: &[u8]) -> bool {
    NAMES.find_iter(agent).any(|name| name.pattern().as_usize() >= NOT_BOTS.len())
}

/// Whether a request is a visit; `Err` is the reason why not.
pub(super) fn judge(method: &Method, headers: &HeaderMap) -> Result<(), NotCounted> {
    if method == Method::HEAD {
        return Err(NotCounted::Head);
    }
    let lower = |name: HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
    };
    let purposes = ["sec-purpose", "purpose", "x-purpose", "x-moz"].map(HeaderName::from_static).map(lower);
    if purposes
        .iter()
        .any(|purpose| ["prefetch", "prerender", "preview"].iter().any(|word| purpose.contains(word)))
    {
        return Err(NotCounted::Prefetch);
    }
    let destination = lower(HeaderName::from_static("sec-fetch-dest"));
    // A browser without `Sec-Fetch-Dest` still sends `Accept`, which contains text/html when it loads a page.
    let is_embedded = match destination.as_str() {
        "" => {
            lower(header::ACCEPT).trim_start().starts_with("image/")
                && !lower(header::ACCEPT).contains("text/html")
        }
        destination => destination != "document",
    };
    if is_embedded {
        return Err(NotCounted::Embedded);
    }
    let is_bot = headers.get(header::USER_AGENT).is_some_and(|agent| is_bot(agent.as_bytes()));
    if is_bot { Err(NotCounted::Bot) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_person_who_opens_the_link_is_a_visit() {
        let check = |name: &'static str, value: &'static str, want: Result<(), NotCounted>| {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(judge(&Method::GET, &headers), want, "{name}: {value}");
        };
        check("accept", "*/*", Ok(()));
        check(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            Ok(()),
        );
        check("accept", "image/gif, image/jpeg, text/html, */*", Ok(()));
        check("accept", "image/*", Err(NotCounted::Embedded));
        check(
            "accept",
            "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
            Err(NotCounted::Embedded),
        );
        check("accept", "Image/WebP,*/*;q=0.8", Err(NotCounted::Embedded));
        check(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
            Ok(()),
        );
        check("user-agent", "Mozilla/5.0 (Linux; Android 12; CUBOT X50)", Ok(()));
        check(
            "user-agent",
            "Mozilla/5.0 (Linux; Android 12; CUBOT X50; Googlebot/2.1)",
            Err(NotCounted::Bot),
        );
        check("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)", Err(NotCounted::Bot));
        check("user-agent", "facebookexternalhit/1.1", Err(NotCounted::Bot));
        check("user-agent", "Slackbot-LinkExpanding 1.0", Err(NotCounted::Bot));
        check("user-agent", "Mozilla/5.0 (compatible; bingbot/2.0)", Err(NotCounted::Bot));
        check("user-agent", "Twitterbot/1.0", Err(NotCounted::Bot));
        check("user-agent", "LinkedInBot/1.0 (compatible; Mozilla/5.0)", Err(NotCounted::Bot));
        check("user-agent", "Mozilla/5.0 (compatible; Discordbot/2.0)", Err(NotCounted::Bot));
        check("user-agent", "TelegramBot (like TwitterBot)", Err(NotCounted::Bot));
        check("user-agent", "WhatsApp/2.23.20.0 A", Err(NotCounted::Bot));
        check("user-agent", "SkypeUriPreview Preview/0.5", Err(NotCounted::Bot));
        check("user-agent", "Mozilla/5.0 (compatible; YandexBot/3.0)", Err(NotCounted::Bot));
        check("user-agent", "AhrefsBot/7.0", Err(NotCounted::Bot));
        check("user-agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1", Ok(()));
        check("user-agent", "", Ok(()));
        check("sec-fetch-dest", "document", Ok(()));
        check("sec-fetch-dest", "Document", Ok(()));
        for part in ["empty", "style", "font", "audio", "video", "object", "embed", "frame", "worker"] {
            check("sec-fetch-dest", part, Err(NotCounted::Embedded));
        }
        check("sec-fetch-dest", "image", Err(NotCounted::Embedded));
        check("sec-fetch-dest", "iframe", Err(NotCounted::Embedded));
        check("sec-fetch-dest", "script", Err(NotCounted::Embedded));
        check("sec-purpose", "prefetch;prerender", Err(NotCounted::Prefetch));
        check("purpose", "prefetch", Err(NotCounted::Prefetch));
        check("x-moz", "prefetch", Err(NotCounted::Prefetch));
        check("x-purpose", "preview", Err(NotCounted::Prefetch));
        check("sec-purpose", "Prefetch", Err(NotCounted::Prefetch));
        check("sec-fetch-mode", "navigate", Ok(()));
        let pairs = [("accept", "image/webp"), ("sec-fetch-dest", "document")];
        let pairs =
            pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        assert_eq!(
            judge(&Method::GET, &HeaderMap::from_iter(pairs)),
            Ok(()),
            "sec-fetch-dest wins over accept"
        );
        assert_eq!(judge(&Method::HEAD, &HeaderMap::new()), Err(NotCounted::Head));
        assert!(is_bot("Grüner Crawler".as_bytes()), "between letters that are not ASCII");
    }
}
