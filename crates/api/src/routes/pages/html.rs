//! The frame of the pages, and a small Markdown.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use domain::Lang;

const STYLE: &str = include_str!("style.css");
/// Where the pages find their style.
const STYLE_PATH: &str = "/docs/style.css";

/// Whether the caller is a browser that asks for a page.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

/// `GET /docs/style.css`.
pub(crate) async fn style() -> Response {
    let media = HeaderValue::from_static("text/css; charset=utf-8");
    let cache = HeaderValue::from_static("public, max-age=3600");
    ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, cache)], STYLE).into_response()
}

/// A whole page around `body`, which is HTML already.
pub(crate) fn page(title: &str, lang: Lang, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"stylesheet\" href=\"{STYLE_PATH}\">\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n",
        lang.tag(),
        escape(title),
    )
}

/// A page as an answer. Nothing in it may run, and its style is our own.
pub(crate) fn answer(page: Bytes, lang: Lang) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        (header::CONTENT_LANGUAGE, lang.tag()),
        (header::VARY, "Accept-Language"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, Body::from(page)).into_response()
}

/// Text as it may stand in HTML, also inside a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
        escaped
    })
}

/// `code` spans of one line of text.
pub(crate) fn inline(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        match at % 2 {
            0 => html.push_str(&escape(part)),
            _ => html.push_str(&format!("<code>{}</code>", escape(part))),
        }
    }
    html
}

/// The Markdown that our own pages use: headings, paragraphs, lists with
/// `- `, fenced code, and `code` spans.
pub(crate) fn markdown(text: &str) -> String {
    let mut html = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<&str> =
                lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            html.push_str(&format!("<pre><code>{}</code></pre>\n", escape(&code.join("\n"))));
        } else if let Some(heading) = line.strip_prefix('#') {
            let deeper = heading.chars().take_while(|c| *c == '#').count();
            let level = (deeper + 1).min(6);
            let text = inline(heading[deeper..].trim());
            html.push_str(&format!("<h{level}>{text}</h{level}>\n"));
        } else if line.starts_with("- ") {
            html.push_str("<ul>\n");
            let mut item = Some(line);
            while let Some(text) = item.and_then(|line| line.strip_prefix("- ")) {
                let mut whole = text.to_owned();
                while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
                    whole.push(' ');
                    whole.push_str(more.trim());
                }
                html.push_str(&format!("<li>{}</li>\n", inline(&whole)));
                item = lines.next_if(|line| line.starts_with("- "));
            }
            html.push_str("</ul>\n");
        } else if !line.trim().is_empty() {
            let mut whole = line.to_owned();
            while let Some(more) = lines.next_if(|line| {
                !(line.trim().is_empty() || line.starts_with(['#', '`']) || line.starts_with("- "))
            }) {
                whole.push(' ');
                whole.push_str(more);
            }
            html.push_str(&format!("<p>{}</p>\n", inline(&whole)));
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_html_and_nothing_in_it_becomes_markup() {
        let text = "# Ti<tle>\n\nOne `a<b`\nline.\n\n- first\n  more\n- second\n\n```\n<x>\n```\n";
        assert_eq!(
            markdown(text),
            "<h1>Ti&lt;tle&gt;</h1>\n<p>One <code>a&lt;b</code> line.</p>\n\
             <ul>\n<li>first more</li>\n<li>second</li>\n</ul>\n\
             <pre><code>&lt;x&gt;</code></pre>\n"
        );
    }
}
