//! Plain scalars as the YAML 1.2 core schema reads them.

use super::Value;

/// The value of an unquoted scalar: null, a truth value, a number or text.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::NonFinite("NaN"),
        _ => {}
    }
    let (sign, unsigned) = split_sign(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Value::NonFinite(if sign == "-" { "-Infinity" } else { "Infinity" });
    }
    match to_json(text) {
        Some(json) => Value::Number { raw: text.to_owned(), json },
        None => Value::Text(text.to_owned()),
    }
}

/// A number of YAML's core schema or of TOML (underscores taken off before)
/// as JSON writes it, with all its digits; none where the text is no number.
pub(super) fn to_json(text: &str) -> Option<String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u128::from_str_radix(digits, radix).ok().map(|number| number.to_string());
        }
    }
    let (sign, rest) = split_sign(text);
    let minus = if sign == "-" { "-" } else { "" };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fraction_is_empty = fraction.is_none_or(str::is_empty);
    if !digits(whole) || !fraction.is_none_or(digits) || (whole.is_empty() && fraction_is_empty) {
        return None;
    }
    let exponent = match exponent {
        None => String::new(),
        Some(text) => {
            let (_, unsigned) = split_sign(text);
            if unsigned.is_empty() || !digits(unsigned) {
                return None;
            }
            format!("e{text}")
        }
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = match fraction {
        None => String::new(),
        Some("") => ".0".to_owned(),
        Some(fraction) => format!(".{fraction}"),
    };
    Some(format!("{minus}{whole}{fraction}{exponent}"))
}

fn split_sign(text: &str) -> (&str, &str) {
    if text.starts_with(['-', '+']) { text.split_at(1) } else { ("", text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_yaml_1_2() {
        for (written, json) in [
            ("1e-12", "1e-12"),
            ("1E5", "1e5"),
            ("007", "7"),
            ("+12", "12"),
            ("-0", "-0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1.50", "1.50"),
            ("1e+3", "1e+3"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(to_json(written).as_deref(), Some(json), "{written}");
        }
        for text in ["1_000", "1:30", "0x", "1e", ".", "-", "1.2.3", "e5", "12 mm", "yes", "1,5"] {
            assert_eq!(to_json(text), None, "{text}");
        }
    }

    #[test]
    fn yes_and_no_are_text() {
        assert_eq!(resolve("no"), Value::Text("no".into()));
        assert_eq!(resolve("true"), Value::Bool(true));
        assert_eq!(resolve("-.inf"), Value::NonFinite("-Infinity"));
    }
}
