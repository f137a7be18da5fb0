//! What the parser of Python says, in French.

/// Its sentences that authors meet, by how they begin.
const SENTENCES: &[(&str, &str)] = &[
    (
        "Simple statements must be separated by newlines or semicolons",
        "les instructions simples se séparent par des retours à la ligne ou des points-virgules",
    ),
    (
        "Compound statements are not allowed on the same line as simple statements",
        "une instruction composée ne peut pas suivre une instruction simple sur la même ligne",
    ),
    (
        "Positional argument cannot follow keyword argument",
        "un argument positionnel ne peut pas suivre un argument nommé",
    ),
    ("Expected index or slice expression", "un indice ou une tranche est attendu"),
    (
        "Expected one or more symbol names after import",
        "un ou plusieurs noms sont attendus après import",
    ),
    (
        "Parameter without a default cannot follow a parameter with a default",
        "un paramètre sans valeur par défaut ne peut pas suivre un paramètre qui en a une",
    ),
    ("Expected an expression", "une expression est attendue"),
    ("Expected a statement", "une instruction est attendue"),
    ("Expected an identifier", "un identifiant est attendu"),
    ("Expected an indented block", "un bloc indenté est attendu"),
    ("Expected a parameter", "un paramètre est attendu"),
    ("Unexpected indentation", "indentation inattendue"),
    (
        "unindent does not match any outer indentation level",
        "l’indentation ne correspond à aucun niveau au-dessus",
    ),
    ("Invalid assignment target", "on ne peut pas affecter de valeur à ceci"),
    ("Got unexpected token", "caractère inattendu :"),
    (
        "Expected a newline after line continuation character",
        "une fin de ligne est attendue après « \\ »",
    ),
    ("unexpected EOF while parsing", "le fichier se termine trop tôt"),
    ("missing closing quote in string literal", "le guillemet fermant du texte manque"),
    (
        "Unexpected token at the end of an expression",
        "l’expression se termine par un mot inattendu",
    ),
    ("f-string: ", "f-string : "),
];

/// A sentence of the parser; one that has no translation says that it is in
/// English.
pub(super) fn in_french(said: &str) -> String {
    if let Some((expected, found)) =
        said.strip_prefix("Expected ").and_then(|rest| rest.split_once(", found "))
    {
        return format!("attendu : {} ; trouvé : {}", token(expected), token(found));
    }
    match SENTENCES.iter().find_map(|(en, fr)| Some((*fr, said.strip_prefix(en)?))) {
        Some((fr, rest)) if fr.ends_with(':') || fr.ends_with(": ") => format!("{fr}{rest}"),
        Some((fr, _)) => fr.to_owned(),
        None => format!("(en anglais) {said}"),
    }
}

fn token(name: &str) -> &str {
    match name {
        "newline" => "une fin de ligne",
        "indent" => "une indentation",
        "dedent" => "une désindentation",
        "end of file" => "la fin du fichier",
        "name" | "an identifier" => "un nom",
        "string" => "un texte",
        "int" | "float" | "complex" => "un nombre",
        other => other,
    }
}
