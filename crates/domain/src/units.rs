//! Units of measure and their exact conversion.
