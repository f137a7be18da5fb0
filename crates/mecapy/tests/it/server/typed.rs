//! What people type, mistakes included, against a server that runs.

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, server, server_with};
use crate::program::{Called, mecapy};

const HANDLER: &str = "\
import pathlib
import mecapy_runtime

def calculate(inputs):
    if inputs.get('mode') == 'module':
        import numpy
    if inputs.get('mode') == 'key':
        return inputs['forse']
    (mecapy_runtime.outputs() / 'report.txt').write_text('seen')
    return {'grade': inputs['grade']}
";

fn bolt() -> Archive {
    Archive::new("bolt-shear", HANDLER).version("1.0.0").inputs_schema(json!({
        "type": "object",
        "required": ["grade"],
        "additionalProperties": false,
        "properties": {
            "grade": { "type": "string", "enum": ["8.8", "10.9"], "title": "Class" },
            "gamma": { "type": "number", "default": 1.25, "exclusiveMinimum": 1 },
            "mode": { "type": "string" },
            "table": { "type": "string", "format": "file" },
        },
    }))
}

#[test]
fn what_is_not_there_is_named_with_what_was_probably_meant() {
    let running = server();
    deploy(&running.client, &bolt());
    let home = tempfile::tempdir().unwrap();
    let data = running.data().to_str().unwrap().to_owned();
    let call = |line: &str| -> Called {
        let words: Vec<&str> = line.split(' ').collect();
        mecapy(home.path(), &words, &[("MECAPY_DATA", &data)])
    };
    for (line, said) in [
        (
            "run bolt-sheer grade=8.8",
            "error: there is no function `bolt-sheer` in your company; did you mean `bolt-shear`? `mecapy functions` lists those that there are\n",
        ),
        (
            "run bolt-sheer grade=8.8 --lang fr",
            "erreur : il n’y a pas de fonction `bolt-sheer` dans votre entreprise ; vouliez-vous dire `bolt-shear` ? `mecapy functions` les liste\n",
        ),
        ("run bolt-shear@9.9.9", "error: `bolt-shear` has no version 9.9.9; it has 1.0.0\n"),
        (
            "bench bolt-shear@9.9.9 --lang fr",
            "erreur : `bolt-shear` n’a pas de version 9.9.9 ; elle a 1.0.0\n",
        ),
        (
            "functions show nope",
            "error: there is no function `nope` in your company. `mecapy functions` lists those that there are\n",
        ),
        (
            "functions delete bolt-shea",
            "error: there is no function `bolt-shea` in your company; did you mean `bolt-shear`? `mecapy functions` lists those that there are\n",
        ),
        (
            "tasks show abc",
            "error: there is no calculation `abc` in your company. `mecapy tasks` lists those that there are, with their ids\n",
        ),
        (
            "tasks logs abc --lang fr",
            "erreur : il n’y a pas de calcul `abc` dans votre entreprise. `mecapy tasks` les liste, avec leurs identifiants\n",
        ),
    ] {
        let called = call(line);
        assert_eq!((called.code, called.err.as_str()), (2, said), "{line}");
    }
    // Another company's function reads as one that nobody has.
    let called = call("run acme:bolt-shear grade=8.8");
    assert!(called.err.starts_with("error: there is no function `acme:bolt-shear`"), "{called:?}");
}

#[test]
fn inputs_are_read_as_the_function_takes_them() {
    let running = server();
    deploy(&running.client, &bolt());
    let home = tempfile::tempdir().unwrap();
    let data = running.data().to_str().unwrap().to_owned();
    let variables = [("MECAPY_DATA", data.as_str())];
    let call = |words: &[&str]| mecapy(home.path(), words, &variables);
    let called = call(&["run", "bolt-shear", "grade=8.8"]);
    assert_eq!(called.code, 0, "{called:?}");
    assert!(called.out.starts_with("grade  8.8\n"), "{called:?}");
    // Still one fault where it is wrong as a text, too.
    let called = call(&["run", "bolt-shear", "grade=9.9"]);
    assert_eq!(called.code, 2);
    assert_eq!(
        called.err,
        "error: One fault was found.\n  /grade: expected one of \"8.8\", \"10.9\", found \"9.9\"\n"
    );
    let called = call(&["run", "bolt-shear", "grade=8.8", "grade=10.9", "--lang", "fr"]);
    assert_eq!(called.err, "erreur : `grade` est donnée deux fois ; donnez-la une fois\n");
    let called = call(&["run", "bolt-shear", "grade=8.8", "table=no.csv"]);
    assert!(
        called.err.ends_with("\n  `--file table=no.csv` sends the file and gives its reference\n"),
        "{called:?}"
    );
    let called = call(&["run", "bolt-shear", "grade=8.8", "gamma=1.1 kN"]);
    assert!(
        called.err.contains("expected a number, found \"1.1 kN\"; no unit is converted here"),
        "{called:?}"
    );
    let called = call(&["functions", "show", "bolt-shear"]);
    for line in [
        "  grade  string  required      8.8 | 10.9  Class",
        "  gamma  number  default 1.25  > 1",
        "  table  string  optional      file",
    ] {
        assert!(called.out.lines().any(|shown| shown == line), "{line:?} in {}", called.out);
    }
    // A number that is waited for with decimals.
    let called = call(&["run", "bolt-shear", "grade=8.8", "--wait", "59.5"]);
    assert_eq!(called.code, 0, "{called:?}");
    let id = running.client.get("/tasks?limit=1").json()["items"][0]["task_id"].clone();
    let save = ["tasks", "artifacts", id.as_str().unwrap(), "--save", "out"];
    assert_eq!(call(&save).code, 0);
    let again = call(&save);
    assert_eq!(
        again.err,
        "error: out/report.txt can't be written: it is there already. Remove it, or name another folder with --save\n"
    );
    let again = call(&[&save[..], &["--lang", "fr"]].concat());
    assert!(again.err.contains("il existe déjà. Supprimez-le"), "{again:?}");
}

