//! Folders and ZIPs of advisories as an operator gives them, good and bad.

use std::io::Write as _;

use domain::Text;
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::*;

fn advisory(id: &str, package: &str, fixed: &str) -> Vec<u8> {
    json!({ "id": id, "affected": [{
        "package": { "ecosystem": "PyPI", "name": package },
        "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": fixed }] }],
    }] })
    .to_string()
    .into_bytes()
}

fn zip_of(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn locked(name: &str, version: &str) -> Locked {
    Locked { name: name.to_owned(), version: version.to_owned(), sha256: Vec::new() }
}

/// The ids that are told of version 1.0 of a package.
async fn told(advisories: &Advisories, package: &str) -> Vec<String> {
    let faults = advisories.warnings(&[locked(package, "1.0")]).await;
    let id = |fault: &Fault| {
        let (_, rest) = fault.message.en.split_once("vulnerability, ").unwrap();
        rest.split([' ', ';', ',']).next().unwrap().to_owned()
    };
    faults.iter().map(id).collect()
}

async fn refused(path: &Path) -> Text {
    refused_within(path, Bounds::default()).await
}

async fn refused_within(path: &Path, bounds: Bounds) -> Text {
    let error = Advisories::open_within(path.to_owned(), bounds).await.unwrap_err();
    assert_eq!(error.code(), "environment_advisories");
    assert!(!error.is_the_authors());
    error.text()
}

#[tokio::test]
async fn a_folder_and_a_zip_of_it_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("PYSEC-1.json", advisory("PYSEC-1", "some_lib", "2.0")),
        ("deep/er/GHSA-2.JSON", advisory("GHSA-2", "other", "1.5")),
        ("deep/broken.json", b"{".to_vec()),
        ("deep/PYSEC-9.yaml", b"id: PYSEC-9".to_vec()),
    ];
    let vulns = folder.path().join("vulns");
    std::fs::create_dir_all(vulns.join("deep/er")).unwrap();
    for (name, content) in &files {
        std::fs::write(vulns.join(name), content).unwrap();
    }
    let all = folder.path().join("all.zip");
    std::fs::write(&all, zip_of(&files)).unwrap();
    for path in [vulns, all] {
        let advisories = Advisories::open(path).await.unwrap();
        assert_eq!(told(&advisories, "some-lib").await, ["PYSEC-1"]);
        assert_eq!(told(&advisories, "other").await, ["GHSA-2"]);
        assert!(told(&advisories, "third").await.is_empty());
    }
}

#[tokio::test]
async fn no_link_below_a_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (vulns, elsewhere) = (folder.path().join("vulns"), folder.path().join("elsewhere"));
    for folder in [&vulns, &elsewhere, &vulns.join(".git")] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(vulns.join("a.json"), advisory("A-1", "a", "2")).unwrap();
    std::fs::write(vulns.join(".git/b.json"), advisory("B-1", "b", "2")).unwrap();
    std::fs::write(elsewhere.join("c.json"), advisory("C-1", "c", "2")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, vulns.join("folder")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("c.json"), vulns.join("file.json")).unwrap();
    std::os::unix::fs::symlink(&vulns, vulns.join("loop")).unwrap();
    // The path itself may be one: it is how a new copy is put in place.
    let current = folder.path().join("current");
    std::os::unix::fs::symlink(&vulns, &current).unwrap();
    let advisories = Advisories::open(current).await.unwrap();
    assert_eq!(told(&advisories, "a").await, ["A-1"]);
    assert!(told(&advisories, "b").await.is_empty());
    assert!(told(&advisories, "c").await.is_empty());
    let opened = source::open(&vulns.join("file.json"));
    assert!(opened.is_err(), "put in place of a file after it was listed");
}

#[tokio::test]
async fn a_changed_source_is_read_anew_and_a_broken_one_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all.zip");
    let put = |bytes: &[u8]| {
        let new = folder.path().join("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(&new, &all).unwrap();
    };
    put(&zip_of(&[("a.json", advisory("A-1", "a", "2"))]));
    let advisories = Advisories::open(all.clone()).await.unwrap();
    let first = advisories.0.current();
    assert!(Arc::ptr_eq(&first, &advisories.0.current()), "the same is not read twice");

    put(&zip_of(&[("a.json", advisory("A-2", "a", "2"))]));
    assert_eq!(told(&advisories, "a").await, ["A-2"]);
    // Half of a copy, none at all, one without advisories: the last good counts.
    put(&zip_of(&[("a.json", advisory("A-3", "a", "2"))])[..40]);
    assert_eq!(told(&advisories, "a").await, ["A-2"]);
    std::fs::remove_file(&all).unwrap();
    assert_eq!(told(&advisories, "a").await, ["A-2"]);
    put(&zip_of(&[]));
    assert_eq!(told(&advisories, "a").await, ["A-2"]);
    put(&zip_of(&[("a.json", advisory("A-4", "a", "2"))]));
    assert_eq!(told(&advisories, "a").await, ["A-4"]);
}

