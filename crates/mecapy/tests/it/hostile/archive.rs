//! Archives made to harm whoever opens them. The static check is off here, so
//! that it hides nothing.

mod contents;
mod packages;
mod zip;

use std::fs;

use serde_json::{Value, json};
use test_support::archive::Archive;
use ureq::http::Method;

use super::super::server::execute;
use super::Fortress;
use super::memory::memory_of;
use zip::{Entry, good, good_and, in_large_form, zip, zip_with_aliases};

/// One fault of a refusal, in both languages.
#[derive(Debug)]
struct Said {
    code: String,
    file: String,
    key: String,
    line: Option<u64>,
    en: String,
    fr: String,
}

/// Sends an archive that must be refused, and proves that nothing came of it.
fn refused(fortress: &Fortress, archive: &[u8]) -> Vec<Said> {
    let headers = [("content-type", "application/zip")];
    let path = "/functions?wait=60";
    let answer = fortress.client.send(Method::POST, path, &headers, archive.to_vec());
    let english = answer.expect(422).json();
    assert_eq!(english["code"], "deployment_failed", "{english:#}");
    fortress.stands();
    let path = format!("/deployments/{}", english["deployment_id"].as_str().unwrap());
    let french = fortress.client.send(Method::GET, &path, &[("accept-language", "fr")], Vec::new());
    let french = french.expect(200).json();
    assert_eq!(french["status"], "failed");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs =
        english["faults"].as_array().unwrap().iter().zip(french["faults"].as_array().unwrap());
    pairs
        .map(|(en, fr)| Said {
            code: text(&en["code"]),
            file: text(&en["file"]),
            key: text(&en["key"]),
            line: en["line"].as_u64(),
            en: text(&en["message"]),
            fr: text(&fr["message"]),
        })
        .collect()
}

/// The only fault of an archive, which has this code.
fn only(fortress: &Fortress, archive: &[u8], code: &str) -> Said {
    let mut faults = refused(fortress, archive);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let said = faults.remove(0);
    assert_eq!(said.code, code, "{said:#?}");
    assert!(!said.en.is_empty() && !said.fr.is_empty() && said.en != said.fr, "{said:#?}");
    said
}

#[test]
fn an_entry_above_the_archive_is_refused() {
    let fortress = Fortress::new();
    for (name, shown) in [
        ("../evil.py", "../evil.py"),
        ("data/../../evil.py", "data/../../evil.py"),
        ("..\\evil.py", "..\\\\evil.py"),
    ] {
        let said = only(&fortress, &good_and(Entry::new(name, "x")), "archive_bad_path");
        assert_eq!(said.file, shown);
        assert!(said.en.starts_with(&format!("expected a plain relative path, found \"{shown}\"")));
        assert!(said.en.ends_with(". Rename the file, or leave it out"), "{}", said.en);
    }
    let said = only(&fortress, &good_and(Entry::new("../evil.py", "x")), "archive_bad_path");
    assert_eq!(
        said.fr,
        "un chemin relatif simple est attendu, trouvé « ../evil.py », qui sort de l’archive par \
         `..`. Renommez le fichier, ou retirez-le"
    );
    assert!(!fortress.folder().join("data/evil.py").exists());
}

#[test]
fn an_absolute_path_is_refused() {
    let fortress = Fortress::new();
    let outside = fortress.folder().join("outside.txt");
    for name in [outside.to_str().unwrap(), "C:/outside.txt", "//host/share"] {
        let said = only(&fortress, &good_and(Entry::new(name, "x")), "archive_bad_path");
        assert!(said.en.contains(", which is absolute. Rename the file"), "{}", said.en);
        assert!(said.fr.contains(", qui est absolu. Renommez le fichier"), "{}", said.fr);
    }
    assert!(!outside.exists());
}

#[test]
fn a_symbolic_link_is_refused_and_nothing_is_written_through_it() {
    let fortress = Fortress::new();
    let outside = fortress.folder().join("outside");
    fs::create_dir(&outside).unwrap();
    let link = Entry::new("data", outside.to_str().unwrap()).mode(0o120_777);
    let through = Entry::new("data/evil.txt", "x");
    let said = only(&fortress, &zip(&[good(), vec![link, through]].concat()), "archive_symlink");
    assert_eq!(said.en, "`data` is a symbolic link; put the file itself in its place");
    assert_eq!(said.fr, "`data` est un lien symbolique ; mettez le fichier lui-même à sa place");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // The link that a later entry of the same name replaces is one, too.
    let link = Entry::new("data", outside.to_str().unwrap()).mode(0o120_777);
    let twice = zip(&[good(), vec![link, Entry::new("data", "x")]].concat());
    assert!(refused(&fortress, &twice).iter().any(|said| said.code == "archive_duplicate"));
    for (kind, what) in [(0o020_000, "device"), (0o060_000, "device"), (0o010_000, "pipe")] {
        let special = good_and(Entry::new("data", "").mode(kind | 0o644));
        let said = only(&fortress, &special, "archive_special_file");
        assert!(said.en.contains(what) && said.en.contains("only regular files"), "{}", said.en);
    }
}

