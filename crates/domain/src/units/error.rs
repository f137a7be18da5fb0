//! Why a unit or a quantity was refused, in both languages.

use crate::lang::Text;

/// Why a unit or a quantity was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not written as a unit is.
    #[error("{}", .0.en)]
    Syntax(Text),
    /// The unit does not exist, or is not known here.
    #[error("{}", .0.en)]
    Unknown(Text),
    /// The quantity is of another kind than the one expected.
    #[error("{}", .0.en)]
    Dimension(Text),
    /// A temperature scale with its own zero stands in a product.
    #[error("{}", .0.en)]
    Offset(Text),
    /// The unit is longer, deeper or of higher powers than any real one.
    #[error("{}", .0.en)]
    Bounds(Text),
    /// What should be a number is none.
    #[error("{}", .0.en)]
    Number(Text),
    /// The converted number is beyond what a 64-bit float holds.
    #[error("{}", .0.en)]
    Range(Text),
}

impl Error {
    /// The sentence in both languages.
    #[must_use]
    pub fn text(&self) -> &Text {
        match self {
            Self::Syntax(text)
            | Self::Unknown(text)
            | Self::Dimension(text)
            | Self::Offset(text)
            | Self::Bounds(text)
            | Self::Number(text)
            | Self::Range(text) => text,
        }
    }

    /// A stable name for faults and problem documents.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "unit_syntax",
            Self::Unknown(_) => "unit_unknown",
            Self::Dimension(_) => "unit_dimension",
            Self::Offset(_) => "unit_offset",
            Self::Bounds(_) => "unit_bounds",
            Self::Number(_) => "unit_number",
            Self::Range(_) => "unit_range",
        }
    }
}
