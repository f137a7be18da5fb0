//! The Markdown of our own pages and descriptions, as HTML.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Parser, Tag, TagEnd, html::push_html};

/// A page. What looks like HTML in it is shown as text.
pub(crate) fn page(text: &str) -> Markup {
    written(Parser::new(text))
}

/// A sentence, without a paragraph around it.
pub(crate) fn sentence(text: &str) -> Markup {
    let frame = |event: &Event<'_>| {
        matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph))
    };
    written(Parser::new(text).filter(|event| !frame(event)))
}

fn written<'a>(events: impl Iterator<Item = Event<'a>>) -> Markup {
    let plain = events.map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        event => event,
    });
    let mut html = String::new();
    push_html(&mut html, plain);
    PreEscaped(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_html_and_nothing_in_it_becomes_markup() {
        assert_eq!(
            page("# A <b>title</b>\n\n- `a<b`\n\n```\n<x>\n```\n").into_string(),
            "<h1>A &lt;b&gt;title&lt;/b&gt;</h1>\n<ul>\n<li><code>a&lt;b</code></li>\n</ul>\n\
             <pre><code>&lt;x&gt;\n</code></pre>\n"
        );
        assert_eq!(sentence("One `word`.").into_string(), "One <code>word</code>.");
    }
}