#[test]
fn a_bomb_of_10_gb_in_100_kb_takes_no_memory() {
    let fortress = Fortress::new();
    // A single entry can inflate a thousandfold and no more.
    let single = good_and(Entry::zeros("zeros.bin", 6));
    // A hundred entries that share its bytes make the rest.
    let shared = zip_with_aliases(&[good(), vec![Entry::zeros("zeros.bin", 6)]].concat(), 0..101);
    for (bomb, code, expected, action) in [
        (&single, "archive_ratio", "200-fold", "Leave out what is mostly empty"),
        (&shared, "archive_overlap", "share the same bytes", "Make the ZIP anew"),
    ] {
        assert!((90_000..115_000).contains(&bomb.len()), "{}", bomb.len());
        let taken = memory_of(&fortress, || {
            let said = only(&fortress, bomb, code);
            assert!(said.en.contains(expected) && said.en.ends_with(action), "{}", said.en);
        });
        assert!(taken < 64 << 10, "{code}: {taken} KiB");
    }
}

#[test]
fn a_bomb_of_10_gb_ends_at_the_operators_limit() {
    let fortress = Fortress::with(&[("MECAPY_ARCHIVE_INFLATED_BYTES_MAX", "33554432")]);
    let zeros = Entry::zeros("0", 127);
    let entries = (0..5).map(|number| Entry { name: vec![b'0' + number], ..zeros.clone() });
    let bomb = zip(&[good(), entries.collect()].concat());
    let taken = memory_of(&fortress, || {
        let said = only(&fortress, &bomb, "archive_too_large");
        assert!(said.en.contains("33554432 bytes once inflated"), "{}", said.en);
        assert!(said.en.ends_with("Pass large data as an input file instead"), "{}", said.en);
        assert!(said.fr.contains("33554432 octets une fois décompressés"), "{}", said.fr);
    });
    assert!(taken < 160 << 10, "{taken} KiB, of which the upload took up to three times its size");
}

#[test]
fn a_nested_bomb_stays_packed() {
    let fortress = Fortress::new();
    let inner = zip(&[Entry::zeros("zeros.bin", 64)]);
    let handler = "import os\n\ndef calculate(inputs):\n    here = os.path.dirname(__file__)\n    \
                   return {'size': os.path.getsize(os.path.join(here, 'inner.zip'))}\n";
    let archive = Archive::new("nested", handler).file("inner.zip", inner.clone());
    let taken = memory_of(&fortress, || fortress.deploy(&archive));
    assert!(taken < 64 << 10, "{taken} KiB");
    assert_eq!(fortress.result("nested", &json!({})), json!({ "size": inner.len() }));
}

#[test]
fn a_million_entries_are_counted_and_not_read() {
    let fortress = Fortress::new();
    let million = zip_with_aliases(&[Entry::new("file", "")], 0..1_000_000);
    for bytes in [&million, &in_large_form(&million)] {
        let began = std::time::Instant::now();
        let taken = memory_of(&fortress, || {
            let said = only(&fortress, bytes, "archive_too_many_entries");
            assert!(said.en.contains("entries, the limit is 10000"), "{}", said.en);
            assert!(said.en.contains("Leave out environments, caches"), "{}", said.en);
            assert!(said.fr.contains("la limite est de 10000"), "{}", said.fr);
        });
        assert!(taken < 200 << 10, "{taken} KiB, of which the upload took up to three times 50 MB");
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }
}

#[test]
fn duplicate_names_are_refused() {
    let fortress = Fortress::new();
    let evil = good_and(Entry::new("handler.py", "evil"));
    let said = only(&fortress, &evil, "archive_duplicate");
    assert_eq!(
        said.en,
        "the archive holds `handler.py` twice; each path may stand once. Make the ZIP anew from \
         the folder"
    );
    assert!(said.fr.contains("contient deux fois `handler.py`"), "{}", said.fr);
}

#[test]
fn overlapping_entries_are_refused() {
    let fortress = Fortress::new();
    let overlapping = zip_with_aliases(&[good(), vec![Entry::new("data", "x")]].concat(), 0..1);
    let said = only(&fortress, &overlapping, "archive_overlap");
    assert!(said.en.starts_with("entries of the ZIP share the same bytes"), "{}", said.en);
    assert!(said.fr.starts_with("des entrées du ZIP partagent les mêmes octets"), "{}", said.fr);
}

#[test]
fn an_encrypted_entry_is_refused() {
    let fortress = Fortress::new();
    let mut secret = Entry::new("secret.txt", "x");
    secret.flags |= 1;
    let said = only(&fortress, &good_and(secret), "archive_encrypted");
    assert_eq!(said.en, "`secret.txt` is encrypted; make the ZIP without a password");
    assert_eq!(said.fr, "`secret.txt` est chiffré ; faites le ZIP sans mot de passe");
    assert_eq!(said.file, "secret.txt");
}

