//! Servers that speak TLS, and whether they are trusted.

use std::path::PathBuf;
use std::sync::Arc;

use blobs::s3::Settings;
use blobs::{Blobs as _, Error};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{file, own_server};
use crate::content;
use crate::world::{on, open};

/// TLS before a server that has none, with a certificate for `localhost`.
struct Tls {
    endpoint: String,
    folder: tempfile::TempDir,
    _serving: JoinSet<()>,
}

impl Tls {
    async fn before(server: &str) -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let own = own.signed_by(&key, &authority).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();

        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (server, mut serving) = (server.to_owned(), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (server, acceptor) = (server.clone(), acceptor.clone());
                connections.spawn(async move {
                    // Who does not trust the certificate hangs up.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { endpoint, folder, _serving: serving }
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

#[tokio::test]
async fn a_server_is_trusted_for_the_authority_that_is_named() {
    let server = own_server();
    let tls = Tls::before(server.address()).await;
    let settings = Settings {
        endpoint: Some(tls.endpoint.clone()),
        ca_file: Some(tls.ca_file()),
        ..on(&server)
    };
    let blobs = open(settings);
    blobs.check().await.unwrap();
    blobs.put(file(1), content(10_000_000)).await.unwrap();
    assert_eq!(blobs.get(file(1), u64::MAX).await.unwrap(), content(10_000_000));
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_not_trusted() {
    let server = own_server();
    let tls = Tls::before(server.address()).await;
    let other = Tls::before(server.address()).await;
    for ca_file in [None, Some(other.ca_file())] {
        let settings = Settings { endpoint: Some(tls.endpoint.clone()), ca_file, ..on(&server) };
        let refused = open(settings).check().await.unwrap_err();
        assert!(matches!(refused, Error::Untrusted { .. }), "{refused:?}");
        let said = refused.to_string();
        assert!(said.contains("name the file of its authority's certificate"), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_is_not_trusted() {
    let server = own_server();
    let tls = Tls::before(server.address()).await;
    let settings = Settings {
        endpoint: Some(tls.endpoint.replace("localhost", "127.0.0.1")),
        ca_file: Some(tls.ca_file()),
        ..on(&server)
    };
    let refused = open(settings).check().await.unwrap_err();
    assert!(matches!(refused, Error::Untrusted { .. }), "{refused:?}");
}
