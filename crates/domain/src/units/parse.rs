//! The grammar of units as engineers write them.
//!
//! Products by `·`, `*`, `.`, `×` or a space; quotients by `/`; powers by
//! superscripts, `^`, `**` or plain digits (`mm2`, `m-1`); halves as
//! `m^(1/2)`, `m^0.5` or `√m`; parentheses. `a/b·c` is refused, because half
//! of its readers divide by `c` (ISO 80000-1, 7.2.3).

use super::Unit;
use super::dimension::Dimension;
use super::error::Error;
use super::exact::cut;
use super::scale::Scale;
use super::suggest;
use super::table;
use crate::lang::Text;

/// Longest text of a unit, in characters.
const MAX_LENGTH: usize = 100;
/// Most factors in a unit.
const MAX_FACTORS: usize = 16;
/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 4;
/// Highest power of one factor.
const MAX_EXPONENT: i32 = 12;

/// Reads a whole text as a unit.
pub(super) fn unit(text: &str) -> Result<Unit, Error> {
    let trimmed = text.trim();
    let characters: Vec<char> = trimmed.chars().take(MAX_LENGTH + 1).collect();
    if characters.len() > MAX_LENGTH {
        return Err(bounds(format!("{MAX_LENGTH} characters"), format!("{MAX_LENGTH} caractères")));
    }
    let mut parser = Parser { text: trimmed, characters, at: 0, factors: 0, depth: 0 };
    let product = parser.product()?;
    if parser.at < parser.characters.len() {
        return Err(parser.unexpected());
    }
    Ok(Unit {
        text: trimmed.to_owned(),
        dimension: product.dimension,
        scale: product.scale,
        offset: product.offset.map(|(_, offset)| offset),
    })
}

struct Parser<'a> {
    text: &'a str,
    characters: Vec<char>,
    at: usize,
    factors: usize,
    depth: usize,
}

/// A part of a unit; `offset` holds a scale's name and its zero.
struct Part {
    dimension: Dimension,
    scale: Scale,
    offset: Option<(String, num_rational::BigRational)>,
}

