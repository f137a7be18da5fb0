//! `mecapy test` checks a folder and runs its test cases, without a server.

use crate::program::mecapy;

#[test]
fn test_runs_the_cases_and_says_that_the_tests_folder_was_not_run() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let folder = home.path().join("bolt");
    std::fs::create_dir_all(folder.join("tests")).unwrap();
    let manifest = "version: \"1.0\"\nmetadata: {name: bolt}\nio:\n  inputs_schema: {type: object}\n\
                    quality:\n  test_cases:\n    - inputs: {x: 2}\n      expected_outputs: {x: 2}\n";
    for (name, content) in [
        ("mecapy.yaml", manifest),
        ("handler.py", "def calculate(inputs):\n    return inputs\n"),
        ("tests/test_handler.py", "def test_nothing():\n    pass\n"),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
    let uv = test_support::tools::uv().display().to_string();
    let variables = [
        ("PATH", path.as_str()),
        ("MECAPY_UV", uv.as_str()),
        ("MECAPY_DATA", data.to_str().unwrap()),
    ];
    for (lang, said) in
        [("en", "the folder tests/ was not run"), ("fr", "le dossier tests/ n’a pas été exécuté")]
    {
        let called = mecapy(home.path(), &["test", "bolt", "--lang", lang], &variables);
        assert_eq!(called.code, 0, "{called:?}");
        assert!(called.err.contains(said), "{called:?}");
    }
    std::fs::remove_dir_all(folder.join("tests")).unwrap();
    let called = mecapy(home.path(), &["test", "bolt"], &variables);
    assert!(called.code == 0 && !called.err.contains("tests/"), "{called:?}");
}
