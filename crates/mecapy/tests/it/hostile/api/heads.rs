//! Heads of requests: smuggled, absurd, climbing out of their paths.

use super::{Raw, problem, status};
use crate::hostile::Fortress;
use ureq::http::Method;

const POST: &str =
    "POST /functions/honest/execute HTTP/1.1\r\n{T}Content-Type: application/json\r\n";
const BEHIND: &str = "GET /smuggled HTTP/1.1\r\nHost: here\r\n\r\n";

/// One answer and no more: what stands behind the request was not taken for
/// another one.
fn answered_once(said: &str) -> u16 {
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    assert!(said.to_ascii_lowercase().contains("connection: close"), "{said}");
    assert!(!said.contains("smuggled"), "{said}");
    status(said)
}

#[test]
fn a_request_of_two_lengths_is_no_two_requests() {
    let fortress = Fortress::new();
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    for (headers, body, expected) in [
        // With both, chunks count, and the connection ends with the answer.
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", chunks, 202),
        ("Transfer-Encoding: chunked\r\nContent-Length: 60", chunks, 202),
        ("Content-Length: 2\r\nContent-Length: 40", "{}", 400),
        ("Content-Length: 2, 40", "{}", 400),
        ("Content-Length: +2", "{}", 400),
        ("Content-Length: -1", "{}", 400),
        ("Content-Length: 0x2", "{}", 400),
        ("Content-Length: 99999999999999999999", "{}", 400),
        ("Transfer-Encoding: identity", "{}", 400),
        ("Transfer-Encoding: chunked, gzip", chunks, 400),
        ("Transfer-Encoding : chunked", chunks, 400),
        ("Transfer-Encoding: xchunked", chunks, 400),
        ("Transfer-Encoding:\u{b}chunked", chunks, 400),
        ("X: y\r\n Transfer-Encoding: chunked", chunks, 400),
    ] {
        let said = Raw::ask(&fortress, format!("{POST}{headers}\r\n\r\n{body}{BEHIND}"));
        assert_eq!(answered_once(&said), expected, "{headers}: {said}");
    }
    // A coding that is not undone here is refused, and says what is expected.
    for coding in ["gzip, chunked", "chunked\r\nTransfer-Encoding: chunked"] {
        let said = Raw::ask(
            &fortress,
            format!("{POST}Connection: close\r\nTransfer-Encoding: {coding}\r\n\r\n{chunks}"),
        );
        assert_eq!(status(&said), 400, "{said}");
        assert!(said.contains("Transfer-Encoding: expected `chunked` and nothing else."), "{said}");
    }
    for chunks in
        ["ZZ\r\n{}\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n", "2\r\n{}XX0\r\n\r\n"]
    {
        let said = Raw::ask(&fortress, format!("{POST}Transfer-Encoding: chunked\r\n\r\n{chunks}"));
        assert_eq!(status(&said), 400, "{said}");
        assert!(said.contains("malformed_upload") && said.contains("Send it again."), "{said}");
    }
    let old = POST.replace("1.1", "1.0");
    let said = Raw::ask(&fortress, format!("{old}Transfer-Encoding: chunked\r\n\r\n{chunks}"));
    assert_eq!(status(&said), 400, "{said}");
    fortress.stands();
}

