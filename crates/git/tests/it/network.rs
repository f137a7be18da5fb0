//! Where a fetch may lead.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use git::{Bound, Error, Files};
use serde_json::{Value, json};
use test_support::git::{GitServer, Repository, TOKEN};

use crate::world::{World, base64, greeting, line, login, told};

const COMMIT: &str = "1234567890123456789012345678901234567890";
const GREETING: &str = "info/refs?service=git-upload-pack";

fn redirect(path: &str, to: &str) -> Value {
    json!({ "path": format!("{path}/info/refs"), "status": 302, "headers": { "Location": to } })
}

/// A world whose repository `f.git` has one file.
fn served() -> World {
    let (world, repository) = (World::new(), Repository::new().unwrap());
    repository.write("a", "a").unwrap();
    repository.commit().unwrap();
    world.server.serve(&repository, "f.git").unwrap();
    world
}

#[tokio::test]
async fn addresses_of_this_machine_are_refused_unless_they_are_allowed() {
    let mut world = served();
    assert!(world.fetch("", "").await.is_ok());
    world.allowed = "";
    let port = world.server.port();
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1"),
        // A name that resolves to it.
        ("localhost", "127.0.0.1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("[::1]", "::1"),
        ("0.0.0.0", "0.0.0.0"),
        ("2130706433", "127.0.0.1"),
        ("169.254.169.254", "169.254.169.254"),
    ] {
        let mut request = world.request("f.git", "", "");
        request.url = format!("https://{host}:{port}/f.git");
        let error = world.fetcher().fetch(request, Files::new()).await.unwrap_err();
        let Error::Address { address: found, .. } = &error else { panic!("{host}: {error}") };
        assert!(found == address || (host == "localhost" && found == "::1"), "{host}: {found}");
        let told = told(&error);
        assert!(told.contains("git_address_refused") && told.contains("MECAPY_ALLOWED_NETWORKS"));
    }
    // Nothing of it was called.
    assert_eq!(world.server.asked().len(), 3);
}