#[tokio::test]
async fn a_file_changed_deep_in_a_folder_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("2024/a.json");
    std::fs::create_dir(folder.path().join("2024")).unwrap();
    std::fs::write(&file, advisory("A-1", "a", "2")).unwrap();
    let advisories = Advisories::open(folder.path().to_owned()).await.unwrap();
    // Written in place: no folder's modification time changes.
    std::fs::write(&file, advisory("A-10", "a", "2")).unwrap();
    assert_eq!(told(&advisories, "a").await, ["A-10"]);
    std::fs::write(folder.path().join("2024/b.json"), advisory("B-1", "b", "2")).unwrap();
    assert_eq!(told(&advisories, "b").await, ["B-1"]);
}

#[tokio::test]
async fn entries_that_lead_out_of_a_zip_are_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all.zip");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, id) in [("../../up.json", "A-1"), ("/root.json", "A-2"), ("a.json", "A-3")] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&advisory(id, "a", "2")).unwrap();
    }
    zip.add_symlink("link.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    std::fs::write(&all, zip.finish().unwrap().into_inner()).unwrap();
    let advisories = Advisories::open(all).await.unwrap();
    // What an absolute path leads out of depends on who reads it; here it is
    // only a name, and nothing is ever opened by one.
    let told = told(&advisories, "a").await;
    assert!(told.contains(&"A-3".to_owned()) && !told.contains(&"A-1".to_owned()), "{told:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is written: {left:?}");
}

#[tokio::test]
async fn a_bomb_is_refused_and_a_large_file_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all.zip");
    let zeros = vec![b' '; 1 << 20];
    let good = ("a.json", advisory("A-1", "a", "2"));
    let bounds = Bounds { file_bytes: 4096, total_bytes: 3 << 20, ..Bounds::default() };
    std::fs::write(&all, zip_of(&[("large.json", zeros.clone()), good.clone()])).unwrap();
    let advisories = Advisories::open_within(all.clone(), bounds).await.unwrap();
    assert_eq!(told(&advisories, "a").await, ["A-1"]);

    let names: Vec<String> = (0..4).map(|number| format!("{number}.json")).collect();
    let bomb: Vec<_> = names.iter().map(|name| (name.as_str(), zeros.clone())).collect();
    let packed = zip_of(&bomb);
    assert!(packed.len() < 10_000);
    std::fs::write(&all, packed).unwrap();
    let bounds = Bounds { file_bytes: 2 << 20, total_bytes: 3 << 20, ..Bounds::default() };
    let text = refused_within(&all, bounds).await;
    assert!(text.en.contains("holds more than 3 MiB; keep only PyPI's"), "{}", text.en);
    assert!(text.fr.contains("contient plus de 3 Mio ; n'y gardez que"), "{}", text.fr);
    let text = refused_within(&all, Bounds { zip_bytes: 100, ..bounds }).await;
    assert!(text.en.contains("holds more than"), "{}", text.en);
    let text = refused_within(&all, Bounds { files: 3, ..bounds }).await;
    assert!(text.en.contains("has more than 3 files"), "{}", text.en);
    let text = refused_within(folder.path(), Bounds { files: 0, ..bounds }).await;
    assert!(text.fr.contains("a plus de 0 fichiers"), "{}", text.fr);
}

#[tokio::test]
async fn what_cant_be_used_says_what_was_expected_and_found_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("advisories");
    let shown = path.display();
    let text = refused(&path).await;
    assert_eq!(
        text.en,
        format!(
            "MECAPY_ADVISORIES: expected a folder or a ZIP of advisories in the OSV format, found \
             that {shown} can't be read (No such file or directory (os error 2)); correct the path \
             or its permissions, or remove the setting to check nothing"
        )
    );
    assert!(text.fr.starts_with("MECAPY_ADVISORIES : attendu : un dossier ou un ZIP d'avis"));
    assert!(text.fr.contains(&format!("trouvé : {shown} est illisible (")), "{}", text.fr);

    std::fs::write(&path, "not a ZIP").unwrap();
    let text = refused(&path).await;
    assert!(text.en.contains("is no ZIP or a damaged one ("), "{}", text.en);
    assert!(text.en.contains("); fetch it again, or remove the setting"), "{}", text.en);
    assert!(text.fr.contains("récupérez-le à nouveau"), "{}", text.fr);

    let npm = json!({ "id": "A-1", "affected": [
        { "package": { "ecosystem": "npm", "name": "a" }, "versions": ["1"] },
    ] });
    let files = [("a.json", npm.to_string().into_bytes()), ("b.json", b"[]".to_vec())];
    std::fs::write(&path, zip_of(&files)).unwrap();
    let text = refused(&path).await;
    assert!(
        text.en.contains(
            "has 2 files `*.json`, 1 of them no readable advisories, and none is about a package \
             of PyPI; fetch PyPI's `all.zip` from osv.dev"
        ),
        "{}",
        text.en
    );
    assert!(text.fr.contains("aucun ne porte sur un paquet de PyPI"), "{}", text.fr);

    let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let text = source::within(Path::new("2024/x"), error).text(&path);
    assert!(text.en.contains("can't be read (2024/x: permission denied)"), "{}", text.en);

    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(refused(&empty).await.en.contains("has 0 files `*.json`"));
    let text = refused(Path::new("/dev/null")).await;
    assert!(text.en.contains("/dev/null is neither a folder nor a file"), "{}", text.en);
    assert!(text.fr.contains("n'est ni un dossier ni un fichier"), "{}", text.fr);
}