#[test]
fn a_wrong_checksum_is_refused() {
    let fortress = Fortress::new();
    let mut wrong = Entry::deflated("data.csv", "1;2;3\n".repeat(1000));
    wrong.crc ^= 1;
    let said = only(&fortress, &good_and(wrong), "archive_damaged");
    assert!(said.en.starts_with("`data.csv` is damaged: its content does not match its checksum"));
    assert!(said.en.ends_with("Make the ZIP anew") && said.fr.ends_with("Refaites le ZIP"));
}

#[test]
fn names_with_nul_or_controls_of_direction_are_refused() {
    let fortress = Fortress::new();
    for (name, shown, why) in [
        ("a\0b.py", "a\\0b.py", "holds a NUL character"),
        ("gnp\u{202E}yp.exe", "gnp\\u{202e}yp.exe", "holds a control of writing direction"),
        ("a\r\nb", "a\\r\\nb", "holds a control character"),
        ("a\u{1b}[2Jb", "a\\u{1b}[2Jb", "holds a control character"),
    ] {
        let said = only(&fortress, &good_and(Entry::new(name, "x")), "archive_bad_path");
        assert_eq!(said.file, shown, "a fault's place is safe to show");
        assert!(said.en.contains(why), "{}", said.en);
        let is_plain = |text: &str| !text.chars().any(|c| c.is_control() || c == '\u{202E}');
        assert!(is_plain(&said.en) && is_plain(&said.fr), "{said:?}");
    }
}

#[test]
fn a_directory_that_lies_about_sizes_is_refused() {
    let fortress = Fortress::new();
    let table = || Entry::deflated("table.csv", "1;2;3\n".repeat(1000));
    for lie in [table().size(0), table().size(10), table().size(6001), table().size(u32::MAX - 1)] {
        let stated = lie.size;
        let taken = memory_of(&fortress, || {
            let said = only(&fortress, &good_and(lie), "archive_damaged");
            assert_eq!(said.file, "table.csv");
            assert!(said.en.ends_with("Make the ZIP anew"), "{}", said.en);
            if stated > 6000 {
                let states = format!("the ZIP states that `table.csv` has {stated} bytes, and it");
                assert!(said.en.starts_with(&states), "{}", said.en);
                assert!(said.fr.starts_with(&format!("le ZIP annonce {stated} octets")));
            }
        });
        assert!(taken < 64 << 10, "{taken} KiB for {stated} stated bytes");
    }
}

#[test]
fn what_is_no_zip_or_half_of_one_is_refused() {
    let fortress = Fortress::new();
    let whole = zip(&good());
    for bytes in [b"".as_slice(), b"<html>", &whole[..whole.len() / 2], &whole[..whole.len() - 9]] {
        let said = only(&fortress, bytes, "archive_unreadable");
        assert!(said.en.starts_with("expected a ZIP archive, found something else or a damaged"));
        assert!(said.en.ends_with("for example with `mecapy deploy DIR`"), "{}", said.en);
        assert!(said.fr.starts_with("une archive ZIP est attendue"), "{}", said.fr);
    }
}

#[test]
fn an_archive_beyond_the_limit_is_refused_in_words_that_reach_the_caller() {
    let fortress = Fortress::with(&[("MECAPY_ARCHIVE_BYTES_MAX", "100000")]);
    for bytes in [100_001, 20 << 20] {
        for (language, detail) in [
            ("en", "The archive is larger than 100000 bytes, which is the limit here."),
            ("fr", "L'archive dépasse 100000 octets, la limite ici."),
        ] {
            let headers = [("content-type", "application/zip"), ("accept-language", language)];
            let answer =
                fortress.client.send(Method::POST, "/functions", &headers, vec![b'P'; bytes]);
            let problem = answer.expect(413).json();
            assert_eq!(problem["code"], "payload_too_large");
            assert_eq!(problem["detail"], detail);
        }
    }
    fortress.stands();
    let handler = "def calculate(inputs):\n    return {}\n";
    fortress.deploy(&Archive::new("small", handler));
    assert_eq!(
        execute(&fortress.client, "small", &json!({})).expect(200).json()["result"],
        json!({})
    );
}

#[test]
fn ten_thousand_faults_are_a_hundred_and_a_count() {
    let fortress = Fortress::new();
    let evil = (0..9990).map(|number| Entry::new(format!("../{number}"), ""));
    let faults = refused(&fortress, &zip(&[good(), evil.collect()].concat()));
    assert_eq!(faults.len(), 101);
    assert!(faults[..100].iter().all(|said| said.code == "archive_bad_path"));
    assert_eq!(faults[100].code, "archive_more_faults");
    assert_eq!(faults[100].en, "9890 further faults are not listed; mend these first");
    assert_eq!(
        faults[100].fr,
        "9890 autres erreurs ne sont pas listées ; corrigez d’abord celles-ci"
    );
}
