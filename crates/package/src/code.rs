//! The codes of faults, stable, with what each means.

use domain::Lang;

macro_rules! codes {
    ($($name:ident = $code:literal, $en:literal, $fr:literal;)*) => {
        $(#[doc = $en] pub const $name: &str = $code;)*

        /// Every code with its meaning in English and in French, in the order
        /// of the documentation.
        pub const ALL: &[(&str, &str, &str)] = &[$(($code, $en, $fr)),*];
    };
}

codes! {
    ARCHIVE_UNREADABLE = "archive_unreadable",
        "The bytes are no ZIP archive, or a damaged one.",
        "Les octets ne sont pas une archive ZIP, ou elle est abîmée.";
    ARCHIVE_TOO_LARGE = "archive_too_large",
        "The archive is larger than the operator allows, packed or inflated.",
        "L’archive est plus grande que l’exploitant ne le permet, compressée ou non.";
    ARCHIVE_TOO_MANY_ENTRIES = "archive_too_many_entries",
        "The archive holds more entries than the operator allows.",
        "L’archive contient plus d’entrées que l’exploitant ne le permet.";
    ARCHIVE_RATIO = "archive_ratio",
        "The archive inflates more than 200-fold, as bombs do.",
        "L’archive se décompresse à plus de 200 fois sa taille, comme une bombe.";
    ARCHIVE_BAD_PATH = "archive_bad_path",
        "A path is absolute, leaves the archive, holds `..`, a backslash, NUL, a control character, or clashes with a folder.",
        "Un chemin est absolu, sort de l’archive, contient `..`, une barre oblique inversée, NUL ou un caractère de contrôle, ou se confond avec un dossier.";
    ARCHIVE_DUPLICATE = "archive_duplicate",
        "The same path stands twice in the archive.",
        "Le même chemin figure deux fois dans l’archive.";
    ARCHIVE_CASE_CLASH = "archive_case_clash",
        "Warning: two paths differ in case only.",
        "Avertissement : deux chemins ne diffèrent que par la casse.";
    ARCHIVE_OVERLAP = "archive_overlap",
        "Entries of the ZIP share bytes.",
        "Des entrées du ZIP partagent des octets.";
    ARCHIVE_ENCRYPTED = "archive_encrypted",
        "An entry is encrypted.",
        "Une entrée est chiffrée.";
    ARCHIVE_SYMLINK = "archive_symlink",
        "An entry is a symbolic link.",
        "Une entrée est un lien symbolique.";
    ARCHIVE_SPECIAL_FILE = "archive_special_file",
        "An entry is a device, pipe or socket.",
        "Une entrée est un périphérique, un tube ou une socket.";
    ARCHIVE_COMPRESSION = "archive_compression",
        "An entry is packed with a method other than deflate or store.",
        "Une entrée est compressée autrement que par deflate ou store.";
    ARCHIVE_DAMAGED = "archive_damaged",
        "An entry does not match its checksum or its stated size, or can't be inflated.",
        "Une entrée ne correspond pas à sa somme de contrôle ou à sa taille annoncée, ou ne se décompresse pas.";
    ARCHIVE_NO_TESTS = "archive_no_tests",
        "Warning: the folder `tests/` holds no Python file, so nothing is tested by it.",
        "Avertissement : le dossier `tests/` ne contient aucun fichier Python, et ne teste donc rien.";
    ARCHIVE_MORE_FAULTS = "archive_more_faults",
        "There are more faults than the hundred that are listed.",
        "Il y a plus d’erreurs que les cent qui sont listées.";
    MANIFEST_MISSING = "manifest_missing",
        "Neither `mecapy.yaml` nor `pyproject.toml` is in the archive.",
        "Ni `mecapy.yaml` ni `pyproject.toml` ne sont dans l’archive.";
    MANIFEST_TWICE = "manifest_twice",
        "Both `mecapy.yaml` and a `pyproject.toml` that describes the function are there.",
        "`mecapy.yaml` et un `pyproject.toml` qui décrit la fonction sont tous deux présents.";
    MANIFEST_TOO_LARGE = "manifest_too_large",
        "The manifest is larger than 1 MiB or expands to more than 50,000 values.",
        "Le manifeste dépasse 1 Mio ou se développe en plus de 50 000 valeurs.";
    MANIFEST_SYNTAX = "manifest_syntax",
        "The manifest is no valid YAML 1.2 or TOML.",
        "Le manifeste n’est pas du YAML 1.2 ou du TOML valide.";
    MANIFEST_DUPLICATE_KEY = "manifest_duplicate_key",
        "A key stands twice in one section.",
        "Une clé figure deux fois dans une section.";
    MANIFEST_UNKNOWN_KEY = "manifest_unknown_key",
        "A key is not known.",
        "Une clé est inconnue.";
    MANIFEST_MISSING_KEY = "manifest_missing_key",
        "A mandatory key is missing.",
        "Une clé obligatoire manque.";
    MANIFEST_TYPE = "manifest_type",
        "A value has another type than expected.",
        "Une valeur n’a pas le type attendu.";
    MANIFEST_VALUE = "manifest_value",
        "A value is not one of those allowed.",
        "Une valeur n’est pas de celles qui sont admises.";
    MANIFEST_RANGE = "manifest_range",
        "A number is outside its range.",
        "Un nombre est hors de son intervalle.";
    REQUIREMENT_INVALID = "requirement_invalid",
        "A requirement is not valid by PEP 508.",
        "Une dépendance n’est pas valide selon la PEP 508.";
    REQUIREMENT_SOURCE = "requirement_source",
        "A requirement names a URL, a path, a repository or an option; only names and versions are accepted.",
        "Une dépendance désigne une URL, un chemin, un dépôt ou une option ; seuls noms et versions sont admis.";
    REQUIREMENT_DUPLICATE = "requirement_duplicate",
        "A package is required twice.",
        "Un paquet est demandé deux fois.";
    REQUIREMENT_FILE = "requirement_file",
        "The requirements file is not in the archive or is no text.",
        "Le fichier des dépendances n’est pas dans l’archive ou n’est pas du texte.";
    SCHEMA_INVALID = "schema_invalid",
        "A JSON Schema violates the 2020-12 meta-schema or can't be compiled.",
        "Un JSON Schema enfreint le méta-schéma 2020-12 ou ne peut être compilé.";
    SCHEMA_TOO_COMPLEX = "schema_too_complex",
        "A JSON Schema is too deep, too large, or takes exponential time.",
        "Un JSON Schema est trop profond, trop grand, ou demande un temps exponentiel.";
    SCHEMA_REF = "schema_ref",
        "A `$ref` leaves the schema or points to nothing.",
        "Un `$ref` sort du schéma ou ne désigne rien.";
    SCHEMA_PATTERN = "schema_pattern",
        "A regular expression is invalid or needs backtracking.",
        "Une expression régulière est invalide ou demande un retour sur trace.";
    SCHEMA_UNIT = "schema_unit",
        "A `unit` is unknown or stands where it can't apply.",
        "Une `unit` est inconnue ou figure là où elle ne peut s’appliquer.";
    SCHEMA_FILE = "schema_file",
        "`format: file` stands where it can't apply.",
        "`format: file` figure là où il ne peut s’appliquer.";
    SCHEMA_DEFAULT = "schema_default",
        "A `default` is no valid input.",
        "Un `default` n’est pas une entrée valide.";
    SCHEMA_KEYWORD = "schema_keyword",
        "Warning: a keyword or format of a schema has no effect.",
        "Avertissement : un mot-clé ou un format du schéma est sans effet.";
    TEST_CASE_INPUTS = "test_case_inputs",
        "The inputs of a test case violate `io.inputs_schema`.",
        "Les entrées d’un cas de test enfreignent `io.inputs_schema`.";
    HANDLER_MISSING = "handler_missing",
        "`handler.py` is not in the archive.",
        "`handler.py` n’est pas dans l’archive.";
    HANDLER_CALCULATE = "handler_calculate",
        "`handler.py` has no usable `calculate(inputs)` at module level.",
        "`handler.py` n’a pas de `calculate(inputs)` utilisable au niveau du module.";
    PYTHON_SYNTAX = "python_syntax",
        "A Python file has a syntax error.",
        "Un fichier Python a une erreur de syntaxe.";
    PYTHON_TOO_COMPLEX = "python_too_complex",
        "A Python file is too large or nested too deeply to be checked.",
        "Un fichier Python est trop grand ou trop imbriqué pour être vérifié.";
    PYTHON_ENCODING = "python_encoding",
        "A Python file is not UTF-8.",
        "Un fichier Python n’est pas en UTF-8.";
    PYTHON_BLOCKED_IMPORT = "python_blocked_import",
        "An import that the operator's policy blocks.",
        "Un import que la politique de l’exploitant interdit.";
    PYTHON_BLOCKED_CALL = "python_blocked_call",
        "A call that the operator's policy blocks.",
        "Un appel que la politique de l’exploitant interdit.";
    PYTHON_SUSPICIOUS = "python_suspicious",
        "Warning: code that hides what it does, or a compiled module that can't be checked.",
        "Avertissement : du code qui cache ce qu’il fait, ou un module compilé qui ne peut être vérifié.";
    PYTHON_WRITE_OUTSIDE = "python_write_outside",
        "A file is opened for writing outside the run's folders; a warning where the path is relative to the code.",
        "Un fichier est ouvert en écriture hors des dossiers du calcul ; un avertissement si le chemin est relatif au code.";
    PYTHON_NO_PACKAGE = "python_no_package",
        "A module is imported that only a package brings, and the function has none: `python-base`, without `dependencies`. A warning where the import is made later than the handler's.",
        "Un module est importé que seul un paquet apporte, et la fonction n’en a aucun : `python-base`, sans `dependencies`. Un avertissement si l’import vient plus tard que ceux du handler.";
    INPUT_SYNTAX = "input_syntax",
        "The inputs are no JSON object.",
        "Les entrées ne sont pas un objet JSON.";
    INPUT_TOO_DEEP = "input_too_deep",
        "The inputs are nested deeper than 100 levels.",
        "Les entrées sont imbriquées sur plus de 100 niveaux.";
    INPUT_TOO_LARGE = "input_too_large",
        "The inputs are larger than the operator allows, or grow beyond measure with their defaults.",
        "Les entrées sont plus grandes que l’exploitant ne le permet, ou grandissent démesurément avec leurs valeurs par défaut.";
    INPUT_DUPLICATE_KEY = "input_duplicate_key",
        "A key stands twice in one object.",
        "Une clé figure deux fois dans un objet.";
    INPUT_NUMBER_RANGE = "input_number_range",
        "A decimal is beyond the range of a 64-bit float.",
        "Un décimal est hors de portée d’un flottant de 64 bits.";
    INPUT_UNIT = "input_unit",
        "A quantity has an unknown unit or a wrong dimension.",
        "Une grandeur a une unité inconnue ou une mauvaise dimension.";
    INPUT_VIOLATION = "input_violation",
        "A value violates the inputs' schema.",
        "Une valeur enfreint le schéma des entrées.";
    OUTPUT_VIOLATION = "output_violation",
        "Warning: a value violates the outputs' schema.",
        "Avertissement : une valeur enfreint le schéma des sorties.";
    OUTPUT_NON_FINITE = "output_non_finite",
        "Warning: a number of the result is NaN or infinite.",
        "Avertissement : un nombre du résultat est NaN ou infini.";
}

/// The documentation page of all codes: `docs/archive-faults.md` in English,
/// `docs/fr/archive-faults.md` in French.
#[must_use]
pub fn page(lang: Lang) -> String {
    let mut page = String::from(match lang {
        Lang::En => ENGLISH_HEAD,
        Lang::Fr => FRENCH_HEAD,
    });
    for (code, en, fr) in ALL {
        let meaning = match lang {
            Lang::En => en,
            Lang::Fr => fr,
        };
        page.push_str(&format!("| `{code}` | {meaning} |\n"));
    }
    page
}

const ENGLISH_HEAD: &str = "\
# Faults of an archive and of inputs

<!-- Generated from crates/package/src/code.rs by `package::code::page`; a test compares. -->

A refused archive lists every fault at once. Each has a stable `code`, a `severity` (`error` refuses, \
`warning` only tells), the `file`, `line`, `column` and `key` it is about, and a `message` in English \
(`en`) and in French (`fr`) that says what was expected, what was found, and what to do. Faults of \
inputs carry the JSON Pointer of the value as `key`. What else can be wrong is in [faults.md](faults.md).

| code | meaning |
|---|---|
";

const FRENCH_HEAD: &str = "\
# Défauts d’une archive et des entrées

<!-- Generated from crates/package/src/code.rs by `package::code::page`; a test compares. -->

Une archive refusée liste tous ses défauts à la fois. Chacun a un `code` stable, une `severity` \
(`error` refuse, `warning` ne fait que prévenir), le `file`, la `line`, la `column` et la `key` dont il \
s’agit, et un `message` en anglais (`en`) et en français (`fr`) qui dit ce qui était attendu, ce qui a \
été trouvé et quoi faire. Les défauts des entrées portent en `key` le JSON Pointer de la valeur. Les \
autres défauts sont dans [faults.md](faults.md).

| code | signification |
|---|---|
";