#[test]
fn absurd_heads_are_refused_and_cost_nothing() {
    let fortress = Fortress::new();
    let get = "GET /health/live HTTP/1.1\r\nHost: here\r\n";
    let many: String = (0..10_000).map(|number| format!("X-{number}: a\r\n")).collect();
    for (request, expected) in [
        (format!("{get}X: {}\r\n\r\n", "a".repeat(1 << 20)), 431),
        (format!("{get}{}: a\r\n\r\n", "X".repeat(1 << 20)), 431),
        (format!("{get}{many}\r\n"), 431),
        (format!("GET /{} HTTP/1.1\r\nHost: here\r\n\r\n", "a".repeat(1 << 20)), 414),
        (format!("{} / HTTP/1.1\r\nHost: here\r\n\r\n", "A".repeat(1 << 20)), 431),
        (format!("{get}X: a\0b\r\n\r\n"), 400),
        (format!("{get}X: a\r\n b\r\n\r\n"), 400),
        (format!("{get}X-Request-Id: a\rb\r\n\r\n"), 400),
        (format!("{get}: a\r\n\r\n"), 400),
        (format!("{get}no colon\r\n\r\n"), 400),
        ("GET /health/live HTTP/9.9\r\n\r\n".to_owned(), 400),
        ("GE T /health/live HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".repeat(20), 400),
        ("\0".repeat(100_000), 400),
    ] {
        let said = Raw::ask(&fortress, &request);
        let shown = &request[..request.len().min(60)];
        // A caller that goes on sending may meet the end before the answer.
        let lost = said.is_empty() && request.len() > 1 << 19;
        let told = if lost { expected } else { answered_once(&said) };
        // A path may be too long before it is seen to be one.
        assert!(told == expected || (expected, told) == (414, 431), "{shown:?}: {said}");
    }
    // Garbage behind a good request spoils only itself.
    let said = Raw::ask(&fortress, format!("{get}\r\n\0\u{ff} garbage\r\n\r\n{BEHIND}"));
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("HTTP/1.1 400"), "{said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "{said}");
    fortress.stands();
}

