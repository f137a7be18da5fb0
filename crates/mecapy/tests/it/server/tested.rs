//! An archive proves itself before it is published: its test cases and its
//! `tests/` run in the sandbox, and a failure refuses it with a report.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::Client;
use test_support::wheels::{Index, Wheel};

use super::{deploy, echo, run, server, server_with, start};
use crate::program::mecapy;

const HANDLER: &str = "def calculate(inputs):\n    return {'stress': inputs['force'] / 10}\n";

fn bolt(name: &str) -> Archive {
    Archive::new(name, HANDLER)
}

fn case(inputs: Value, expected: Value) -> Value {
    json!({ "inputs": inputs, "expected_outputs": expected })
}

/// The problem that an archive is refused with.
fn refused(client: &Client, archive: &Archive) -> Value {
    client.post_file("/functions?wait=120", "archive", "a.zip", &archive.zip()).expect(422).json()
}

fn codes(problem: &Value) -> Vec<&str> {
    problem["faults"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect()
}

fn message(problem: &Value) -> &str {
    problem["faults"][0]["message"].as_str().unwrap()
}

fn deployment(client: &Client, problem: &Value) -> Value {
    let id = problem["deployment_id"].as_str().unwrap();
    client.get(&format!("/deployments/{id}")).expect(200).json()
}

fn stages(deployment: &Value) -> Vec<&str> {
    let stages = deployment["stages"].as_array().unwrap();
    stages.iter().map(|stage| stage["name"].as_str().unwrap()).collect()
}

/// A report's tests by the last part of their name, with how they ended.
fn outcomes(report: &Value) -> Vec<String> {
    let tests = report["unit_tests"].as_array().unwrap().iter();
    tests
        .map(|test| {
            let name = test["name"].as_str().unwrap().rsplit("::").next().unwrap();
            format!("{name} {}", test["outcome"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn a_failing_case_refuses_with_expected_got_and_difference() {
    let running = server();
    let client = &running.client;
    let archive = bolt("bolt").set(
        "quality.test_cases",
        json!([
            case(json!({ "force": 100 }), json!({ "stress": 10 })),
            {
                "inputs": { "force": 905 },
                "expected_outputs": { "stress": 100, "strain": 1 },
                "source": "EN 1993-1-8 table 3.4",
            },
            case(json!({}), json!({ "stress": 0 })),
        ]),
    );
    let problem = refused(client, &archive);
    assert_eq!(problem["code"], "deployment_failed");
    assert_eq!(codes(&problem), ["test_case_failed"; 3]);
    let faults = problem["faults"].as_array().unwrap();
    let said = |at: usize| faults[at]["message"].as_str().unwrap().to_owned();
    let mut differ = [said(0), said(1)];
    differ.sort();
    assert_eq!(
        differ,
        [
            "test case 2 (EN 1993-1-8 table 3.4): expected 1, got nothing",
            "test case 2 (EN 1993-1-8 table 3.4): expected 100, got 90.5 (difference -9.5)",
        ]
    );
    assert_eq!(said(2), "test case 3 gave no result: KeyError: 'force'");
    assert_eq!(faults[0]["file"], "mecapy.yaml");
    assert!(faults[0]["line"].as_u64().unwrap() > 1);
    let key = faults[0]["key"].as_str().unwrap();
    assert!(key.starts_with("quality.test_cases[1].expected_outputs.str"), "{key}");

    let report = &problem["tests"];
    assert_eq!((&report["passed"], &report["failed"]), (&json!(1), &json!(2)));
    assert_eq!(report["cases"][0]["passed"], true);
    let second = &report["cases"][1];
    assert_eq!(second["source"], "EN 1993-1-8 table 3.4");
    let differences = second["differences"].as_array().unwrap();
    let of_stress = differences.iter().find(|d| d["pointer"] == "/stress").unwrap();
    assert_eq!(
        *of_stress,
        json!({ "pointer": "/stress", "expected": 100, "got": 90.5, "difference": -9.5 })
    );
    assert_eq!(report["cases"][2]["error"]["exception"], "KeyError");

    let kept = deployment(client, &problem);
    assert_eq!(kept["status"], "failed");
    assert_eq!(&kept["tests"], report);
    assert_eq!(stages(&kept), ["archive", "environment", "prepare", "tests"]);
    assert_eq!(client.get("/functions/bolt").status, 404, "nothing is published");
}

#[test]
fn cases_know_units_files_infinities_and_tolerances() {
    let running = server();
    let client = &running.client;
    let handler = "\
import math
from pathlib import Path

def calculate(inputs):
    text = Path(inputs['table']).read_text()
    return {'area': inputs['area'], 'rows': len(text.split()), 'nan': math.nan,
            'low': -math.inf, 'near': 1 + 1e-10, 'far': 1.2, 'list': [1, 2.0]}
";
    let archive = Archive::new("wide", handler)
        .file("data/table.csv", "1\n2\n3\n")
        .inputs_schema(json!({
            "type": "object",
            "properties": {
                "area": { "type": "number", "unit": "mm²" },
                "table": { "type": "string", "format": "file" },
            },
        }))
        .set(
            "quality.test_cases",
            json!([
                case(
                    json!({ "area": "2.45 cm²", "table": "data/table.csv" }),
                    json!({ "area": 245, "rows": 3, "nan": "NaN", "low": "-Infinity", "near": 1,
                            "list": [1.0, 2] }),
                ),
                {
                    "inputs": { "area": 1, "table": "data/table.csv" },
                    "expected_outputs": { "far": 1 },
                    "abs_tolerance": 0.5,
                },
            ]),
        );
    let deployed = deploy(client, &archive);
    assert_eq!(deployed["tests"]["passed"], 2, "{deployed:#}");
    let wrong = archive.set(
        "quality.test_cases",
        json!([case(json!({ "area": 1, "table": "data/tabel.csv" }), json!({ "rows": 3 }))]),
    );
    let problem = refused(client, &wrong);
    assert_eq!(codes(&problem), ["test_case_inputs"]);
    assert!(
        message(&problem).ends_with(
            "expected the path of a file of the archive, such as `data/measured.csv`, found \
             \"data/tabel.csv\""
        ),
        "{problem:#}"
    );
}

const TESTS: &str = "\
import pytest
from handler import calculate

@pytest.fixture
def broken():
    raise RuntimeError('no such table')

def test_zero(force):
    assert calculate({'force': force})['stress'] == 0

@pytest.mark.parametrize('force', [10, 20])
def test_linear(force):
    print('force is', force)
    assert calculate({'force': force})['stress'] == 1

def test_with_a_broken_fixture(broken):
    pass

def test_of_the_handler():
    calculate({})

@pytest.mark.skip(reason='needs a plotter')
def test_plot():
    pass

@pytest.mark.xfail(reason='known since 2020')
def test_known():
    assert False

def test_files(tmp_path):
    (tmp_path / 'a.txt').write_text('x')
";

#[test]
fn failing_tests_refuse_with_a_report_and_mended_ones_publish() {
    let running = server();
    let client = &running.client;
    let conftest = "import pytest\n\n@pytest.fixture\ndef force():\n    return 0\n";
    let archive = bolt("bolt")
        .file("tests/conftest.py", conftest)
        .file("tests/test_bolt.py", TESTS)
        .file("tests/test_gone.py", "import no_such_package\n");
    let problem = refused(client, &archive);
    let report = &problem["tests"];
    assert_eq!(outcomes(report), ["test_gone.py error"].map(|name| format!("tests/{name}")));
    assert_eq!(codes(&problem), ["unit_test_failed"]);
    assert!(message(&problem).contains("No module named 'no_such_package'"), "{problem:#}");

    let archive = archive.file("tests/test_gone.py", "");
    let problem = refused(client, &archive);
    let report = &problem["tests"];
    assert_eq!(
        outcomes(report),
        [
            "test_zero passed",
            "test_linear[10] passed",
            "test_linear[20] failed",
            "test_with_a_broken_fixture error",
            "test_of_the_handler failed",
            "test_plot skipped",
            "test_known skipped",
            "test_files passed",
        ],
        "{report:#}"
    );
    let counts = [&report["passed"], &report["failed"], &report["skipped"]];
    assert_eq!(counts, [&json!(3), &json!(3), &json!(2)]);
    assert_eq!(codes(&problem), ["unit_test_failed"; 3]);
    let faults = problem["faults"].as_array().unwrap();
    assert_eq!(faults[0]["file"], "tests/test_bolt.py");
    assert_eq!(faults[0]["line"], 14);
    assert_eq!(faults[0]["key"], "test_linear[20]");
    assert_eq!(faults[0]["message"], "assert 2.0 == 1");
    assert_eq!(faults[1]["message"], "RuntimeError: no such table");
    assert_eq!((&faults[2]["file"], &faults[2]["line"]), (&json!("handler.py"), &json!(2)));
    assert_eq!(faults[2]["key"], "tests/test_bolt.py::test_of_the_handler");
    let linear = &report["unit_tests"][2];
    let text = linear["text"].as_str().unwrap();
    assert!(text.contains("E   assert 2.0 == 1") && text.contains("force is 20"), "{text}");
    assert_eq!(report["unit_tests"][5]["message"], "Skipped: needs a plotter");
    assert_eq!(report["unit_tests"][6]["message"], "xfail: known since 2020");
    assert_eq!(&deployment(client, &problem)["tests"], report);

    let mended = TESTS.replace("[10, 20]", "[10]").replace("raise RuntimeError", "RuntimeError");
    let mended = mended.replace("calculate({})", "calculate({'force': 1})");
    let archive = archive.file("tests/test_bolt.py", mended);
    let deployed = deploy(client, &archive);
    assert_eq!(deployed["tests"]["failed"], 0, "{deployed:#}");
    // pytest is nothing that the function itself has.
    let plain = deploy(client, &bolt("plain"));
    assert_eq!(stages(&plain), ["archive", "environment", "prepare"], "nothing was tested");
    let digest = |name: &str| {
        let function = client.get(&format!("/functions/{name}")).expect(200).json();
        function["environment"]["digest"].clone()
    };
    assert_eq!(digest("bolt"), digest("plain"));
    let importing = "def calculate(inputs):\n    import pytest\n";
    deploy(client, &Archive::new("importing", importing));
    let task = run(client, "importing", &json!({}));
    assert_eq!(task["error"]["exception"], "ModuleNotFoundError", "{task:#}");
    // What has proven itself once is not asked again.
    let again = deploy(client, &archive);
    assert_eq!(again["version"], deployed["version"]);
    assert_eq!(stages(&again), ["archive", "environment", "prepare"]);
}

#[test]
fn tests_that_crash_hang_or_eat_memory_refuse_and_name_the_test() {
    let running = server();
    let client = &running.client;
    let with = |test: &str| {
        let first = "import os, time\n\ndef test_first():\n    pass\n\ndef test_second():\n    ";
        bolt("bolt").file("tests/test_bolt.py", format!("{first}{test}\n"))
    };
    let in_second = "(in tests/test_bolt.py::test_second)";
    for (test, said) in [
        ("os._exit(0)", "before pytest was through"),
        ("__import__('ctypes').string_at(0)", "SIGSEGV"),
        ("x = bytearray(b'x') * (1 << 30)", "memory"),
    ] {
        let problem = refused(client, &with(test));
        let report = &problem["tests"];
        if codes(&problem) == ["unit_test_failed"] {
            // Python was told that there is no more memory, and pytest went on.
            assert!(test.contains("bytearray") && message(&problem).contains("MemoryError"));
            continue;
        }
        assert_eq!(codes(&problem), ["tests_ended"], "{problem:#}");
        let message = message(&problem);
        assert!(message.contains(said) && message.ends_with(in_second), "{message}");
        assert_eq!(outcomes(report), ["test_first passed"], "what was told before is kept");
    }
    let hangs = with("time.sleep(1000)").set("runtime.timeout", json!(4));
    let problem = refused(client, &hangs);
    assert_eq!(
        message(&problem),
        format!(
            "tests/ took longer than 4 s, the `runtime.timeout` that all of it has together {in_second}"
        )
    );
    assert_eq!(problem["tests"]["error"]["kind"], "timeout");
    // Whoever deceives pytest deceives only himself, and breaks nothing.
    let forged = with("os.write(4, b'nonsense' * 10)\n    time.sleep(1000)");
    assert_eq!(codes(&refused(client, &forged)), ["tests_ended"]);
    let configured = bolt("bolt")
        .file("tests/test_bolt.py", "def test_a():\n    pass\n")
        .file("pytest.ini", "[pytest]\naddopts = --no-such-option\n");
    let problem = refused(client, &configured);
    assert!(message(&problem).contains("its exit status is 4"), "{problem:#}");
    let output = problem["tests"]["output"].as_str().unwrap();
    assert!(output.contains("--no-such-option"), "{output}");
    deploy(client, &echo());
    assert_eq!(run(client, "echo", &json!({ "a": 1 }))["status"], "completed");
}

#[test]
fn a_functions_own_pytest_comes_before_the_platforms() {
    let running = server();
    let client = &running.client;
    let own = bolt("own")
        .file("pytest.py", "def marked():\n    return 1\n")
        .file("tests/test_own.py", "def test_a():\n    pass\n");
    let problem = refused(client, &own);
    assert_eq!(
        message(&problem),
        "the archive's own module `pytest` takes the place of the one that pytest needs, so tests/ \
         can't be run; give it another name"
    );
    let version =
        "import pytest\n\ndef test_version():\n    assert pytest.__version__ == '8.3.5'\n";
    let pinned = bolt("pinned").requires(&["pytest==8.3.5"]).file("tests/test_version.py", version);
    let deployed = deploy(client, &pinned);
    assert_eq!(outcomes(&deployed["tests"]), ["test_version passed"]);
    let none = bolt("none").file("tests/table.py", "TABLE = [1]\n");
    let deployed = deploy(client, &none);
    let stage = &deployed["stages"][3];
    assert_eq!(stage["name"], "tests");
    assert_eq!(stage["warnings"][0]["code"], "tests_none", "{deployed:#}");
}

#[test]
fn without_pytest_nothing_is_held_against_the_archive() {
    let index = Index::start(&[Wheel::new("bolts", "1.0")]).unwrap();
    let running = server_with(&[("MECAPY_INDEX_URL", index.url().as_str())]);
    let client = &running.client;
    let cases = json!([case(json!({ "force": 10 }), json!({ "stress": 1 }))]);
    let archive = bolt("bolt").requires(&["bolts"]).set("quality.test_cases", cases);
    deploy(client, &archive);
    let problem = refused(client, &archive.file("tests/test_a.py", "def test_a():\n    pass\n"));
    assert_eq!(codes(&problem), ["tests_not_run"]);
    let message = message(&problem);
    assert!(message.starts_with("the archive could not be tested: pytest can't be installed"));
    assert!(message.contains("nothing is wrong with it"), "{message}");
}

#[test]
fn tests_are_told_one_by_one_to_watchers_and_by_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("data"), &[]);
    let client = server.client();
    let archive = bolt("bolt")
        .set("quality.test_cases", json!([case(json!({ "force": 10 }), json!({ "stress": 1 }))]))
        .file(
            "tests/test_bolt.py",
            "import time\n\ndef test_a():\n    time.sleep(0.2)\n\ndef test_b():\n    assert 1 == 2\n",
        );
    let accepted = client.post_file("/functions", "archive", "a.zip", &archive.zip()).expect(202);
    let id = accepted.json()["deployment_id"].as_str().unwrap().to_owned();
    // The stream ends with the deployment.
    let events = client.get(&format!("/deployments/{id}/events")).expect(200).text();
    let told: Vec<Value> = events
        .split("\n\n")
        .filter(|event| event.contains("event: test\n"))
        .map(|event| {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            serde_json::from_str(data).unwrap()
        })
        .collect();
    assert_eq!(told.len(), 3, "{events}");
    assert_eq!(told[0]["case"]["passed"], true);
    assert_eq!(told[1]["unit_test"]["name"], "tests/test_bolt.py::test_a");
    assert_eq!(told[2]["unit_test"]["outcome"], "failed");
    assert!(events.contains("\"tests\":{"), "the report is durable, too: {events}");

    archive.write_to(&folder.path().join("bolt")).unwrap();
    let variables = [("MECAPY_API_URL", server.url()), ("MECAPY_TOKEN", server.token())];
    for (lang, lines) in [
        ("en", ["✓ test case 1", "✗ tests/test_bolt.py::test_b", "2 of 3 tests passed"]),
        ("fr", ["✓ cas de test 1", "✗ tests/test_bolt.py::test_b", "tests réussis : 2 sur 3"]),
    ] {
        let began = Instant::now();
        let called = mecapy(folder.path(), &["deploy", "bolt", "--lang", lang], &variables);
        assert_eq!(called.code, 1, "{called:?}");
        for line in lines {
            assert_eq!(called.out.matches(line).count(), 1, "{line:?} once in {}", called.out);
        }
        assert!(called.out.contains("E   assert 1 == 2"), "{}", called.out);
        assert!(!called.out.contains("unit_test_failed"), "{}", called.out);
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
