//! Every problem code, provoked through the public interface: a code that no
//! request leads to does not compile here. What comes is a whole problem, and
//! the page that it names is served in both languages.

mod provoked;

use std::collections::BTreeSet;

use api::problem::Code;
use domain::Lang;
use test_support::client::Client;

use provoked::{Provoked, World};

/// Codes that take a minute to be led to.
const SLOW: [Code; 2] = [Code::GitTooSlow, Code::GitBusy];

#[test]
fn every_code_is_provoked_told_whole_and_explained_on_its_page() {
    let world = World::new();
    std::thread::scope(|scope| {
        for code in SLOW {
            let world = &world;
            scope.spawn(move || is_whole(code, &world.provoke(code)));
        }
        for code in Code::ALL {
            page(&world.client, *code);
            if !SLOW.contains(code) {
                is_whole(*code, &world.provoke(*code));
            }
        }
    });
}

/// The answer is the problem document of this code with all its parts.
fn is_whole(code: Code, provoked: &Provoked) {
    let Provoked { status, media, body } = provoked;
    let word = code.as_str();
    assert_eq!(body["code"], word, "{body:#}");
    assert_eq!((*status, media.as_str()), (code.status().as_u16(), "application/problem+json"));
    assert_eq!(body["status"], *status, "{body:#}");
    assert_eq!(body["title"], code.title(Lang::En), "{body:#}");
    let says = |field: &str| body[field].as_str().is_some_and(|text| text.len() > 10);
    assert!(says("detail") && says("request_id"), "{body:#}");
    assert_eq!(body["type"], format!("/docs/errors/{word}"));
}

/// The page of a code, as it is served: what is expected, and what to do.
fn page(client: &Client, code: Code) {
    let path = format!("/docs/errors/{}", code.as_str());
    for (lang, parts) in [("en", ["What to do", "Example"]), ("fr", ["Que faire", "Que faire"])] {
        let headers = [("accept-language", lang)];
        let page = client.send(ureq::http::Method::GET, &path, &headers, Vec::new()).expect(200);
        let text = page.text();
        assert!(text.contains(code.as_str()), "{path}: {text}");
        for part in parts {
            assert!(text.contains(part), "{path} in {lang} has no part `{part}`: {text}");
        }
    }
}

#[test]
fn the_document_names_the_status_of_every_code() {
    let world = World::new();
    let document = world.client.get("/openapi.json").expect(200).json();
    let mut named = BTreeSet::new();
    for operation in document["paths"].as_object().unwrap().values() {
        for operation in operation.as_object().unwrap().values() {
            named.extend(operation["responses"].as_object().unwrap().keys().cloned());
        }
    }
    for code in Code::ALL {
        // What is no request of any operation has no place in the document.
        let outside = [
            Code::MalformedRequest,
            Code::MethodNotAllowed,
            Code::UriTooLong,
            Code::HeadersTooLarge,
        ];
        let status = code.status().as_u16().to_string();
        assert!(outside.contains(code) || named.contains(&status), "{}: {status}", code.as_str());
    }
}
