//! A strict JSON reader: RFC 8259, no key twice, no decimal beyond float64.

use std::borrow::Cow;
use std::collections::HashSet;

use domain::json::Pointer;

use super::{Json, Kind, is_integer_text};

/// Levels of nesting that a document may have. The JSON library that reads
/// the document after this one stops at 128.
pub(crate) const DEEPEST: usize = 100;
/// Faults beyond this many add nothing for whoever reads them.
const MOST_ERRORS: usize = 100;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Error {
    pub(crate) kind: ErrorKind,
    /// Byte offset.
    pub(crate) offset: usize,
    pub(crate) pointer: Pointer,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ErrorKind {
    /// What was expected, in English and in French.
    Syntax(&'static str, &'static str),
    TooDeep,
    DuplicateKey(String),
    /// The number as it was written, or its beginning.
    BeyondFloat(String),
}

/// Reads one document. Syntax errors end it at the first; other errors are
/// collected.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json<'_>, Vec<Error>> {
    let syntax = |offset, en, fr| {
        vec![Error { kind: ErrorKind::Syntax(en, fr), offset, pointer: Pointer::root() }]
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| syntax(error.valid_up_to(), "UTF-8 text", "du texte UTF-8"))?;
    let mut parser = Parser { text, at: 0, depth: 0, path: Vec::new(), errors: Vec::new() };
    let value = match parser.document() {
        Ok(value) => value,
        Err(Stop) => return Err(parser.errors),
    };
    if parser.errors.is_empty() { Ok(value) } else { Err(parser.errors) }
}

/// Reading can't go on; the reason is the last error.
struct Stop;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    path: Vec<Step<'a>>,
    errors: Vec<Error>,
}