#[test]
fn nothing_that_is_sent_stands_in_a_header_of_the_answer() {
    let fortress = Fortress::new();
    let get = |path: &str, headers: &[(&str, &str)]| {
        fortress.client.send(Method::GET, path, headers, Vec::new())
    };
    for id in ["two words", "a\tb", "\"x\"", "é", "<script>", &"a".repeat(129)] {
        let answer = get("/health/live", &[("x-request-id", id)]).expect(200);
        let own = answer.header("x-request-id").unwrap();
        assert!(own.len() == 36 && own != id, "{own}");
    }
    let evil = "%0d%0aSet-Cookie:%20x=1";
    for path in [
        format!("/functions/{evil}"),
        format!("/tasks/{evil}"),
        format!("/docs/errors/{evil}"),
        format!("/{evil}"),
        format!("/functions?text={evil}&{evil}=1"),
        format!("/tasks?cursor={evil}"),
    ] {
        let answer = get(&path, &[("accept-language", "en\u{e9}")]);
        assert!((200..500).contains(&answer.status), "{path}: {}", answer.text());
        assert!(answer.header("set-cookie").is_none(), "{path}: {:?}", answer.headers);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    // Names that go into headers and paths are not free.
    for name in ["a\r\nSet-Cookie: x=1", "../x", "a b", "A", "é", "a\0", ""] {
        let archive = super::echo(name);
        let faults = fortress.refused(&archive.zip());
        assert_eq!(faults[0]["key"], "metadata.name", "{faults:#?}");
    }
    let label = serde_json::json!({ "name": "a\r\nX: 1" }).to_string();
    problem(&super::post(&fortress, "/tokens", label, "en"), 422, "invalid_body");
    fortress.stands();
}

#[test]
fn a_path_does_not_climb() {
    let fortress = Fortress::new();
    for path in [
        "/files/../admin.token",
        "/files/%2e%2e/admin.token",
        "/files/%2e%2e%2fadmin.token",
        "/files/..%5c..%5cadmin.token",
        "/files/....//admin.token",
        "/../../etc/passwd",
        "//etc/passwd",
        "/docs/../admin.token",
        "/docs/errors/..%2f..%2fadmin.token",
        "/docs/errors/%2fetc%2fpasswd",
        "/tasks/%ff",
        "/tasks/%00",
        "/files/%",
        "/files/%zz",
        "/tasks/\\..\\x",
        "*",
    ] {
        let said =
            Raw::ask(&fortress, format!("GET {path} HTTP/1.1\r\n{{T}}Connection: close\r\n\r\n"));
        assert_eq!(status(&said), 404, "{path}: {said}");
        assert!(
            said.contains("\"code\":\"not_found\"") || said.contains("\"code\":\"unknown_route\"")
        );
        assert!(
            !said.contains(fortress.server.token()) && !said.contains("root:"),
            "{path}: {said}"
        );
    }
    for path in ["/functions/%2e%2e", "/functions/honest%2fexecute", "/functions/a%00"] {
        let said =
            Raw::ask(&fortress, format!("GET {path} HTTP/1.1\r\n{{T}}Connection: close\r\n\r\n"));
        assert_eq!(status(&said), 422, "{path}: {said}");
        assert!(said.contains("A function is named by its id"), "{said}");
    }
    fortress.stands();
}

#[test]
fn a_method_that_a_path_does_not_know_is_told_which_it_knows() {
    let fortress = Fortress::new();
    for method in ["PATCH", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "FOO"] {
        let said = Raw::ask(
            &fortress,
            format!("{method} /tasks HTTP/1.1\r\n{{T}}Connection: close\r\n\r\n"),
        );
        assert_eq!(status(&said), 405, "{said}");
        assert!(said.contains("allow: GET,HEAD"), "{said}");
        let detail = format!("This path does not know {method}; the header Allow lists what");
        assert!(said.contains(&detail), "{said}");
    }
    fortress.stands();
}

#[test]
fn a_query_of_thousands_is_answered_with_twenty_faults() {
    let fortress = Fortress::new();
    let query: String = (0..7000).map(|number| format!("a{number}=1&")).collect();
    let headers = [("accept-language", "fr")];
    let refused =
        fortress.client.send(Method::GET, &format!("/functions?{query}"), &headers, Vec::new());
    let refused = problem(&refused, 422, "invalid_parameter");
    assert_eq!(refused["faults"].as_array().map(Vec::len), Some(20));
    let message = refused["faults"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("paramètre inconnu `a0` ; attendu : `text`"), "{message}");
    for (query, code) in [
        ("limit=0", "invalid_parameter"),
        ("limit=1e9", "invalid_parameter"),
        ("limit=5&limit=6", "invalid_parameter"),
        ("cursor=x", "invalid_cursor"),
    ] {
        problem(&fortress.client.get(&format!("/functions?{query}")), 422, code);
    }
    let long = format!("/functions?text={}", "%25".repeat(20_000));
    let _ = fortress.client.get(&long).expect(200);
    for wait in ["61", "-1", "NaN", "inf", "1e400", ""] {
        let answer = fortress.client.get(&format!("/tasks?wait={wait}"));
        assert!((400..500).contains(&answer.status), "{wait}");
    }
    fortress.stands();
}

#[test]
fn a_body_of_another_type_is_told_which_is_expected() {
    let fortress = Fortress::new();
    for (path, kind, expected) in [
        ("/functions/honest/execute", "application/x-www-form-urlencoded", "application/json"),
        ("/functions/honest/execute", "text/xml", "application/json"),
        ("/functions/honest/execute", "", "application/json"),
        ("/functions", "text/plain", "multipart/form-data (field `archive`), application/zip"),
        ("/files", "application/json", "multipart/form-data (field `file`)"),
    ] {
        for (language, words) in [("en", "Send the body as"), ("fr", "Envoyez le corps en")] {
            let headers = [("content-type", kind), ("accept-language", language)];
            let answer = fortress.client.send(Method::POST, path, &headers, b"{}".to_vec());
            let refused = problem(&answer, 415, "unsupported_media_type");
            let detail = refused["detail"].as_str().unwrap();
            assert!(detail.starts_with(&format!("{words} {expected}")), "{detail}");
        }
    }
    fortress.stands();
}
