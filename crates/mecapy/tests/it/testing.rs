//! `mecapy test` checks a folder and runs its test cases and tests, without a
//! server.

use serde_json::Value;

use crate::program::{Called, mecapy};

const MANIFEST: &str = "\
version: \"1.0\"
metadata: {name: bolt}
io:
  inputs_schema: {type: object}
quality:
  test_cases:
    - inputs: {x: 2}
      expected_outputs: {x: 2}
      source: a book
";

/// A folder with a function, and what calls the program over it.
struct Bolt {
    home: tempfile::TempDir,
}

impl Bolt {
    fn new(test: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("bolt/tests")).unwrap();
        let bolt = Self { home };
        bolt.write("mecapy.yaml", MANIFEST);
        bolt.write("handler.py", "def calculate(inputs):\n    return inputs\n");
        bolt.write("tests/test_handler.py", test);
        bolt
    }

    fn write(&self, path: &str, content: &str) {
        std::fs::write(self.home.path().join("bolt").join(path), content).unwrap();
    }

    fn test(&self, more: &[&str]) -> Called {
        let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
        let uv = test_support::tools::uv().display().to_string();
        let data = self.home.path().join("data").display().to_string();
        let variables =
            [("PATH", path.as_str()), ("MECAPY_UV", uv.as_str()), ("MECAPY_DATA", data.as_str())];
        mecapy(self.home.path(), &[&["test", "bolt"], more].concat(), &variables)
    }
}

#[test]
fn cases_and_tests_are_run_and_a_failure_is_shown_and_told_by_the_exit_code() {
    let bolt = Bolt::new("def test_a():\n    pass\n\ndef test_b():\n    assert 1 == 1\n");
    let called = bolt.test(&[]);
    assert_eq!(called.code, 0, "{called:?}");
    for said in
        ["✓ test case 1", "a book", "✓ tests/test_handler.py::test_b", "3 of 3 tests passed"]
    {
        assert!(called.out.contains(said), "{said:?} in {called:?}");
    }

    bolt.write("handler.py", "def calculate(inputs):\n    return {'x': 3}\n");
    bolt.write("tests/test_handler.py", "def test_b():\n    assert 1 == 2\n");
    let called = bolt.test(&[]);
    assert_eq!(called.code, 1, "{called:?}");
    for said in [
        "✗ test case 1",
        "    /x: expected 2, got 3 (difference +1)",
        "✗ tests/test_handler.py::test_b",
        "    E   assert 1 == 2",
        "0 of 2 tests passed",
    ] {
        assert!(called.out.contains(said), "{said:?} in {called:?}");
    }
    let called = bolt.test(&["--lang", "fr"]);
    for said in ["✗ cas de test 1", "attendu 2, obtenu 3 (écart +1)", "tests réussis : 0 sur 2"]
    {
        assert!(called.out.contains(said), "{said:?} in {called:?}");
    }
    let called = bolt.test(&["--json"]);
    let report: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!((called.code, &report["passed"]), (1, &Value::Bool(false)));
    assert_eq!(report["counts"]["failed"], 2);
    assert_eq!(report["cases"][0]["differences"][0]["difference"], 1.0);
    assert_eq!(report["unit_tests"][0]["outcome"], "failed");
}

#[test]
fn a_crash_of_the_tests_shows_what_pytest_printed() {
    let bolt = Bolt::new("import os\n\ndef test_a():\n    os._exit(3)\n");
    // The static check would refuse `os` before anything runs.
    let called = bolt.test(&["--lang", "en", "--json"]);
    assert!(called.out.contains("python_blocked"), "{called:?}");
    bolt.write("tests/conftest.py", "raise RuntimeError('no tables here')\n");
    bolt.write("tests/test_handler.py", "def test_a():\n    pass\n");
    let called = bolt.test(&[]);
    assert_eq!(called.code, 1, "{called:?}");
    assert!(called.out.contains("exit status"), "{called:?}");
    assert!(called.out.contains("no tables here"), "{called:?}");
}
