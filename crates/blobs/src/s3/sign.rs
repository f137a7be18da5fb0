//! Signature version 4 of AWS, in a URL.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::time::Duration;

use domain::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::path::Path;
use sha2::{Digest as _, Sha256};

use super::Inner;
use crate::SignedUrl;

/// The longest that the signature's version allows.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A request that may be made by whoever has its URL.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// `None` for the bucket itself.
    pub(super) path: Option<&'a Path>,
    pub(super) query: Vec<(&'a str, String)>,
    /// Names in lower case; they must be sent along with these values.
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) lifetime: Duration,
}

impl Inner {
    pub(super) fn sign(&self, request: Request<'_>) -> SignedUrl {
        let (access, secret) = (&self.settings.access_key, &self.settings.secret_key);
        sign(&self.bucket_url, &self.settings.region, access, secret, self.clock.now(), request)
    }
}

fn sign(
    bucket_url: &str,
    region: &str,
    access_key: &str,
    secret_key: &str,
    now: Timestamp,
    request: Request<'_>,
) -> SignedUrl {
    let url = match request.path {
        Some(path) => format!("{bucket_url}/{path}"),
        None => bucket_url.to_owned(),
    };
    let (_, address) = url.split_once("://").unwrap_or(("", &url));
    let (host, path) = address.split_once('/').unwrap_or((address, ""));

    let instant = basic(now);
    let date = &instant[..8];
    let scope = format!("{date}/{region}/s3/aws4_request");

    let mut headers = request.headers;
    headers.push(("host", host.to_owned()));
    headers.sort_unstable();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();

    let lifetime = request.lifetime.min(LONGEST).as_secs().max(1);
    let mut query = request.query;
    query.extend([
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("X-Amz-Credential", format!("{access_key}/{scope}")),
        ("X-Amz-Date", instant.clone()),
        ("X-Amz-Expires", lifetime.to_string()),
        ("X-Amz-SignedHeaders", names.clone()),
    ]);
    let mut query: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    query.sort_unstable();
    let query = query.join("&");

    let canonical =
        format!("{}\n/{path}\n{query}\n{headers}\n{names}\nUNSIGNED-PAYLOAD", request.method);
    let digest = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{instant}\n{scope}\n{digest}");
    let mut key = code(format!("AWS4{secret_key}").as_bytes(), date);
    for part in [region, "s3", "aws4_request"] {
        key = code(&key, part);
    }
    let signature = hex::encode(code(&key, &to_sign));
    SignedUrl(format!("{url}?{query}&X-Amz-Signature={signature}"))
}

fn code(key: &[u8], text: &str) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

/// An instant as `20150830T123600Z`.
fn basic(instant: Timestamp) -> String {
    let text = instant.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

/// By RFC 3986: all but letters, digits and `-_.~`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_documentation() {
        let request = Request {
            method: "GET",
            path: Some(&Path::from("test.txt")),
            query: Vec::new(),
            headers: Vec::new(),
            lifetime: Duration::from_secs(86_400),
        };
        let SignedUrl(url) = sign(
            "https://examplebucket.s3.amazonaws.com",
            "us-east-1",
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "2013-05-24T00:00:00Z".parse().unwrap(),
            request,
        );
        let expected =
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(url.ends_with(expected), "{url}");
    }
}
