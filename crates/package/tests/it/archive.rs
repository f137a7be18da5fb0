//! Archives as engineers make them.

use domain::limits::Limits;
use package::{Policy, read};

use crate::support::{codes, folder, lignes, lines, read_files};

fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    package::zip(&folder(files)).unwrap()
}

fn open(zip: &[u8]) -> package::Package {
    read(zip, &Limits::default(), Policy::DenyList).unwrap()
}

#[test]
fn a_zip_and_the_folder_it_was_made_from_are_the_same_package() {
    let files = [("data/table.csv", "a;b\n1;2\n"), ("README.md", "# Bolt")];
    let (zipped, plain) = (open(&zip_of(&files)), read_files(&files).unwrap());
    assert_eq!(zipped.digest, plain.digest);
    assert_eq!(zipped.files, plain.files);
    assert_eq!(zipped.manifest, plain.manifest);
}

#[test]
fn a_single_top_level_folder_is_taken_off() {
    let inside = folder(&[("data/a.csv", "1")]);
    let wrapped: Vec<_> =
        inside.iter().map(|(path, content)| (format!("bolt-main/{path}"), content)).collect();
    let package = open(&package::zip(&wrapped).unwrap());
    assert_eq!(package.digest, open(&package::zip(&inside).unwrap()).digest);
    assert!(package.files.iter().any(|file| file.path == "data/a.csv"));
}

#[test]
fn by_products_of_tools_are_left_out_and_do_not_change_the_digest() {
    let clean = open(&zip_of(&[])).digest;
    let mut files = folder(&[]);
    for path in
        ["__MACOSX/._handler.py", ".DS_Store", "__pycache__/handler.cpython-312.pyc", ".git/HEAD"]
    {
        files.push((path.to_owned(), b"x".to_vec()));
    }
    let dirty = package::read_dir(files, &Limits::default(), Policy::DenyList).unwrap();
    assert_eq!(dirty.digest, clean);
}

#[test]
fn zips_are_written_byte_for_byte_alike() {
    let mut files = folder(&[("b.txt", "2"), ("a.txt", "1")]);
    let first = package::zip(&files).unwrap();
    files.reverse();
    assert_eq!(package::zip(&files).unwrap(), first);
}

#[test]
fn an_archive_without_anything_says_what_is_missing() {
    let zip = package::zip(&[("notes.txt", "hello")]).unwrap();
    let faults = read(&zip, &Limits::default(), Policy::DenyList).unwrap_err().faults;
    assert_eq!(
        lines(&faults),
        [
            "handler.py: expected `handler.py` with `def calculate(inputs):` in the archive. `mecapy init` writes one",
            "mecapy.yaml: expected `mecapy.yaml` (or `pyproject.toml`) in the archive. `mecapy init` writes a good one",
        ]
    );
    assert_eq!(
        lignes(&faults),
        [
            "handler.py: `handler.py` avec `def calculate(inputs):` est attendu dans l’archive. `mecapy init` en écrit un",
            "mecapy.yaml: `mecapy.yaml` (ou `pyproject.toml`) est attendu dans l’archive. `mecapy init` en écrit un bon",
        ]
    );
}

#[test]
fn a_manifest_under_another_name_is_pointed_out() {
    let zip = package::zip(&[("mecapy.yml", "version: \"1.0\""), ("src/handler.py", "")]).unwrap();
    let faults = read(&zip, &Limits::default(), Policy::DenyList).unwrap_err().faults;
    assert!(lines(&faults)[0].ends_with("found `src/handler.py`; move it to the top level"));
    assert!(lines(&faults)[1].contains("found `mecapy.yml`; it belongs"));
}

#[test]
fn names_that_differ_in_case_only_are_a_warning() {
    let package = read_files(&[("data/A.csv", "1"), ("data/a.csv", "2")]).unwrap();
    assert_eq!(codes(&package.warnings), ["archive_case_clash"]);
}

#[test]
fn a_file_where_a_folder_must_be_is_refused() {
    let faults = crate::support::faults(&[("data", "x"), ("data/a.csv", "1")]);
    assert_eq!(codes(&faults), ["archive_bad_path"]);
    assert!(lines(&faults)[0].contains("`data` is a file and a folder at once"));
}

#[test]
fn a_folder_for_tests_without_one_is_a_warning() {
    let package = read_files(&[("tests/cases.json", "[]"), ("tests/README.md", "later")]).unwrap();
    assert_eq!(
        lines(&package.warnings),
        ["tests: there is no Python file in tests/, so nothing is tested by it; pytest looks for \
          functions `test_…` in files `test_….py`"]
    );
    assert!(lignes(&package.warnings)[0].contains("aucun fichier Python dans tests/"));
    let tested = read_files(&[("tests/cases.json", "[]"), ("tests/test_a.py", "")]).unwrap();
    assert_eq!(tested.warnings, []);
    assert_eq!(read_files(&[("tests.md", "none")]).unwrap().warnings, []);
}
