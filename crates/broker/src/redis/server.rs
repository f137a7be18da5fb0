//! Where the server is, who we are to it, and what it says when it refuses.

use std::fmt;

use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, ProtocolVersion,
    RedisError, ServerErrorKind, TlsCertificates, io::tcp::TcpSettings,
};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::Error;

/// A server, and how to get in.
pub(super) struct Server {
    client: Client,
    /// Host and port: what may be shown of the URL.
    address: String,
    rule: String,
}

impl Server {
    /// Reads a URL, and the certificate of the authority that vouches for the
    /// server where it is not one of the machine's.
    pub(super) fn new(url: &str, ca_pem: Option<&[u8]>, prefix: &str) -> Result<Self, Error> {
        let unreadable =
            |what| move |error: RedisError| Error::Settings { what, why: plain(&error) };
        let info = url.into_connection_info().map_err(unreadable("the URL"))?;
        let address = address(&info);
        let redis = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name();
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = info.set_redis_settings(redis).set_tcp_settings(tcp);
        let client = match ca_pem {
            Some(pem) => {
                if CertificateDer::pem_slice_iter(pem).next().is_none() {
                    let why = "it holds no certificate in PEM".to_owned();
                    return Err(Error::Settings { what: AUTHORITY, why });
                }
                let root_cert = Some(pem.to_vec());
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
                    .map_err(unreadable(AUTHORITY))?
            }
            None => Client::open(info).map_err(unreadable("the URL"))?,
        };
        Ok(Self { client, address, rule: rule(prefix) })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What became of a call, in the broker's words.
    pub(super) fn error(&self, error: &RedisError) -> Error {
        let address = self.address.clone();
        let why = plain(error);
        match error.kind() {
            ErrorKind::AuthenticationFailed => Error::Denied { address, why },
            _ if why.contains("WRONGPASS") || why.contains("NOAUTH") => {
                Error::Denied { address, why }
            }
            ErrorKind::Server(ServerErrorKind::NoPerm) => self.without_rights(why),
            _ if why.contains("The user executing the script") => self.without_rights(why),
            ErrorKind::Io
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::ReadOnly,
            ) => self.away(why),
            _ if error.is_connection_dropped() => self.away(why),
            _ => self.unusable(why),
        }
    }

    /// The server did not answer.
    pub(super) fn away(&self, mut why: String) -> Error {
        match self.client.get_connection_info().addr() {
            ConnectionAddr::Tcp(..) => why.push_str(" (if it wants TLS, write rediss://)"),
            ConnectionAddr::TcpTls { .. } => {
                why.push_str(" (write redis:// for a server without TLS)");
            }
            _ => {}
        }
        Error::Away { address: self.address.clone(), why }
    }

    /// The server is not what we need.
    pub(super) fn unusable(&self, why: String) -> Error {
        Error::Unusable { address: self.address.clone(), why }
    }

    fn without_rights(&self, why: String) -> Error {
        Error::Rights { address: self.address.clone(), why, rule: self.rule.clone() }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The least that a user must be allowed, as `ACL SETUSER` takes it: our keys
/// and our channel, and the commands that the scripts and we call. Nothing
/// that deletes what is not ours.
///
/// ```
/// let commands = "+hello +auth +select +subscribe +publish +evalsha +script|load \
///     +time +exists +get +set +del +unlink +pexpire \
///     +hget +hgetall +hset +hsetnx +hdel +hlen +hincrby +sadd +srem +sismember +smembers \
///     +zadd +zrem +zcard +zrange +zrevrange +zrangebyscore +zremrangebyscore +zlexcount";
/// let rule = format!("~{{mecapy}}:* resetchannels &{{mecapy}}:* -@all {commands}");
/// assert_eq!(broker::redis::rule("mecapy"), rule);
/// ```
#[must_use]
pub fn rule(prefix: &str) -> String {
    format!("~{{{prefix}}}:* resetchannels &{{{prefix}}}:* -@all {COMMANDS}")
}

const AUTHORITY: &str = "the authority's certificate";

const COMMANDS: &str = "+hello +auth +select +subscribe +publish +evalsha +script|load \
    +time +exists +get +set +del +unlink +pexpire \
    +hget +hgetall +hset +hsetnx +hdel +hlen +hincrby +sadd +srem +sismember +smembers \
    +zadd +zrem +zcard +zrange +zrevrange +zrangebyscore +zremrangebyscore +zlexcount";

fn address(info: &ConnectionInfo) -> String {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            format!("{host}:{port}")
        }
        ConnectionAddr::Unix(path) => path.display().to_string(),
        other => other.to_string(),
    }
}

/// What the server or the driver said, in one line.
fn plain(error: &RedisError) -> String {
    error.to_string().replace(['\r', '\n'], " ")
}