/// What is shown of a key or number; the document's author chose its length.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Json<'a>, Stop> {
        let value = self.value()?;
        self.space();
        if self.at < self.text.len() {
            return self.fail("the end after the first value", "la fin après la première valeur");
        }
        Ok(value)
    }

    fn value(&mut self) -> Result<Json<'a>, Stop> {
        self.space();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'N' | b'I') => {
                return self.fail(
                    "a JSON value; NaN and Infinity are none, and a schema that admits them takes the strings \"NaN\", \"Infinity\", \"-Infinity\"",
                    "une valeur JSON ; NaN et Infinity n’en sont pas, et un schéma qui les admet prend les chaînes \"NaN\", \"Infinity\", \"-Infinity\"",
                );
            }
            _ if self.word("null") => Kind::Null,
            _ if self.word("true") => Kind::Bool(true),
            _ if self.word("false") => Kind::Bool(false),
            _ => return self.fail("a JSON value", "une valeur JSON"),
        };
        Ok(Json { span: start..self.at, kind })
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Kind<'a>, Stop>,
    ) -> Result<Kind<'a>, Stop> {
        if self.depth == DEEPEST {
            self.error(ErrorKind::TooDeep, self.at);
            return Err(Stop);
        }
        self.depth += 1;
        self.at += 1;
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Result<Kind<'a>, Stop> {
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        let mut seen = HashSet::new();
        self.space();
        if self.take(b'}') {
            return Ok(Kind::Object(members));
        }
        loop {
            self.space();
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return self.fail("a key in double quotes", "une clé entre guillemets doubles");
            }
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                self.error(ErrorKind::DuplicateKey(shortened(&key).into_owned()), key_at);
            }
            self.space();
            if !self.take(b':') {
                return self.fail("`:` after the key", "`:` après la clé");
            }
            self.path.push(Step::Key(key.clone()));
            let value = self.value()?;
            self.path.pop();
            members.push((key, value));
            self.space();
            if self.take(b'}') {
                return Ok(Kind::Object(members));
            }
            if !self.take(b',') {
                return self.fail("`,` or `}`", "`,` ou `}`");
            }
        }
    }

    fn list(&mut self) -> Result<Kind<'a>, Stop> {
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Kind::List(items));
        }
        loop {
            self.path.push(Step::Index(items.len()));
            items.push(self.value()?);
            self.path.pop();
            self.space();
            if self.take(b']') {
                return Ok(Kind::List(items));
            }
            if !self.take(b',') {
                return self.fail("`,` or `]`", "`,` ou `]`");
            }
        }
    }

    fn number(&mut self) -> Result<Kind<'a>, Stop> {
        let start = self.at;
        self.take(b'-');
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.text.as_bytes()[self.at - whole] == b'0') {
            return self.fail("a number without leading zeros", "un nombre sans zéros de tête");
        }
        if self.take(b'.') && self.digits() == 0 {
            return self.fail("digits after the point", "des chiffres après le point");
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.fail("digits in the exponent", "des chiffres dans l’exposant");
            }
        }
        let raw = &self.text[start..self.at];
        let decimal_is_infinite =
            !is_integer_text(raw) && raw.parse::<f64>().is_ok_and(f64::is_infinite);
        if decimal_is_infinite {
            self.error(ErrorKind::BeyondFloat(shortened(raw).into_owned()), start);
        }
        Ok(Kind::Number(raw))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Stop> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut plain_from = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let plain = &self.text[plain_from..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(plain),
                        Some(text) => Cow::Owned(text + plain),
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[plain_from..self.at]);
                    let escaped = self.escape()?;
                    owned.get_or_insert_default().push(escaped);
                    plain_from = self.at;
                }
                Some(0..=0x1F) => {
                    return self.fail(
                        "control characters in strings to be escaped",
                        "des caractères de contrôle échappés dans les chaînes",
                    );
                }
                Some(_) => self.at += 1,
                None => return self.fail("the closing quote", "le guillemet fermant"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                self.at -= 1;
                return self.fail("a JSON escape", "un échappement JSON");
            }
        })
    }

    fn unicode(&mut self) -> Result<char, Stop> {
        let high = self.four_digits()?;
        let code = if (0xD800..0xDC00).contains(&high) && self.word("\\u") {
            let low = self.four_digits()?;
            if (0xDC00..0xE000).contains(&low) {
                0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            } else {
                high
            }
        } else {
            high
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.fail(
                "surrogates in pairs; a lone one is no character",
                "des demi-codets par paires ; seul, il n’est pas un caractère",
            ),
        }
    }

    fn four_digits(&mut self) -> Result<u32, Stop> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let code = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fail("four hexadecimal digits", "quatre chiffres hexadécimaux"),
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        if there {
            self.at += word.len();
        }
        there
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.at += 1;
        }
        there
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&mut self, en: &'static str, fr: &'static str) -> Result<T, Stop> {
        self.error(ErrorKind::Syntax(en, fr), self.at.min(self.text.len()));
        Err(Stop)
    }

    fn error(&mut self, kind: ErrorKind, offset: usize) {
        if self.errors.len() >= MOST_ERRORS {
            return;
        }
        let pointer = self.path.iter().fold(Pointer::root(), |pointer, step| match step {
            Step::Key(key) => pointer.key(&shortened(key)),
            Step::Index(index) => pointer.index(*index),
        });
        self.errors.push(Error { kind, offset, pointer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<ErrorKind> {
        parse(text.as_bytes()).err().unwrap_or_default().into_iter().map(|e| e.kind).collect()
    }

    #[test]
    fn what_the_standard_library_reads_is_read_alike() {
        for text in [
            "{}",
            "[]",
            " [1, -0, 1.5e-3, 1e+5, 123456789012345678901234567890] ",
            r#"{"a":{"b":[true,false,null,"x\n\u00e9\ud83d\ude00\/"]}}"#,
            "\"\"",
            "0",
            "-0.0",
        ] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap().to_value(), value, "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_text() {
        // The JSON library itself would write 1E5 as 1e+5.
        for text in ["1E5", "1.50", "-0", "1e+5", "100000000000000000000000"] {
            assert_eq!(parse(text.as_bytes()).unwrap().to_value().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{'a':1}",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "NaN",
            "Infinity",
            "-Infinity",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"a\nb\"",
            "nul",
            "1 2",
            "\"",
            "\"\\",
            "\"\\u12",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn duplicates_and_numbers_beyond_float64_are_all_reported() {
        let text = r#"{"a": 1e400, "b": {"c": -1e309, "c": 2}}"#;
        let errors = parse(text.as_bytes()).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a", "/b/c", "/b"]);
        assert_eq!(errors[2].kind, ErrorKind::DuplicateKey("c".into()));
        assert!(kinds("1e-400").is_empty() && kinds(&"9".repeat(400)).is_empty());
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(deep(DEEPEST).as_bytes()).is_ok());
        assert_eq!(kinds(&deep(DEEPEST + 1)), [ErrorKind::TooDeep]);
        assert_eq!(kinds(&"[".repeat(1_000_000)), [ErrorKind::TooDeep]);
    }
}
