//! Numbers that bring their unit along: `"12 cm²"` and
//! `{"value": 12, "unit": "cm²"}`.

use serde_json::Value;

use super::error::Error;
use super::exact::{Exact, cut, decimal, split_number};
use super::{Unit, parse};
use crate::lang::Text;

/// A number with its unit, as a caller gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    number: String,
    unit: Unit,
}

impl Quantity {
    /// Reads `"12 cm²"`; a number alone is one without dimension.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (number, rest) = split_number(text)?;
        decimal(&number)?;
        let unit = parse::unit(if rest.trim().is_empty() { "1" } else { rest })?;
        Ok(Self { number, unit })
    }

    /// Reads a text or an object with `value` and `unit`; none for every
    /// other JSON value, numbers among them.
    #[must_use]
    pub fn from_json(json: &Value) -> Option<Result<Self, Error>> {
        match json {
            Value::String(text) => Some(Self::parse(text)),
            Value::Object(members) if members.contains_key("value") => {
                Some(Self::from_members(members))
            }
            _ => None,
        }
    }

    /// The number in its own unit, as JSON writes it.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The unit it is given in.
    #[must_use]
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The number in `unit`.
    pub fn to(&self, unit: &Unit) -> Result<Exact, Error> {
        self.unit.convert(&self.number, unit)
    }

    fn from_members(members: &serde_json::Map<String, Value>) -> Result<Self, Error> {
        let wrong = |found: &str| {
            let found = cut(found);
            Error::Syntax(Text::new(
                format!(
                    "expected an object such as {{\"value\": 12, \"unit\": \"cm²\"}}, found {found}"
                ),
                format!(
                    "attendu : un objet comme {{\"value\": 12, \"unit\": \"cm²\"}} ; trouvé : {found}"
                ),
            ))
        };
        if let Some(key) = members.keys().find(|key| *key != "value" && *key != "unit") {
            return Err(wrong(&format!("`{key}`")));
        }
        match (members.get("value"), members.get("unit")) {
            (Some(Value::Number(number)), Some(Value::String(unit))) => {
                let number = number.to_string();
                decimal(&number)?;
                Ok(Self { number, unit: parse::unit(unit)? })
            }
            (Some(Value::Number(_)), Some(other)) => Err(wrong(&other.to_string())),
            (Some(Value::Number(_)), None) => Err(wrong("no `unit`")),
            (value, _) => Err(wrong(&value.map_or_else(String::new, Value::to_string))),
        }
    }
}
