//! Where the bucket is, and what opens it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use object_store::path::Path;

use crate::Error;

/// What an S3 store is built from.
#[derive(Clone)]
pub struct Settings {
    /// The bucket, which is there already.
    pub bucket: String,
    /// The region, part of every signature.
    pub region: String,
    /// The server's URL without the bucket; that of AWS where there is none.
    pub endpoint: Option<String>,
    /// Whether `http://` may be spoken to another machine.
    pub allow_http: bool,
    /// The public half of the keys.
    pub access_key: String,
    /// The secret half, never printed.
    pub secret_key: String,
    /// What all keys begin with, without a slash at its ends; may be empty.
    pub prefix: String,
    /// Whether the bucket stands in the path of a URL, not in its host.
    pub path_style: bool,
    /// Certificates, as PEM, to trust in place of the public authorities.
    pub ca_file: Option<PathBuf>,
    /// Whether a SHA-256 is sent to be kept beside each object. The server
    /// checks the bytes that it receives in any case: they are signed.
    pub checksums: bool,
    /// How long a server may send or take nothing before it counts as hung.
    pub silence: Duration,
    /// How long a request that failed is tried again.
    pub patience: Duration,
}

impl Settings {
    /// Settings of a bucket with usual bounds and nothing but its keys.
    #[must_use]
    pub fn of(bucket: &str, access_key: &str, secret_key: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: None,
            allow_http: false,
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            prefix: String::new(),
            path_style: true,
            ca_file: None,
            checksums: true,
            silence: Duration::from_secs(30),
            patience: Duration::from_secs(15),
        }
    }

    /// The endpoint, as messages name it.
    pub(super) fn server(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://s3.{}.amazonaws.com", self.region),
        }
    }

    /// The URL of the bucket, or what is wrong with the settings.
    pub(super) fn bucket_url(&self) -> Result<String, Error> {
        let server = self.server();
        let uri: Uri = server.parse().map_err(|_| {
            wrong(format!(
                "expected a URL as endpoint, such as https://s3.fr-par.scw.cloud, found {server:?}"
            ))
        })?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(wrong(format!(
                "expected an endpoint that begins with https:// or http://, found {server:?}"
            )));
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong(
                "expected an endpoint without user and password; the keys have settings of their own",
            ));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong(format!(
                "expected an endpoint without a path, found {server:?}; the bucket has a setting \
                 of its own"
            )));
        }
        match scheme {
            "https" => {}
            "http" if self.allow_http || is_loopback(host) => {}
            "http" => {
                return Err(wrong(format!(
                    "{server} is not encrypted and another machine; use https://, or allow http \
                     where the network is trusted"
                )));
            }
            _ => return Err(wrong(format!("expected https:// or http://, found {scheme}://"))),
        }
        self.check_names()?;
        Ok(if self.path_style {
            format!("{server}/{}", self.bucket)
        } else {
            let rest = server.split_once("://").map_or("", |(_, rest)| rest);
            format!("{scheme}://{}.{rest}", self.bucket)
        })
    }

    fn check_names(&self) -> Result<(), Error> {
        let plain = |text: &str| {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
                && !matches!(text, "" | "." | "..")
        };
        if !plain(&self.bucket) {
            return Err(wrong(format!("expected the name of a bucket, found {:?}", self.bucket)));
        }
        if !plain(&self.region) {
            return Err(wrong(format!("expected the name of a region, found {:?}", self.region)));
        }
        if !self.prefix.is_empty() && !self.prefix.split('/').all(plain) {
            return Err(wrong(format!(
                "expected a prefix of letters, digits, `-`, `_` and `.` with a slash only \
                 between, found {:?}",
                self.prefix
            )));
        }
        if self.access_key.is_empty() || self.secret_key.is_empty() {
            return Err(wrong("expected an access key and a secret key, found none"));
        }
        // Both stand in a header.
        if !self.access_key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("expected an access key of letters and digits"));
        }
        Ok(())
    }

    /// The path of a name below the prefix.
    pub(super) fn path(&self, name: impl fmt::Display) -> Path {
        if self.prefix.is_empty() {
            Path::from(name.to_string())
        } else {
            Path::from(format!("{}/{name}", self.prefix))
        }
    }
}

fn wrong(what: impl Into<String>) -> Error {
    Error::Settings(what.into())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// All but the secret key.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("allow_http", &self.allow_http)
            .field("access_key", &self.access_key)
            .field("prefix", &self.prefix)
            .field("path_style", &self.path_style)
            .field("ca_file", &self.ca_file)
            .field("checksums", &self.checksums)
            .field("silence", &self.silence)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(endpoint: &str) -> Settings {
        Settings {
            endpoint: Some(endpoint.to_owned()),
            ..Settings::of("calculations", "AK", "hush")
        }
    }

    #[test]
    fn the_secret_key_is_not_printed() {
        let shown = format!("{:?}", at("https://s3.example.org"));
        assert!(shown.contains("calculations") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn the_bucket_stands_in_the_path_or_in_the_host() {
        let path = at("https://s3.example.org/");
        assert_eq!(path.bucket_url().unwrap(), "https://s3.example.org/calculations");
        let host = Settings { path_style: false, ..path };
        assert_eq!(host.bucket_url().unwrap(), "https://calculations.s3.example.org");
        let aws = Settings { region: "eu-west-3".to_owned(), ..Settings::of("b", "AK", "SK") };
        assert_eq!(aws.bucket_url().unwrap(), "https://s3.eu-west-3.amazonaws.com/b");
    }

    #[test]
    fn plain_http_is_for_this_machine_or_by_leave() {
        for own in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"] {
            assert!(at(own).bucket_url().is_ok(), "{own}");
        }
        for other in
            ["http://10.0.0.7:9000", "http://s3.example.org", "http://127.0.0.1.example.org"]
        {
            let refused = at(other).bucket_url().unwrap_err().to_string();
            assert!(refused.contains("use https://, or allow http"), "{refused}");
            assert!(Settings { allow_http: true, ..at(other) }.bucket_url().is_ok());
        }
    }

    #[test]
    fn settings_that_cannot_work_are_told() {
        let base = at("https://s3.example.org");
        for (wrong, said) in [
            (at("s3.example.org"), "begins with https:// or http://"),
            (at("ftp://s3.example.org"), "expected https:// or http://"),
            (at("https://s3.example.org/bucket"), "without a path"),
            (at("https://me:pass@s3.example.org"), "without user and password"),
            (at("https://a b"), "expected a URL as endpoint"),
            (Settings { bucket: "a/b".to_owned(), ..base.clone() }, "the name of a bucket"),
            (Settings { region: String::new(), ..base.clone() }, "the name of a region"),
            (Settings { prefix: "/a".to_owned(), ..base.clone() }, "expected a prefix"),
            (Settings { prefix: "a/../b".to_owned(), ..base.clone() }, "expected a prefix"),
            (Settings { secret_key: String::new(), ..base.clone() }, "a secret key, found none"),
            (Settings { access_key: "a\nb".to_owned(), ..base }, "letters and digits"),
        ] {
            let refused = wrong.bucket_url().unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
            assert!(!refused.contains("pass@"), "{refused}");
        }
    }
}
