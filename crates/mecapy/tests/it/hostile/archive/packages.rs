//! Requirements that would run or fetch what nobody has checked.

use std::path::Path;

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::wheels::{Index, Wheel};

use super::{Said, only, refused};
use crate::hostile::Fortress;
use crate::hostile::trap::Trap;

fn requiring(packages: &[&str]) -> Vec<u8> {
    Archive::new("victim", "def calculate(inputs):\n    return {}\n").requires(packages).zip()
}

/// A server whose package index is this one.
fn fortress(index: &Index) -> Fortress {
    Fortress::with(&[("MECAPY_INDEX_URL", &index.url())])
}

fn from_elsewhere(fortress: &Fortress, requirement: &str) -> Said {
    let said = only(fortress, &requiring(&[requirement]), "requirement_source");
    assert_eq!(
        (said.file.as_str(), said.key.as_str()),
        ("mecapy.yaml", "dependencies.packages[0]")
    );
    assert!(said.line.is_some());
    let expected = "expected a package and its versions, such as `numpy>=1.26`, found";
    assert!(said.en.starts_with(&format!("{expected} `{requirement}`")), "{}", said.en);
    assert!(said.fr.contains(requirement), "{}", said.fr);
    // The same in the file that pip reads.
    let handler = "def calculate(inputs):\n    return {}\n";
    let file = Archive::new("victim", handler).file("requirements.txt", requirement);
    let of_file = only(fortress, &file.zip(), "requirement_source");
    assert_eq!((of_file.file.as_str(), of_file.line), ("requirements.txt", Some(1)));
    said
}

#[test]
fn a_requirement_by_url_is_refused_unasked() {
    let (fortress, trap) = (Fortress::new(), Trap::set());
    for requirement in [
        trap.url("evil-1.0-py3-none-any.whl"),
        format!("evil @ {}", trap.url("evil-1.0-py3-none-any.whl")),
        format!("--index-url {}", trap.url("simple")),
        format!("--extra-index-url={}", trap.url("simple")),
    ] {
        let said = from_elsewhere(&fortress, &requirement);
        assert!(
            said.en.contains("only wheels of the package index are installed")
                || said.en.contains("option"),
            "{}",
            said.en
        );
    }
    trap.untouched();
}

#[test]
fn a_requirement_by_path_is_refused() {
    let fortress = Fortress::new();
    let wheel = Wheel::new("evil", "1.0").write_into(fortress.folder()).unwrap();
    let path = wheel.to_str().unwrap();
    for requirement in
        [path, "./evil-1.0-py3-none-any.whl", "../evil", "-e .", &format!("evil @ file://{path}")]
    {
        from_elsewhere(&fortress, requirement);
    }
}

#[test]
fn a_requirement_by_git_is_refused_unasked() {
    let (fortress, trap) = (Fortress::new(), Trap::set());
    let git = format!("git+{}", trap.url("evil.git"));
    for requirement in [git.clone(), format!("evil @ {git}"), format!("-e {git}#egg=evil")] {
        from_elsewhere(&fortress, &requirement);
    }
    trap.untouched();
}

/// A source distribution whose building writes to `mark`.
fn sdist(name: &str, mark: &Path) -> Vec<u8> {
    let setup = format!(
        "open({:?}, 'w').write('run')\nfrom setuptools import setup\nsetup(name={name:?}, version='1.0')\n",
        mark.to_str().unwrap()
    );
    let info = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    let mut tar = Vec::new();
    for (file, content) in [("setup.py", setup), ("PKG-INFO", info)] {
        let mut header = [0_u8; 512];
        let path = format!("{name}-1.0/{file}");
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[108..115].copy_from_slice(b"0000000");
        header[116..123].copy_from_slice(b"0000000");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend(header);
        tar.extend(content.as_bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut gz = flate2::GzBuilder::new().read(tar.as_slice(), flate2::Compression::fast());
    let mut packed = Vec::new();
    std::io::Read::read_to_end(&mut gz, &mut packed).unwrap();
    packed
}

#[test]
fn a_package_in_source_form_only_is_refused_and_never_built() {
    let index = Index::start(&[Wheel::new("wrapper", "1.0").requires("evil")]).unwrap();
    let fortress = fortress(&index);
    let mark = fortress.folder().join("built");
    index.add_file("evil-1.0.tar.gz", sdist("evil", &mark));
    let said = only(&fortress, &requiring(&["evil"]), "requirement_source_only");
    assert!(said.en.starts_with("`evil` is published as source code only, and only wheels are"));
    assert!(
        said.en.contains("require another package, or have a wheel of it put on"),
        "{}",
        said.en
    );
    assert!(said.fr.starts_with("`evil` n'est publié que sous forme de sources"), "{}", said.fr);
    // Nor where another package brings it along.
    let said = only(&fortress, &requiring(&["wrapper"]), "requirement_unmet");
    assert!(said.en.contains("`wrapper` needs what can't be installed"), "{}", said.en);
    assert!(!mark.exists(), "its setup.py was run");
}

#[test]
fn a_package_that_does_not_exist_is_named() {
    let index = Index::start(&[Wheel::new("bolts", "1.0")]).unwrap();
    let fortress = fortress(&index);
    let faults = refused(&fortress, &requiring(&["bolts", "no-such-package"]));
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0].code, "requirement_unknown_package");
    assert!(faults[0].en.starts_with("there is no package `no-such-package` on the package index"));
    assert!(faults[0].en.contains("check its spelling"), "{}", faults[0].en);
    assert!(faults[0].fr.starts_with("le paquet `no-such-package` n'existe pas sur l'index"));
}

#[test]
fn conflicting_pins_are_told_with_both_sides() {
    let index = Index::start(&[
        Wheel::new("core", "1.0"),
        Wheel::new("core", "2.0"),
        Wheel::new("old_app", "1.0").requires("core<2"),
    ])
    .unwrap();
    let fortress = fortress(&index);
    let said = only(&fortress, &requiring(&["core==2.0", "old-app"]), "requirements_conflict");
    for part in ["can't be met together", "`core==2.0`", "`old-app` needs `core<2`"] {
        assert!(said.en.contains(part), "{part}: {}", said.en);
    }
    assert!(said.fr.starts_with("les dépendances sont incompatibles entre elles"), "{}", said.fr);
    let faults: Vec<Value> = fortress.refused(&requiring(&["core==1.0", "core==2.0"]));
    assert!(faults.iter().all(|fault| fault["severity"] == json!("error")), "{faults:#?}");
}