impl Parser<'_> {
    fn product(&mut self) -> Result<Part, Error> {
        let mut product = self.factor()?;
        let mut divided = false;
        loop {
            let before = self.at;
            self.skip_spaces();
            let spaced = self.at > before;
            let divides = match self.peek() {
                None | Some(')') => return Ok(product),
                Some('/') => true,
                Some('·' | '⋅' | '∙' | '•' | '*' | '×' | '.') => false,
                Some(_) if spaced || self.peek() == Some('(') => {
                    self.at -= 1;
                    false
                }
                // The degree sign and the root need no separator before them.
                Some('√') => {
                    self.at -= 1;
                    false
                }
                Some(_) => return Err(self.unexpected()),
            };
            self.at += 1;
            self.skip_spaces();
            if divided && !divides {
                return Err(self.ambiguous());
            }
            divided |= divides;
            let next = self.factor()?;
            let halves = if divides { -2 } else { 2 };
            let next = self.raised(next, halves)?;
            product = self.multiplied(product, next)?;
        }
    }

    fn factor(&mut self) -> Result<Part, Error> {
        self.factors += 1;
        if self.factors > MAX_FACTORS {
            return Err(bounds(
                format!("{MAX_FACTORS} factors"),
                format!("{MAX_FACTORS} facteurs"),
            ));
        }
        let rooted = self.accept('√');
        let part = if self.accept('(') {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(bounds(
                    format!("{MAX_DEPTH} levels of parentheses"),
                    format!("{MAX_DEPTH} niveaux de parenthèses"),
                ));
            }
            self.skip_spaces();
            let inner = self.product()?;
            self.skip_spaces();
            if !self.accept(')') {
                return Err(self.unexpected());
            }
            self.depth -= 1;
            inner
        } else {
            self.named()?
        };
        let halves = self.power()?.unwrap_or(2);
        let halves = if rooted { half_of(halves).ok_or_else(|| self.too_high())? } else { halves };
        if halves == 2 { Ok(part) } else { self.raised(part, halves) }
    }

    /// A unit's name, or the number 1.
    fn named(&mut self) -> Result<Part, Error> {
        let start = self.at;
        while self.peek().is_some_and(is_name) {
            self.at += 1;
        }
        let one = self.peek() == Some('1')
            && !self.characters.get(self.at + 1).is_some_and(char::is_ascii_digit);
        if start == self.at && (one || self.text == "-") {
            self.at += 1;
        } else if self.slice(start, self.at) == "g" && self.peek() == Some('0') {
            // Standard gravity is the one unit with a digit in its symbol.
            self.at += 1;
        }
        if start == self.at {
            return Err(self.unexpected());
        }
        let name = self.slice(start, self.at);
        let found = table::look_up(&name).ok_or_else(|| suggest::unknown(&name, self.text))?;
        let offset = found.offset.map(|offset| (name, offset));
        Ok(Part { dimension: found.dimension, scale: found.scale, offset })
    }

    /// The power after a factor, in halves.
    fn power(&mut self) -> Result<Option<i32>, Error> {
        // Printed by programs with spaces around: `mm ** 2`.
        let start = self.at;
        self.skip_spaces();
        let doubled = self.peek() == Some('*') && self.next_is('*');
        if doubled || self.peek() == Some('^') {
            self.at += if doubled { 2 } else { 1 };
            self.skip_spaces();
            return self.written_power().map(Some);
        }
        self.at = start;
        let superscript: String = self.characters[self.at..]
            .iter()
            .map_while(|character| from_superscript(*character))
            .collect();
        if !superscript.is_empty() {
            self.at += superscript.chars().count();
            return self.whole(&superscript).map(Some);
        }
        // `mm2` and `s-1`; the minus belongs to a power only before a digit.
        let signed = self.peek() == Some('-')
            && self.characters.get(self.at + 1).is_some_and(char::is_ascii_digit);
        if signed || self.peek().is_some_and(|next| next.is_ascii_digit()) {
            let start = self.at;
            self.at += usize::from(signed);
            self.skip_digits();
            return self.whole(&self.slice(start, self.at)).map(Some);
        }
        Ok(None)
    }

    /// What stands after `^`: `2`, `-2`, `0.5`, `(-2)`, `(1/2)`.
    fn written_power(&mut self) -> Result<i32, Error> {
        let closed = self.accept('(');
        let start = self.at;
        let _sign = self.accept('-') || self.accept('−') || self.accept('+');
        self.skip_digits();
        let whole = self.slice(start, self.at).replace('−', "-");
        let halved = if self.accept('.') {
            let start = self.at;
            self.skip_digits();
            match self.slice(start, self.at).trim_end_matches('0') {
                "" => self.whole(&whole)?,
                "5" if whole.starts_with('-') => self.whole(&whole)? - 1,
                "5" => self.whole(&whole)? + 1,
                _ => return Err(self.too_high()),
            }
        } else if closed && self.accept('/') {
            let start = self.at;
            self.skip_digits();
            let doubled = self.whole(&whole)?;
            match self.slice(start, self.at).as_str() {
                "1" => doubled,
                "2" => doubled / 2,
                _ => return Err(self.too_high()),
            }
        } else {
            self.whole(&whole)?
        };
        if closed && !self.accept(')') {
            return Err(self.unexpected());
        }
        Ok(halved)
    }

    /// A whole power in halves, bounded.
    fn whole(&self, digits: &str) -> Result<i32, Error> {
        if !digits.ends_with(|last: char| last.is_ascii_digit()) {
            return Err(self.unexpected());
        }
        match digits.parse::<i32>() {
            Ok(power) if power.abs() <= MAX_EXPONENT => Ok(2 * power),
            _ => Err(self.too_high()),
        }
    }

    fn raised(&self, part: Part, halves: i32) -> Result<Part, Error> {
        if halves == 2 {
            return Ok(part);
        }
        if let Some((name, _)) = &part.offset {
            return Err(offset_in_product(name));
        }
        let dimension = part.dimension.power(halves).ok_or_else(|| self.too_high())?;
        let scale = part.scale.power(halves).ok_or_else(|| self.too_high())?;
        Ok(Part { dimension, scale, offset: None })
    }

    fn multiplied(&self, left: Part, right: Part) -> Result<Part, Error> {
        if let Some((name, _)) = left.offset.or(right.offset) {
            return Err(offset_in_product(&name));
        }
        let scale = left.scale.times(&right.scale).ok_or_else(|| self.too_high())?;
        Ok(Part { dimension: left.dimension.times(right.dimension), scale, offset: None })
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn next_is(&self, wanted: char) -> bool {
        self.characters.get(self.at + 1) == Some(&wanted)
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|next| next.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn slice(&self, from: usize, to: usize) -> String {
        self.characters[from..to].iter().collect()
    }

    fn unexpected(&self) -> Error {
        let (text, place) = (cut(self.text), self.at + 1);
        let found = self.peek().filter(|found| !found.is_control());
        let en = found.map_or("the end".to_owned(), |found| format!("`{found}`"));
        let fr = found.map_or("la fin".to_owned(), |found| format!("`{found}`"));
        Error::Syntax(Text::new(
            format!(
                "expected a unit such as kN, mm² or N/mm², found {en} at character {place} of \
                 `{text}`"
            ),
            format!(
                "attendu : une unité comme kN, mm² ou N/mm² ; trouvé : {fr} au caractère {place} \
                 de `{text}`"
            ),
        ))
    }

    fn ambiguous(&self) -> Error {
        let text = cut(self.text);
        Error::Syntax(Text::new(
            format!(
                "`{text}` can be read in two ways: put what is divided by into parentheses, as in \
                 W/(m·K)"
            ),
            format!(
                "`{text}` peut se lire de deux façons : mettez le diviseur entre parenthèses, \
                 comme dans W/(m·K)"
            ),
        ))
    }

    fn too_high(&self) -> Error {
        let text = cut(self.text);
        Error::Bounds(Text::new(
            format!(
                "expected powers that are whole or halves, at most {MAX_EXPONENT}, and a factor \
                 of a real unit, found `{text}`"
            ),
            format!(
                "attendu : des puissances entières ou demi-entières, au plus {MAX_EXPONENT}, et \
                 le facteur d'une unité réelle ; trouvé : `{text}`"
            ),
        ))
    }
}

/// Half of a power in halves, where that is a power in halves itself.
fn half_of(halves: i32) -> Option<i32> {
    (halves % 2 == 0).then_some(halves / 2)
}

fn is_name(character: char) -> bool {
    (character.is_alphabetic() && from_superscript(character).is_none())
        || matches!(character, '°' | '%' | '‰' | '_' | '℃' | '℉')
}

fn from_superscript(character: char) -> Option<char> {
    const SUPERSCRIPTS: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺";
    let at = SUPERSCRIPTS.chars().position(|superscript| superscript == character)?;
    "0123456789-+".chars().nth(at)
}

fn offset_in_product(name: &str) -> Error {
    Error::Offset(Text::new(
        format!(
            "`{name}` has its own zero and can't stand in a product; write K for a difference of \
             temperature (1/°C is 1/K)"
        ),
        format!(
            "`{name}` a son propre zéro et ne peut pas figurer dans un produit ; écrivez K pour \
             un écart de température (1/°C vaut 1/K)"
        ),
    ))
}

fn bounds(en: String, fr: String) -> Error {
    Error::Bounds(Text::new(
        format!("expected a unit of at most {en}; write a shorter one"),
        format!("attendu : une unité d'au plus {fr} ; écrivez-en une plus courte"),
    ))
}
