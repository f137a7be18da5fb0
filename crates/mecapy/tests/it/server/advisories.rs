//! Locked packages are compared with the operator's advisories.

use std::path::Path;

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::wheels::{Index, Wheel};
use ureq::http::Method;

use super::{deploy, says, start};
use crate::program::mecapy;

/// An index on this machine, with a package that brings a vulnerable one.
fn index() -> Index {
    Index::start(&[
        Wheel::new("bolts", "1.0").requires("some-lib==1.4"),
        Wheel::new("some_lib", "1.4"),
    ])
    .unwrap()
}

fn archive() -> Archive {
    Archive::new("bolted", "def calculate(inputs):\n    return inputs\n").requires(&["bolts"])
}

fn put_advisory(folder: &Path, id: &str, package: &str) {
    let advisory = json!({
        "id": id, "aliases": ["CVE-2026-7"], "summary": "Reads files of others",
        "affected": [{
            "package": { "ecosystem": "PyPI", "name": package },
            "ranges": [{ "type": "ECOSYSTEM",
                         "events": [{ "introduced": "0" }, { "fixed": "1.5" }] }],
        }],
    });
    std::fs::write(folder.join(format!("{id}.json")), advisory.to_string()).unwrap();
}

/// What the stage `environment` of a deployment warned of.
fn of_stage(deployment: &Value) -> &Value {
    let stages = deployment["stages"].as_array().unwrap();
    let stage = stages.iter().find(|stage| stage["name"] == "environment");
    &stage.unwrap_or_else(|| panic!("{deployment:#}"))["warnings"]
}

const ENGLISH: &str = "some-lib 1.4 has a known vulnerability, PYSEC-2026-1 (CVE-2026-7), “Reads \
                       files of others”; fixed in 1.5: raise the requirement, such as \
                       `some-lib>=1.5`, or add it where another package brings some-lib, and deploy \
                       again";
const FRENCH: &str = "some-lib 1.4 a une vulnérabilité connue, PYSEC-2026-1 (CVE-2026-7), « Reads \
                      files of others » ; corrigée dans 1.5 : relevez la dépendance, par exemple \
                      `some-lib>=1.5`, ou ajoutez-la si un autre paquet apporte some-lib, puis \
                      redéployez";

#[test]
fn a_known_vulnerability_of_a_locked_package_is_a_warning_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let advisories = folder.path().join("advisories");
    std::fs::create_dir(&advisories).unwrap();
    put_advisory(&advisories, "PYSEC-2026-1", "Some_Lib");
    let index = index();
    let url = index.url();
    let variables =
        [("MECAPY_ADVISORIES", advisories.to_str().unwrap()), ("MECAPY_INDEX_URL", url.as_str())];
    let server = start(&folder.path().join("data"), &variables);
    let client = server.client();

    let deployed = deploy(&client, &archive());
    let path = format!("/deployments/{}", deployed["deployment_id"].as_str().unwrap());
    let french = [("accept-language", "fr")];
    let of_deployment = client.get(&path).expect(200).json();
    let of_version = client.get("/functions/bolted").expect(200).json();
    for warnings in [of_stage(&of_deployment), &of_version["warnings"]] {
        assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings:#}");
        assert_eq!(warnings[0]["code"], "known_vulnerability");
        assert_eq!(warnings[0]["severity"], "warning");
        assert_eq!(warnings[0]["message"], ENGLISH);
    }
    let of_deployment = client.send(Method::GET, &path, &french, Vec::new()).expect(200).json();
    let of_version =
        client.send(Method::GET, "/functions/bolted", &french, Vec::new()).expect(200).json();
    for warnings in [of_stage(&of_deployment), &of_version["warnings"]] {
        assert_eq!(warnings[0]["message"], FRENCH);
    }

    // A later advisory is seen without a restart; the version, which never
    // changes, keeps what was known when it was published.
    put_advisory(&advisories, "PYSEC-2026-2", "bolts");
    let same = deploy(&client, &archive());
    assert_eq!(same["version"], deployed["version"]);
    let told = of_stage(&same).as_array().unwrap();
    let said = |fault: &Value| fault["message"].as_str().unwrap()[..10].to_owned();
    assert_eq!(told.iter().map(said).collect::<Vec<_>>(), ["bolts 1.0 ", "some-lib 1"]);
    let kept = client.get("/functions/bolted").expect(200).json();
    assert_eq!(kept["warnings"].as_array().map(Vec::len), Some(1));

    // Advisories that went away refuse no deployment.
    std::fs::remove_dir_all(&advisories).unwrap();
    let again = deploy(&client, &archive());
    assert_eq!(of_stage(&again).as_array().map(Vec::len), Some(2));
    says(&server, "the advisories read before go on to count");
}

#[test]
fn a_test_without_a_server_warns_too() {
    let home = tempfile::tempdir().unwrap();
    let (advisories, code) = (home.path().join("advisories"), home.path().join("bolted"));
    for folder in [&advisories, &code] {
        std::fs::create_dir(folder).unwrap();
    }
    put_advisory(&advisories, "PYSEC-2026-1", "some-lib");
    archive().write_to(&code).unwrap();
    let index = index();
    let (url, path) = (index.url(), std::env::var_os("PATH").unwrap().into_string().unwrap());
    let uv = test_support::tools::uv().display().to_string();
    let data = home.path().join("data").display().to_string();
    let variables = [
        ("PATH", path.as_str()),
        ("MECAPY_UV", uv.as_str()),
        ("MECAPY_DATA", data.as_str()),
        ("MECAPY_INDEX_URL", url.as_str()),
        ("MECAPY_ADVISORIES", "advisories"),
    ];
    for (lang, expected) in [("en", ENGLISH), ("fr", FRENCH)] {
        let called = mecapy(home.path(), &["test", "bolted", "--lang", lang], &variables);
        assert_eq!(called.code, 0, "{called:?}");
        assert!(called.out.contains(expected), "{called:?}");
    }
}

#[test]
fn without_advisories_nothing_is_said_of_packages() {
    let folder = tempfile::tempdir().unwrap();
    let index = index();
    let url = index.url();
    let server = start(&folder.path().join("data"), &[("MECAPY_INDEX_URL", url.as_str())]);
    let deployed = deploy(&server.client(), &archive());
    assert_eq!(of_stage(&deployed), &json!([]), "{deployed:#}");
}

#[test]
fn a_server_does_not_start_on_advisories_that_cant_be_used() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing");
    let uv = test_support::tools::uv().display().to_string();
    let data = home.path().join("data");
    for (lang, expected, remedy) in [
        ("en", "expected a folder or a ZIP of advisories", "remove the setting to check nothing"),
        (
            "fr",
            "attendu : un dossier ou un ZIP d'avis",
            "retirez le réglage pour ne rien contrôler",
        ),
    ] {
        let variables = [
            ("MECAPY_ADVISORIES", missing.to_str().unwrap()),
            ("MECAPY_UV", uv.as_str()),
            ("MECAPY_DATA", data.to_str().unwrap()),
        ];
        let called = mecapy(home.path(), &["up", "--port", "0", "--lang", lang], &variables);
        assert_eq!(called.code, 1, "{called:?}");
        assert!(called.err.contains("MECAPY_ADVISORIES"), "{called:?}");
        for said in [expected, remedy, missing.to_str().unwrap()] {
            assert!(called.err.contains(said), "{called:?}");
        }
    }
}
