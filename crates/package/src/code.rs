//! The codes of faults, stable, with what each means.

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*

        /// Every code with its meaning, in the order of the documentation.
        pub const ALL: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    ARCHIVE_UNREADABLE = "archive_unreadable", "The bytes are no ZIP archive, or a damaged one.";
    ARCHIVE_TOO_LARGE = "archive_too_large", "The archive is larger than the operator allows, packed or inflated.";
    ARCHIVE_TOO_MANY_ENTRIES = "archive_too_many_entries", "The archive holds more entries than the operator allows.";
    ARCHIVE_RATIO = "archive_ratio", "The archive inflates more than 200-fold, as bombs do.";
    ARCHIVE_BAD_PATH = "archive_bad_path", "A path is absolute, leaves the archive, holds `..`, a backslash, NUL, a control character, or clashes with a folder.";
    ARCHIVE_DUPLICATE = "archive_duplicate", "The same path stands twice in the archive.";
    ARCHIVE_CASE_CLASH = "archive_case_clash", "Warning: two paths differ in case only.";
    ARCHIVE_OVERLAP = "archive_overlap", "Entries of the ZIP share bytes.";
    ARCHIVE_ENCRYPTED = "archive_encrypted", "An entry is encrypted.";
    ARCHIVE_SYMLINK = "archive_symlink", "An entry is a symbolic link.";
    ARCHIVE_SPECIAL_FILE = "archive_special_file", "An entry is a device, pipe or socket.";
    ARCHIVE_COMPRESSION = "archive_compression", "An entry is packed with a method other than deflate or store.";
    ARCHIVE_DAMAGED = "archive_damaged", "An entry does not match its checksum or can't be inflated.";
    MANIFEST_MISSING = "manifest_missing", "Neither `mecapy.yaml` nor `pyproject.toml` is in the archive.";
    MANIFEST_TWICE = "manifest_twice", "Both `mecapy.yaml` and a `pyproject.toml` that describes the function are there.";
    MANIFEST_TOO_LARGE = "manifest_too_large", "The manifest is larger than 1 MiB or expands to more than 50,000 values.";
    MANIFEST_SYNTAX = "manifest_syntax", "The manifest is no valid YAML 1.2 or TOML.";
    MANIFEST_DUPLICATE_KEY = "manifest_duplicate_key", "A key stands twice in one section.";
    MANIFEST_UNKNOWN_KEY = "manifest_unknown_key", "A key is not known.";
    MANIFEST_MISSING_KEY = "manifest_missing_key", "A mandatory key is missing.";
    MANIFEST_TYPE = "manifest_type", "A value has another type than expected.";
    MANIFEST_VALUE = "manifest_value", "A value is not one of those allowed.";
    MANIFEST_RANGE = "manifest_range", "A number is outside its range.";
    REQUIREMENT_INVALID = "requirement_invalid", "A requirement is not valid by PEP 508.";
    REQUIREMENT_SOURCE = "requirement_source", "A requirement names a URL, a path, a repository or an option; only names and versions are accepted.";
    REQUIREMENT_DUPLICATE = "requirement_duplicate", "A package is required twice.";
    REQUIREMENT_FILE = "requirement_file", "The requirements file is not in the archive or is no text.";
    SCHEMA_INVALID = "schema_invalid", "A JSON Schema violates the 2020-12 meta-schema or can't be compiled.";
    SCHEMA_TOO_COMPLEX = "schema_too_complex", "A JSON Schema is too deep, too large, or takes exponential time.";
    SCHEMA_REF = "schema_ref", "A `$ref` leaves the schema or points to nothing.";
    SCHEMA_PATTERN = "schema_pattern", "A regular expression is invalid or needs backtracking.";
    SCHEMA_UNIT = "schema_unit", "A `unit` is unknown or stands where it can't apply.";
    SCHEMA_FILE = "schema_file", "`format: file` stands where it can't apply.";
    SCHEMA_DEFAULT = "schema_default", "A `default` is no valid input.";
    SCHEMA_KEYWORD = "schema_keyword", "Warning: a keyword or format of a schema has no effect.";
    TEST_CASE_INPUTS = "test_case_inputs", "The inputs of a test case violate `io.inputs_schema`.";
    HANDLER_MISSING = "handler_missing", "`handler.py` is not in the archive.";
    HANDLER_CALCULATE = "handler_calculate", "`handler.py` has no usable `calculate(inputs)` at module level.";
    PYTHON_SYNTAX = "python_syntax", "A Python file has a syntax error.";
    PYTHON_TOO_COMPLEX = "python_too_complex", "A Python file is too large or nested too deeply to be checked.";
    PYTHON_ENCODING = "python_encoding", "A Python file is not UTF-8.";
    PYTHON_BLOCKED_IMPORT = "python_blocked_import", "An import that the operator's policy blocks.";
    PYTHON_BLOCKED_CALL = "python_blocked_call", "A call that the operator's policy blocks.";
    PYTHON_SUSPICIOUS = "python_suspicious", "Warning: code that hides what it does, or a compiled module that can't be checked.";
    PYTHON_WRITE_OUTSIDE = "python_write_outside", "A file is opened for writing outside the run's folders; a warning where the path is relative to the code.";
    INPUT_SYNTAX = "input_syntax", "The inputs are no JSON object.";
    INPUT_TOO_DEEP = "input_too_deep", "The inputs are nested deeper than 100 levels.";
    INPUT_TOO_LARGE = "input_too_large", "The inputs are larger than the operator allows, or grow beyond measure with their defaults.";
    INPUT_DUPLICATE_KEY = "input_duplicate_key", "A key stands twice in one object.";
    INPUT_NUMBER_RANGE = "input_number_range", "A decimal is beyond the range of a 64-bit float.";
    INPUT_UNIT = "input_unit", "A quantity has an unknown unit or a wrong dimension.";
    INPUT_VIOLATION = "input_violation", "A value violates the inputs' schema.";
    OUTPUT_VIOLATION = "output_violation", "Warning: a value violates the outputs' schema.";
    OUTPUT_NON_FINITE = "output_non_finite", "Warning: a number of the result is NaN or infinite.";
}

/// The documentation page of all codes, `docs/archive-faults.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(PAGE_HEAD);
    for (code, meaning) in ALL {
        page.push_str(&format!("| `{code}` | {meaning} |\n"));
    }
    page
}

const PAGE_HEAD: &str = "\
# Faults of an archive and of inputs

<!-- Generated from crates/package/src/code.rs by `package::code::page`; a test compares. -->

A refused archive lists every fault at once. Each has a stable `code`, a `severity` (`error` refuses, \
`warning` only tells), the `file`, `line`, `column` and `key` it is about, and a `message` in English \
(`en`) and in French (`fr`) that says what was expected, what was found, and what to do. Faults of \
inputs carry the JSON Pointer of the value as `key`.

| code | meaning |
|---|---|
";
