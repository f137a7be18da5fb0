//! Archives that mean harm; each of these is a defence of its own.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use domain::limits::Limits;
use package::{Policy, read};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::{HANDLER, MANIFEST, codes, faults, lines, with_schema};

fn refused(zip: &[u8], limits: &Limits) -> Vec<String> {
    let faults = read(zip, limits, Policy::DenyList).unwrap_err().faults;
    assert!(
        faults.iter().all(|fault| !fault.message.en.is_empty() && !fault.message.fr.is_empty())
    );
    let mut codes: Vec<String> = faults.into_iter().map(|fault| fault.code).collect();
    codes.dedup();
    codes
}

/// A good archive with one more entry.
fn with_entry(name: &str, content: &[u8], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default();
    for (path, text) in [("mecapy.yaml", MANIFEST), ("handler.py", HANDLER)] {
        writer.start_file(path, plain).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.start_file(name, options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

fn stored(name: &str, content: &[u8]) -> Vec<u8> {
    with_entry(
        name,
        content,
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
    )
}

/// Replaces every occurrence, of equal length.
fn patched(mut zip: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for at in 0..=zip.len() - from.len() {
        if zip[at..].starts_with(from) {
            zip[at..at + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "nothing to patch");
    zip
}

#[test]
fn paths_that_leave_the_archive_are_refused() {
    for (written, hostile) in [
        ("xx/evil.txt", "../evil.txt"),
        ("a/xx/xx/evil.txt", "a/../../evil.txt"),
        ("xetc/cron.d/evil", "/etc/cron.d/evil"),
        ("xxwindows", "C:windows"),
        ("a.x.x.evil.txt", "a\\..\\evil.tx"),
        ("a_txt", "a\0txt"),
        ("invoice_gnp.exe", "invoice\u{202E}p.exe"),
        ("a_b", "a\nb"),
        ("a/x/b", "a/./b"),
    ] {
        let from = &written.as_bytes()[..hostile.len().min(written.len())];
        let zip = if from.len() == hostile.len() {
            patched(stored(written, b"x"), from, hostile.as_bytes())
        } else {
            stored(hostile, b"x")
        };
        assert_eq!(refused(&zip, &Limits::default()), ["archive_bad_path"], "{hostile:?}");
    }
}

#[test]
fn a_symbolic_link_is_refused_before_anything_is_written_through_it() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("data", "/etc", SimpleFileOptions::default()).unwrap();
    writer.start_file("data/passwd", SimpleFileOptions::default()).unwrap();
    let zip = writer.finish().unwrap().into_inner();
    assert_eq!(refused(&zip, &Limits::default()), ["archive_symlink"]);
}

#[test]
fn devices_and_pipes_are_refused() {
    for kind in [0o020_000_u32, 0o060_000, 0o010_000, 0o140_000] {
        let zip = stored("evil", b"");
        // The upper half of the external attributes is the Unix mode.
        let central = zip.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
        let mut zip = zip;
        zip[central + 5] = 3;
        zip[central + 38..central + 42].copy_from_slice(&((kind | 0o644) << 16).to_le_bytes());
        assert_eq!(refused(&zip, &Limits::default()), ["archive_special_file"], "{kind:o}");
    }
}

#[test]
fn a_bomb_ends_at_the_limit_of_real_bytes() {
    let zeros = vec![0_u8; 64 << 20];
    let zip = with_entry("zeros.bin", &zeros, SimpleFileOptions::default());
    assert!(zip.len() < 100_000);
    assert_eq!(refused(&zip, &Limits::default()), ["archive_ratio"]);
    let small = Limits { archive_inflated_bytes: 1 << 20, ..Limits::default() };
    assert_eq!(refused(&zip, &small), ["archive_too_large"]);
    // The size that the archive states of itself is a lie.
    let lying = patched(zip, &(64_u32 << 20).to_le_bytes(), &1000_u32.to_le_bytes());
    assert_eq!(refused(&lying, &small).len(), 1);
}

#[test]
fn a_nested_bomb_stays_packed() {
    let inner = with_entry("zeros.bin", &vec![0_u8; 8 << 20], SimpleFileOptions::default());
    let zip = with_entry("inner.zip", &inner, SimpleFileOptions::default());
    let package = read(&zip, &Limits::default(), Policy::DenyList).unwrap();
    let file = package.files.iter().find(|file| file.path == "inner.zip").unwrap();
    assert_eq!(file.content, inner);
}

#[test]
fn entries_are_counted_before_they_are_read() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for index in 0..101 {
        writer.start_file(format!("f{index}"), options).unwrap();
    }
    let zip = writer.finish().unwrap().into_inner();
    let limits = Limits { archive_entries: 100, ..Limits::default() };
    assert_eq!(refused(&zip, &limits), ["archive_too_many_entries"]);
    // A count of zero in the end record hides no entry.
    let mut hidden = zip;
    let end = hidden.len() - 22;
    hidden[end + 8..end + 12].fill(0);
    assert_eq!(refused(&hidden, &limits), ["archive_too_many_entries"]);
}

#[test]
fn names_that_stand_twice_are_refused() {
    let zip = patched(stored("handlex.py", b"evil"), b"handlex.py", b"handler.py");
    let faults = read(&zip, &Limits::default(), Policy::DenyList).unwrap_err().faults;
    assert_eq!(
        lines(&faults),
        [
            "handler.py: the archive holds `handler.py` twice; each path may stand once. Make the ZIP anew from the folder"
        ]
    );
}

#[test]
fn overlapping_entries_are_refused() {
    let mut zip = stored("data.bin", b"0123456789");
    let entries: Vec<usize> =
        (0..zip.len() - 4).filter(|at| zip[*at..].starts_with(b"PK\x01\x02")).collect();
    // The third entry now begins where the second does.
    let offset: [u8; 4] = zip[entries[1] + 42..entries[1] + 46].try_into().unwrap();
    zip[entries[2] + 42..entries[2] + 46].copy_from_slice(&offset);
    assert_eq!(refused(&zip, &Limits::default()), ["archive_overlap"]);
}

#[test]
fn an_encrypted_entry_is_refused() {
    let mut zip = stored("secret.txt", b"x");
    for (signature, flags) in [(b"PK\x01\x02", 8), (b"PK\x03\x04", 6)] {
        let at = zip.windows(4).rposition(|four| four == signature).unwrap();
        zip[at + flags] |= 1;
    }
    assert_eq!(refused(&zip, &Limits::default()), ["archive_encrypted"]);
}

#[test]
fn a_wrong_checksum_is_refused() {
    let zip = patched(stored("data.txt", b"one two three"), b"one two three", b"one two threx");
    let faults = read(&zip, &Limits::default(), Policy::DenyList).unwrap_err().faults;
    assert_eq!(codes(&faults), ["archive_damaged"]);
    assert!(lines(&faults)[0].starts_with("data.txt: `data.txt` is damaged"));
}

#[test]
fn local_and_central_names_must_agree() {
    let mut zip = stored("data.txt", b"x");
    let local = zip.windows(8).position(|eight| eight == b"data.txt").unwrap();
    zip[local..local + 8].copy_from_slice(b"evil.txt");
    assert_eq!(refused(&zip, &Limits::default()), ["archive_unreadable"]);
}

#[test]
fn what_is_no_zip_or_too_large_is_refused() {
    assert_eq!(refused(b"", &Limits::default()), ["archive_unreadable"]);
    assert_eq!(refused(b"<html>", &Limits::default()), ["archive_unreadable"]);
    let limits = Limits { archive_bytes: 10, ..Limits::default() };
    assert_eq!(refused(&stored("a", b"b"), &limits), ["archive_too_large"]);
}

#[test]
fn an_anchor_bomb_is_counted_and_not_expanded() {
    let mut yaml = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        yaml.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
    }
    let started = Instant::now();
    let faults = faults(&[("mecapy.yaml", &yaml)]);
    assert_eq!(codes(&faults), ["manifest_too_large"]);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_manifest_of_100_mb_is_refused_unread() {
    let yaml = "# comment\n".repeat(10 << 20);
    let started = Instant::now();
    assert_eq!(codes(&faults(&[("mecapy.yaml", &yaml)])), ["manifest_too_large"]);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn yaml_nested_without_end_is_refused() {
    for yaml in ["[".repeat(100_000), "- ".repeat(100_000), "a: {".repeat(5000)] {
        let faults = faults(&[("mecapy.yaml", &yaml)]);
        assert!(faults.iter().all(|fault| fault.code.starts_with("manifest_")), "{faults:?}");
    }
    let toml = format!("a = {}", "[".repeat(100_000));
    let files = vec![
        ("pyproject.toml".to_owned(), toml.into_bytes()),
        ("handler.py".to_owned(), HANDLER.into()),
    ];
    assert!(package::read_dir(files, &Limits::default(), Policy::DenyList).is_err());
}

#[test]
fn an_alias_inside_its_own_anchor_is_refused() {
    assert_eq!(codes(&faults(&[("mecapy.yaml", "a: &a [*a]\n")])), ["manifest_syntax"]);
}

#[test]
fn a_schema_10_000_levels_deep_is_refused_wherever_it_comes_from() {
    let deep = "{\"allOf\":[".repeat(10_000) + &"]}".repeat(10_000);
    let found = faults(&[("mecapy.yaml", &with_schema(&deep))]);
    assert!(
        codes(&found).iter().all(|code| matches!(*code, "manifest_too_large" | "manifest_syntax"))
    );
    let mut schema = serde_json::json!({});
    for _ in 0..100 {
        schema = serde_json::json!({"allOf": [schema]});
    }
    let faults = package::Schemas::compile(&schema, None).unwrap_err();
    assert_eq!(codes(&faults), ["schema_too_complex"]);
}

#[test]
fn references_to_urls_and_files_are_never_followed() {
    for reference in [
        "http://127.0.0.1:9/schema.json",
        "https://example.org/s",
        "file:///etc/passwd",
        "other.json",
        "//host/share",
        "urn:uuid:0",
    ] {
        let schema = with_schema(&format!("{{$ref: \"{reference}\"}}"));
        assert_eq!(codes(&faults(&[("mecapy.yaml", &schema)])), ["schema_ref"], "{reference}");
    }
}

#[test]
fn a_catastrophic_pattern_costs_nothing() {
    let schema = serde_json::json!({"properties": {"a": {"pattern": "^(a+)+$"}}});
    let schemas = package::Schemas::compile(&schema, None).unwrap();
    let inputs = format!("{{\"a\": \"{}!\"}}", "a".repeat(100_000));
    let started = Instant::now();
    assert!(schemas.check_inputs(inputs.as_bytes()).is_err());
    assert!(started.elapsed() < Duration::from_secs(2));
    let backtracking = with_schema(r#"{properties: {a: {pattern: "(a)\\1"}}}"#);
    assert_eq!(codes(&faults(&[("mecapy.yaml", &backtracking)])), ["schema_pattern"]);
    let huge = with_schema(r#"{properties: {a: {pattern: "(((a{100}){100}){100}){100}"}}}"#);
    assert_eq!(codes(&faults(&[("mecapy.yaml", &huge)])), ["schema_pattern"]);
}

#[test]
fn requirements_come_from_the_index_only() {
    for requirement in [
        "numpy @ https://example.org/numpy.whl",
        "https://example.org/numpy.whl",
        "./numpy.whl",
        "/tmp/numpy",
        "../numpy",
        "git+https://example.org/numpy.git",
        "-e .",
        "-r other.txt",
        "--index-url https://example.org",
        "numpy==1.26 --hash=sha256:00",
        "numpy @ git+https://example.org/numpy",
        "numpy @ file:///tmp/numpy.whl",
    ] {
        let faults = faults(&[("requirements.txt", requirement)]);
        assert_eq!(codes(&faults), ["requirement_source"], "{requirement}");
        assert_eq!((faults[0].line, faults[0].column), (Some(1), Some(1)));
    }
}

#[test]
fn a_requirement_reads_no_variable_of_the_server() {
    for requirement in ["numpy @ ${PATH}", "numpy@${PATH}", "numpy[a] @ x:${PATH} ; extra == 'b'"] {
        let faults = faults(&[("requirements.txt", requirement)]);
        assert_eq!(codes(&faults), ["requirement_source"], "{requirement}");
        let message = &faults[0].message;
        assert!(message.en.contains("${PATH}") && !message.en.contains("/bin"), "{message:?}");
        assert!(message.fr.contains("${PATH}") && !message.fr.contains("/bin"), "{message:?}");
    }
}

#[test]
fn names_that_end_in_punctuation_are_refused_without_a_panic() {
    for requirement in ["e-", "e- ", "e->1", "e._ ; extra == 'x'", "a[b-]", "a[b, c.]>=1", "a[b-"] {
        let faults = faults(&[("requirements.txt", requirement)]);
        assert_eq!(codes(&faults), ["requirement_invalid"], "{requirement}");
    }
}

#[test]
fn python_as_deep_as_it_is_long_overflows_no_stack() {
    for code in [
        format!("x = {}1", "-".repeat(900_000)),
        format!("x = 1{}", "+1".repeat(400_000)),
        format!("x = a{}", ".b".repeat(400_000)),
        format!("x = {}", "(".repeat(900_000)),
        format!("x = {}1", "not ".repeat(200_000)),
        format!("x = {}0", "lambda:".repeat(100_000)),
        format!("x = {}", "[".repeat(100_000) + &"]".repeat(100_000)),
        format!("x = f'{}'", "{f\"".repeat(1000)),
    ] {
        let handler = format!("{HANDLER}{code}\n");
        let found = faults(&[("handler.py", &handler)]);
        let known = ["python_too_complex", "python_syntax"];
        assert!(codes(&found).iter().all(|code| known.contains(code)), "{:?}", &code[..20]);
    }
}

#[test]
fn links_in_a_folder_that_is_left_out_do_no_harm() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    writer.add_symlink(".venv/bin/python", "/usr/bin/python3", options).unwrap();
    for (path, text) in [("mecapy.yaml", MANIFEST), ("handler.py", HANDLER)] {
        writer.start_file(path, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let zip = writer.finish().unwrap().into_inner();
    let package = read(&zip, &Limits::default(), Policy::DenyList).unwrap();
    assert_eq!(package.files.len(), 2);
}
