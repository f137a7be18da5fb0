//! What the documentation says is what the crate does.

use domain::Lang;
use domain::limits::Limits;
use package::{Policy, code};

const PAGES: [&str; 2] = [
    include_str!("../../../../docs/function-archive.md"),
    include_str!("../../../../docs/fr/function-archive.md"),
];

#[test]
fn the_pages_of_codes_are_up_to_date() {
    for (lang, name, written) in [
        (Lang::En, "docs/archive-faults.md", include_str!("../../../../docs/archive-faults.md")),
        (
            Lang::Fr,
            "docs/fr/archive-faults.md",
            include_str!("../../../../docs/fr/archive-faults.md"),
        ),
    ] {
        let page = code::page(lang);
        assert!(written == page, "write this to {name}:\n{page}");
    }
}

#[test]
fn codes_stand_once_each_and_in_one_style() {
    let mut codes: Vec<&str> = code::ALL.iter().map(|(code, ..)| *code).collect();
    assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    codes.sort_unstable();
    assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
}

/// The blocks of a page that are fenced as `language`.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    page.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_whole_manifests_on_the_pages_are_accepted() {
    for page in PAGES {
        let handler = blocks(page, "python")[0];
        for (path, language) in [("mecapy.yaml", "yaml"), ("pyproject.toml", "toml")] {
            let manifest = blocks(page, language)[0];
            let files = vec![
                (path.to_owned(), manifest.as_bytes().to_vec()),
                ("handler.py".to_owned(), handler.as_bytes().to_vec()),
            ];
            let package = package::read_dir(files, &Limits::default(), Policy::AllowList);
            let package = package.map_err(|refused| crate::support::lines(&refused.faults));
            assert_eq!(package.unwrap().warnings, []);
        }
    }
}

#[test]
fn every_key_is_on_the_pages() {
    for page in PAGES {
        for key in package::manifest_keys() {
            assert!(page.contains(&format!("`{key}`")), "`{key}` is missing");
        }
    }
}
