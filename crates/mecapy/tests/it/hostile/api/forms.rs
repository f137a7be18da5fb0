//! Uploads as forms that no browser would send.

use serde_json::json;
use test_support::archive::Archive;
use test_support::client::Answer;
use ureq::http::Method;

use super::{Raw, others_are_served, problem, status};
use crate::hostile::Fortress;
use crate::hostile::memory::memory_of;
use crate::server::execute;

const FORM: &str = "multipart/form-data; boundary=XX";

fn send(fortress: &Fortress, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
    let headers = [("content-type", kind), ("accept-language", "en")];
    fortress.client.send(Method::POST, path, &headers, body.into())
}

/// One part of a form, from its boundary to the end of its content.
fn part(name: &str, file: &str, content: &str) -> String {
    format!(
        "--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n\
         {content}\r\n"
    )
}

#[test]
fn a_form_that_is_none_is_told_why() {
    let fortress = Fortress::new();
    let good = part("file", "a.csv", "1;2") + "--XX--\r\n";
    for (kind, body, status, code, words) in [
        ("multipart/form-data", good.clone(), 400, "malformed_upload", "boundary is missing"),
        (FORM, good.replace("XX", "YY"), 400, "malformed_upload", "boundary is not the one"),
        (FORM, part("file", "a.csv", "1;2"), 400, "malformed_upload", "it breaks off"),
        (FORM, String::new(), 400, "malformed_upload", "it breaks off"),
        (FORM, part("fil", "a.csv", "1;2") + "--XX--\r\n", 422, "invalid_body", "named `file`"),
        (FORM, "--XX\r\n\r\n\r\n1;2\r\n--XX--\r\n".to_owned(), 422, "invalid_body", "named `file`"),
        (FORM, part("file", "a\0b.csv", "1;2"), 400, "malformed_upload", "headers are not valid"),
        ("text/csv", "1;2".to_owned(), 415, "unsupported_media_type", "multipart/form-data"),
        ("", "1;2".to_owned(), 415, "unsupported_media_type", "multipart/form-data"),
    ] {
        let refused = problem(&send(&fortress, "/files", kind, body.clone()), status, code);
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{kind} {body}: {detail}");
    }
    let headers = [("content-type", FORM), ("accept-language", "fr")];
    let body = part("file", "a.csv", "1;2").into_bytes();
    let french = fortress.client.send(Method::POST, "/files", &headers, body);
    let french = problem(&french, 400, "malformed_upload");
    assert!(french["detail"].as_str().unwrap().contains("il s'interrompt"), "{french:#}");
    assert!(!fortress.server.said().contains("does not answer"), "{}", fortress.server.said());
    fortress.stands();
}

#[test]
fn a_form_of_a_million_parts_is_left_at_the_first() {
    let fortress = Fortress::new();
    let many = part("a", "", "").repeat(1_000_000 / 4);
    others_are_served(&fortress, || {
        let taken = memory_of(&fortress, || {
            let refused = send(&fortress, "/files", FORM, many.clone());
            let refused = problem(&refused, 422, "invalid_body");
            let detail = "The form's first field must be the file, named `file`.";
            assert_eq!(refused["detail"], detail);
            // What comes after the file is nothing that anybody asked for.
            let kept = send(&fortress, "/files", FORM, part("file", "a.csv", "1;2") + &many);
            assert_eq!(kept.expect(201).json()["size"], 3);
        });
        assert!(taken < 64 << 10, "{taken} KiB");
    });
    fortress.stands();
}

#[test]
fn a_form_whose_file_never_begins_is_left() {
    let fortress = Fortress::new();
    let head = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"";
    for body in [format!("{head}{}", "a".repeat(60 << 20)), "x".repeat(60 << 20)] {
        for path in ["/files", "/functions"] {
            let body = body.clone();
            others_are_served(&fortress, || {
                let taken = memory_of(&fortress, || {
                    let refused =
                        problem(&send(&fortress, path, FORM, body), 400, "malformed_upload");
                    let detail = refused["detail"].as_str().unwrap();
                    let words = "its file does not begin within the first 65536 bytes";
                    assert!(detail.contains(words), "{detail}");
                });
                assert!(taken < 64 << 10, "{taken} KiB");
            });
        }
    }
    fortress.stands();
}

