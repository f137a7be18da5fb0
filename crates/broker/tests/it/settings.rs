//! What an operator can get wrong, and what is said then.

use std::sync::Arc;

use broker::redis::{Settings, rule};
use broker::{Broker as _, Error, Redis, Want};
use domain::Timestamp;
use domain::clock::Manual;

use crate::queued;
use crate::world::{SERVER, rebuilt, settings};

async fn open(settings: Settings) -> Result<Redis, Error> {
    Redis::open(settings, Arc::new(Manual::at(Timestamp(1_000_000)))).await
}

async fn refused(settings: Settings) -> String {
    let error = open(settings).await.unwrap_err().to_string();
    assert!(!error.contains("s3cret"), "{error}");
    error
}

#[tokio::test]
async fn a_wrong_password_is_told_without_showing_it() {
    let right = settings(&SERVER);
    let wrong = Settings { url: right.url.replace("s3cret", "s3cret-not"), ..right.clone() };
    let error = refused(wrong).await;
    let address = format!("Redis at 127.0.0.1:{} does not let us in", SERVER.port());
    assert!(error.starts_with(&address), "{error}");
    assert!(error.contains("redis://user:password@host:6379/0"), "{error}");
    let (_, host) = right.url.split_once('@').unwrap();
    let nobody = Settings { url: format!("redis://nobody:s3cret@{host}"), ..right };
    assert!(refused(nobody).await.contains("does not let us in"));
}

#[tokio::test]
async fn a_user_without_rights_on_our_keys_is_told_the_rule_that_it_lacks() {
    let theirs = settings(&SERVER);
    let other = Settings { prefix: "other".to_owned(), ..theirs };
    let error = refused(other).await;
    assert!(error.contains(&format!("ACL SETUSER <user> {}", rule("other"))), "{error}");
    assert!(error.contains("permission"), "{error}");
}

#[tokio::test]
async fn a_user_without_one_of_our_commands_is_told_the_rule_that_it_lacks() {
    let settings = settings(&SERVER);
    let prefix = settings.prefix.clone();
    let broker = rebuilt(open(settings).await.unwrap()).await;
    SERVER.cli(&["ACL", "SETUSER", &prefix, "-zadd"]).unwrap();
    let error = broker.enqueue(queued(1, 1)).await.unwrap_err();
    assert!(matches!(error, Error::Rights { .. }), "{error}");
    assert!(error.to_string().contains("+zadd"), "{error}");
}

#[test]
fn the_rule_allows_nothing_that_harms_others() {
    let settings = settings(&SERVER);
    let user = settings.prefix.as_str();
    let dry_run =
        |command: &[&str]| SERVER.cli(&[&["ACL", "DRYRUN", user][..], command].concat()).unwrap();
    for command in [
        &["FLUSHALL"][..],
        &["FLUSHDB"],
        &["KEYS", "*"],
        &["CONFIG", "GET", "*"],
        &["SCRIPT", "FLUSH"],
        &["SHUTDOWN"],
        &["GET", "{another}:tasks"],
        &["PUBLISH", "{another}:told", "x"],
        &["SUBSCRIBE", "{another}:told"],
    ] {
        let answer = dry_run(command);
        assert!(
            answer.contains("no permissions") || answer.contains("has no"),
            "{command:?}: {answer}"
        );
    }
    let tasks = format!("{{{user}}}:tasks");
    assert_eq!(dry_run(&["HGET", &tasks, "1"]), "OK");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_showing_it() {
    for url in ["http://u:s3cret@localhost", "redis://u:s3cret@localhost/ten", "localhost:6379", ""]
    {
        let error = refused(Settings { url: url.to_owned(), ..settings(&SERVER) }).await;
        assert!(error.starts_with("the URL of Redis can't be read"), "{error}");
        assert!(error.contains("expected redis://user:password@host:port/db"), "{error}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_told_with_the_address() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("redis://u:s3cret@127.0.0.1:{port}/0");
    let error = refused(Settings { url, ..settings(&SERVER) }).await;
    let expected = format!("expected Redis at 127.0.0.1:{port}, found none that answers");
    assert!(error.starts_with(&expected), "{error}");
}

#[tokio::test]
async fn a_server_with_tls_is_known_by_its_own_authority_alone() {
    let server = test_support::redis::Redis::start_with_tls().unwrap();
    let own = Settings { ca_pem: Some(server.ca_pem().unwrap()), ..settings(&server) };
    let broker = rebuilt(open(own.clone()).await.unwrap()).await;
    broker.enqueue(queued(1, 1)).await.unwrap();
    assert_eq!(broker.take(Want::ANY).await.unwrap(), Some(queued(1, 1)));

    let error = refused(Settings { ca_pem: None, ..own.clone() }).await;
    assert!(error.contains("UnknownIssuer"), "{error}");
    let elsewhere = own.url.replace("localhost", "127.0.0.1");
    let error = refused(Settings { url: elsewhere, ..own.clone() }).await;
    assert!(error.contains("not valid for name"), "{error}");
    let none = Settings { ca_pem: Some(b"no certificate".to_vec()), ..own.clone() };
    let error = refused(none).await;
    assert!(error.starts_with("the authority's certificate of Redis can't be read"), "{error}");

    let plain = own.url.replace("rediss://", "redis://");
    let error = refused(Settings { url: plain, ca_pem: None, ..own.clone() }).await;
    assert!(error.contains("if it wants TLS, write rediss://"), "{error}");
    let with_ca = Settings { url: SERVER.url(), ..own };
    let error = refused(with_ca).await;
    assert!(error.contains("rediss://"), "{error}");
}

#[tokio::test]
async fn tls_to_a_port_without_it_is_told() {
    let plain = settings(&SERVER);
    let url = plain.url.replace("redis://", "rediss://");
    let error = refused(Settings { url, ..plain }).await;
    assert!(error.contains("write redis:// for a server without TLS"), "{error}");
}
