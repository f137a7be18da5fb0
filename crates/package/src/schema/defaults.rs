//! Whether the defaults of a schema are inputs that it would accept.

use domain::{Fault, Text};
use serde_json::Value;

use super::inputs::{Filling, Path};
use super::violations::too_many;
use super::{Problem, Schemas, Section, message, options};
use crate::code;

impl Schemas {
    /// The problems of the defaults in `schema`, the inputs' schema that this
    /// was compiled from. Asked once, at deployment, because each subschema
    /// is compiled by itself for it.
    pub(crate) fn check_defaults(&self, schema: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        let spots = &self.inputs.spots;
        if spots.defaults().next().is_none() {
            return problems;
        }
        let Ok(validators) = options().build_map(schema) else { return problems };
        for (here, place, default) in spots.defaults() {
            let mut filling = Filling::new(&self.inputs);
            let filled = filling.filled(&Path::Root, &here, default);
            let mut reasons: Vec<Text> =
                filling.faults.into_iter().map(|fault| fault.message).collect();
            let validator = validators.get(&format!("#{place}"));
            if let (true, Some(validator)) = (reasons.is_empty(), validator)
                && let Ok(value) = serde_json::from_str::<Value>(&filled)
            {
                if !too_many(&self.inputs, &value) {
                    let errors = validator.iter_errors(&value);
                    reasons.extend(errors.take(3).map(|error| message::of(&error)));
                } else if !validator.is_valid(&value) {
                    reasons.push(Text::new(
                        "it violates the schema, and is too large to say where",
                        "elle viole le schéma, et est trop grande pour dire où",
                    ));
                }
            }
            problems.extend(reasons.into_iter().map(|reason| {
                let fault = Fault::error(
                    code::SCHEMA_DEFAULT,
                    Text::new(
                        format!("this default is no valid input: {}", reason.en),
                        format!(
                            "cette valeur par défaut n’est pas une entrée valable : {}",
                            reason.fr
                        ),
                    ),
                );
                Problem::new(Section::Inputs, &format!("{place}/default"), fault)
            }));
        }
        problems
    }
}
