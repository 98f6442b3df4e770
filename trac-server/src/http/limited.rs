//! The bodies of responses, up to a length.

use reqwest::Response;

/// The body of a response; `None` if it is longer than `most` bytes.
///
/// # Errors
/// The connection's.
pub(crate) async fn body(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(body))
}