#[test]
fn an_exception_is_named_and_a_missing_module_has_its_remedy() {
    let running = server();
    deploy(&running.client, &bolt());
    let home = tempfile::tempdir().unwrap();
    let data = running.data().to_str().unwrap().to_owned();
    let call = |mode: &str, lang: &str| {
        let words = ["run", "bolt-shear", "grade=8.8", mode, "--lang", lang];
        mecapy(home.path(), &words, &[("MECAPY_DATA", &data)]).err
    };
    let said = call("mode=key", "en");
    assert!(said.starts_with("error: KeyError: 'forse' (user_error)\n"), "{said}");
    let said = call("mode=module", "en");
    assert!(
        said.starts_with("error: ModuleNotFoundError: No module named 'numpy'; python-base does not have it, `base_image: python-scientific` has (user_error)\n"),
        "{said}"
    );
    let said = call("mode=module", "fr");
    assert!(said.contains("python-base ne l’a pas, `base_image: python-scientific` l’a"), "{said}");
}

#[test]
fn what_init_writes_can_be_changed_and_deployed_again() {
    let running = server_with(&[("MECAPY_STATIC_CHECK", "deny-list")]);
    let home = tempfile::tempdir().unwrap();
    let data = running.data().to_str().unwrap().to_owned();
    let call = |words: &[&str]| mecapy(home.path(), words, &[("MECAPY_DATA", &data)]);
    assert_eq!(call(&["init", "beam"]).code, 0);
    let called = call(&["deploy", "beam"]);
    assert!(called.out.contains("beam 0.1.0 deployed"), "{called:?}");
    let handler = home.path().join("beam/handler.py");
    let written = std::fs::read_to_string(&handler).unwrap();
    std::fs::write(&handler, format!("{written}\n# changed\n")).unwrap();
    let called = call(&["deploy", "beam"]);
    assert!(called.out.contains("beam 0.1.1 deployed"), "{called:?}");
    // A module that only a package brings is told at its line.
    std::fs::write(&handler, format!("import numpy\n{written}")).unwrap();
    let called = call(&["deploy", "beam"]);
    assert_eq!(called.code, 1);
    assert!(
        called.out.contains("handler.py:1:8 numpy: the module `numpy` is not there: `python-base` has the standard library alone; name an image that has it: `runtime: {base_image: python-scientific}`"),
        "{called:?}"
    );
    // The folder above names the one that was meant.
    for command in ["deploy", "test"] {
        let called = call(&[command]);
        assert_eq!(called.code, 2, "{called:?}");
        assert!(called.err.ends_with(&format!(": `mecapy {command} beam`\n")), "{called:?}");
    }
}

#[test]
fn another_name_of_this_machine_gets_no_token_and_the_address_to_use() {
    let running = server();
    let home = tempfile::tempdir().unwrap();
    let data = running.data().to_str().unwrap().to_owned();
    let url = running.url().replace("127.0.0.1", "localhost");
    let called = mecapy(home.path(), &["tasks", "--api-url", &url], &[("MECAPY_DATA", &data)]);
    assert_eq!(called.code, 4, "{called:?}");
    assert!(called.err.contains(&format!("Log in to {url} with `mecapy login`")), "{called:?}");
    assert!(called.err.contains("such as http://127.0.0.1:8000, and no other"), "{called:?}");
}
