//! The archive that `mecapy init` writes: small, complete, and free of faults.

use domain::Lang;

/// The files of a new function called `name`, with comments in `lang`.
#[must_use]
pub fn template(name: &str, lang: Lang) -> Vec<(String, String)> {
    let files: [(&str, &str); 4] = match lang {
        Lang::En => [
            ("mecapy.yaml", include_str!("template/en/mecapy.yaml")),
            ("handler.py", include_str!("template/en/handler.py")),
            ("tests/test_handler.py", include_str!("template/en/test_handler.py")),
            ("README.md", include_str!("template/en/README.md")),
        ],
        Lang::Fr => [
            ("mecapy.yaml", include_str!("template/fr/mecapy.yaml")),
            ("handler.py", include_str!("template/fr/handler.py")),
            ("tests/test_handler.py", include_str!("template/fr/test_handler.py")),
            ("README.md", include_str!("template/fr/README.md")),
        ],
    };
    files.map(|(path, text)| (path.to_owned(), text.replace("FUNCTION_NAME", name))).into()
}