#[test]
fn a_file_name_stays_a_name() {
    let fortress = Fortress::new();
    for (sent, kept) in [
        ("../../x", "x"),
        ("/etc/passwd", "passwd"),
        ("C:\\data\\a.csv", "a.csv"),
        ("..", "file"),
        ("gnp\u{202E}.exe", "gnp.exe"),
        (&"n".repeat(50_000), &"n".repeat(120)),
    ] {
        let body = part("file", sent, "1;2") + "--XX--\r\n";
        let file = send(&fortress, "/files", FORM, body).expect(201).json();
        assert_eq!(file["name"], kept, "{sent:?}");
        let answer = fortress.client.get(&format!("/files/{}", file["ref"].as_str().unwrap()));
        assert_eq!(answer.expect(200).text(), "1;2");
    }
    assert!(!fortress.folder().join("x").exists());
    fortress.stands();
}

#[test]
fn a_file_name_cannot_leave_its_header() {
    let fortress = Fortress::new();
    let names = ["a\\\"; filename=b.html; x=\\\".csv", "a;\tb,é%0d%0aSet-Cookie: x.csv"];
    for name in names {
        let body = part("file", name, "<script>") + "--XX--\r\n";
        let file = send(&fortress, "/files", FORM, body).expect(201).json();
        let answer = fortress.client.get(&format!("/files/{}", file["ref"].as_str().unwrap()));
        safe(&answer.expect(200));
    }
    // Nor the name of a file that a run wrote.
    let handler = "from mecapy_runtime import outputs\n\ndef calculate(inputs):\n    \
                   (outputs() / inputs['name']).write_text('<script>')\n    return {}\n";
    fortress.deploy(&Archive::new("writer", handler));
    for name in ["a\"; filename=b.html; x=\".csv", "a;b,é%0d%0aSet-Cookie x.html", "a'b;c=d.svg"] {
        let task = execute(&fortress.client, "writer", &json!({ "name": name }));
        let task = task.expect(200).json();
        assert_eq!(task["status"], "completed", "{task:#}");
        let path = format!("/tasks/{}/artifacts", task["task_id"].as_str().unwrap());
        let items = fortress.client.get(&path).expect(200).json()["items"].clone();
        assert_eq!(items[0]["name"], name);
        safe(&fortress.client.get(items[0]["url"].as_str().unwrap()).expect(200));
    }
    fortress.stands();
}

/// A download whose headers say nothing that its name would like them to.
fn safe(answer: &Answer) {
    assert_eq!(answer.text(), "<script>");
    assert!(answer.header("set-cookie").is_none());
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let kind = answer.header("content-type").unwrap();
    assert!(["application/octet-stream", "text/csv"].contains(&kind), "{kind}");
    let disposition = answer.header("content-disposition").unwrap();
    let (plain, encoded) = disposition.split_once("; filename*=UTF-8''").unwrap();
    let plain = plain.strip_prefix("attachment; filename=\"").unwrap().strip_suffix('"').unwrap();
    assert!(!plain.contains(['"', ';', '\\', '%']), "{disposition}");
    assert!(!encoded.contains(['"', ';', '\'', ' ', '\r', '\n']), "{disposition}");
}

#[test]
fn an_aborted_upload_leaves_nothing() {
    let fortress = Fortress::new();
    let half = "x".repeat(3 << 20);
    let file = part("file", "a.csv", "").trim_end().to_owned() + "\r\n\r\n" + &half;
    for (path, kind, body) in [
        ("/files", FORM, &file),
        ("/functions", "application/zip", &half),
        ("/functions", FORM, &file),
    ] {
        for _ in 0..5 {
            let mut raw = Raw::to(&fortress);
            raw.write(format!(
                "POST {path} HTTP/1.1\r\n{{T}}Content-Type: {kind}\r\nContent-Length: 9000000\r\n\r\n"
            ));
            raw.write(body);
            raw.abort();
        }
    }
    fortress.stands();
    let listed = fortress.client.get("/functions").expect(200).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed:#}");
    assert!(!fortress.server.said().contains("does not answer"), "{}", fortress.server.said());
}

#[test]
fn an_upload_with_a_wrong_token_learns_so() {
    let fortress = Fortress::new();
    let nobody = fortress.client.with_token(Some("mecapy_none"));
    let answer = nobody.post_file("/files", "file", "a.csv", &vec![b'x'; 40 << 20]);
    problem(&answer, 401, "unauthenticated");
    // Who asks first is told without sending anything.
    let mut raw = Raw::to(&fortress);
    raw.write(
        "POST /functions HTTP/1.1\r\nHost: here\r\nContent-Type: application/zip\r\n\
         Expect: 100-continue\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n",
    );
    let answer = raw.read();
    assert_eq!(status(&answer), 401, "{answer}");
    fortress.stands();
}