#[tokio::test]
async fn a_redirect_to_an_address_that_is_not_allowed_is_refused_before_it_is_called() {
    let trap = TcpListener::bind("127.0.0.2:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let target =
        format!("https://127.0.0.2:{}/f.git/{GREETING}", trap.local_addr().unwrap().port());
    let world = World::with_rules(&json!([redirect("/f.git", &target)]));
    let error = world.refused("").await;
    let refused = Error::Address { host: "127.0.0.2".to_owned(), address: "127.0.0.2".to_owned() };
    assert_eq!(error, refused);
    assert!(trap.accept().is_err(), "it was called");
}

#[tokio::test]
async fn redirects_are_followed_three_times_over_https_to_repositories() {
    let second = served();
    let chain = json!([
        redirect("/f.git", &format!("/b.git/{GREETING}")),
        redirect("/b.git", &format!("/c.git/{GREETING}")),
        redirect("/c.git", &second.server.url(&format!("f.git/{GREETING}"))),
        redirect("/loop.git", &format!("/loop.git/{GREETING}")),
        redirect("/page.git", "/login"),
        redirect("/plain.git", &format!("http://127.0.0.1/f.git/{GREETING}")),
        redirect("/other.git", &format!("//127.0.0.1/f.git/{GREETING}")),
        redirect("/known.git", &format!("https://ada:x@127.0.0.1/f.git/{GREETING}")),
    ]);
    let world = World::with_rules(&chain);
    let fetcher = world.trusting(&[&world.server, &second.server]);
    let fetched = fetcher.fetch(world.request("f.git", "", ""), Files::new()).await.unwrap();
    assert_eq!(fetched.files, [("a".to_owned(), b"a".to_vec())]);
    for (name, says) in [
        ("loop.git", "it redirects without end"),
        ("page.git", "it redirects to what is no repository"),
        ("plain.git", "git_url_refused /git_url: expected the https address"),
        ("other.git", "git_url_refused"),
        ("known.git", "git_url_refused"),
    ] {
        let error = fetcher.fetch(world.request(name, "", ""), Files::new()).await.unwrap_err();
        assert!(told(&error).contains(says), "{name}: {}", told(&error));
    }
    assert_eq!(
        world
            .server
            .asked()
            .iter()
            .filter(|asked| {
                asked["path"].as_str().is_some_and(|path| path.starts_with("/loop.git"))
            })
            .count(),
        4
    );
}

#[tokio::test]
async fn a_token_stays_with_the_server_that_it_was_given_for() {
    let second = served();
    let rules = json!([
        redirect("/f.git", &second.server.url(&format!("f.git/{GREETING}"))),
        redirect("/same.git", &format!("/moved.git/{GREETING}")),
    ]);
    let world = World::with_rules(&rules);
    let repository = Repository::new().unwrap();
    repository.commit().unwrap();
    world.server.serve(&repository, "moved.git").unwrap();
    let fetcher = world.trusting(&[&world.server, &second.server]);
    for name in ["f.git", "same.git"] {
        let mut request = world.request(name, "", "");
        request.login = login(TOKEN);
        fetcher.fetch(request, Files::new()).await.unwrap();
    }
    let shown = |server: &GitServer| -> Vec<bool> {
        let asked = server.asked();
        asked.iter().map(|asked| asked["headers"]["authorization"].is_string()).collect()
    };
    // To the first server, and on where it leads to itself; never to another.
    assert_eq!(shown(&world.server), [true; 5]);
    assert_eq!(shown(&second.server), [false; 3]);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_talked_to() {
    let world = served();
    let stranger = GitServer::start().unwrap();
    let fetcher = world.trusting(&[&stranger]);
    let error = fetcher.fetch(world.request("f.git", "", ""), Files::new()).await.unwrap_err();
    assert!(
        told(&error).contains("git_unreachable /git_url: the server can't be reached"),
        "{error}"
    );
    assert!(world.server.asked().is_empty());
}

#[tokio::test]
async fn an_answer_that_drips_ends_with_the_time_that_it_has() {
    for rules in [
        json!([{ "path": "/f.git/info/refs", "more": base64(b"1"), "pause_s": 0.2 }]),
        json!([
            greeting("/f.git"),
            { "path": "/f.git/git-upload-pack", "body": base64(&line(b"packfile\n")),
              "more": base64(b"0005\x02"), "pause_s": 0.2 },
        ]),
    ] {
        let mut world = World::with_rules(&rules);
        world.limits.wall = Duration::from_secs(2);
        let begun = Instant::now();
        assert_eq!(world.refused(COMMIT).await, Error::TooSlow);
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
    let text = told(&Error::TooSlow);
    assert!(text.contains("git_too_slow") && text.contains("within a minute"), "{text}");
}

#[tokio::test]
async fn a_gigabyte_of_packet_lines_is_cut_off() {
    let flood = line(&[b'x'; 60_000]);
    let endless = |path: &str, first: &[u8]| json!({ "path": path, "body": base64(&line(first)), "more": base64(&flood) });
    let progress = line(&[2; 60_000]);
    let pack = json!({ "path": "/f.git/git-upload-pack", "body": base64(&line(b"packfile\n")),
        "more": base64(&progress) });
    for (rules, limit) in [
        (json!([endless("/f.git/info/refs", b"version 2\n")]), 4 << 20),
        (json!([greeting("/f.git"), endless("/f.git/git-upload-pack", b"x")]), 8 << 20),
        (json!([greeting("/f.git"), pack]), 8 << 20),
    ] {
        let mut world = World::with_rules(&rules);
        world.limits.sent_bytes = 8 << 20;
        let too_large = Error::TooLarge { bound: Bound::Sent, limit };
        assert_eq!(world.refused(COMMIT).await, too_large);
    }
    // Names of references, too: the server sends what was not asked for.
    let named = line(format!("{COMMIT} refs/heads/{}\n", "x".repeat(200)).as_bytes()).repeat(300);
    let refs = json!({ "path": "/f.git/git-upload-pack", "more": base64(&named) });
    let world = World::with_rules(&json!([greeting("/f.git"), refs]));
    let error = world.refused("main").await;
    assert_eq!(error, Error::TooLarge { bound: Bound::Sent, limit: 4 << 20 });
}

#[tokio::test]
async fn what_is_no_git_server_is_told_with_what_it_says() {
    for (answer, says) in [
        (json!({ "body": base64(b"<html>welcome</html>") }), "it doesn't speak in packet lines"),
        (json!({ "body": base64(&line(b"version 1\n")) }), "it doesn't speak version 2"),
        (json!({ "body": "" }), "it doesn't speak version 2"),
        (json!({ "status": 500, "body": "" }), "HTTP status 500"),
        (json!({ "body": base64(&line(b"ERR go\x1b[31m away")) }), "refused: \"go[31m away\""),
    ] {
        let mut rule = answer;
        rule["path"] = "/f.git/info/refs".into();
        let error = World::with_rules(&json!([rule])).refused("").await;
        let told = told(&error);
        assert!(told.contains("git_not_understood") && told.contains(says), "{told}");
    }
}
