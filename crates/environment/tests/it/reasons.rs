//! What people read when their requirements can't be installed.

use environment::{Error, Log};
use test_support::wheels::{Index, Wheel};

use crate::fixture::{Fixture, on, told};

async fn refused(fixture: &Fixture, requirements: &[&str]) -> Error {
    let environments = fixture.open().await;
    environments.lock(&on("3.12", requirements), &Log::silent()).await.unwrap_err()
}

#[tokio::test]
async fn a_version_without_a_wheel_names_those_that_would_do() {
    let error = refused(&Fixture::with_pypi(), &["numpy==1.24.0"]).await;
    assert!(error.is_the_authors());
    let (code, en, fr) = told(&error).remove(0);
    assert_eq!(code, "requirement_no_wheel");
    assert!(
        en.starts_with(
            "there is no wheel of `numpy==1.24.0` for Python 3.12; those that can be installed on \
             3.12 go from 1.26.0 to "
        ) && en.ends_with(
            ", the next one is 1.26.0; `numpy==1.24.0` can be installed with \
             `runtime.python_version` 3.9, 3.10 or 3.11"
        ),
        "{en}"
    );
    assert!(
        fr.starts_with(
            "il n'y a pas de wheel de `numpy==1.24.0` pour Python 3.12 ; celles installables sur \
             3.12 vont de 1.26.0 à "
        ) && fr.ends_with(
            ", la suivante est 1.26.0 ; `numpy==1.24.0` est installable avec \
             `runtime.python_version` 3.9, 3.10 ou 3.11"
        ),
        "{fr}"
    );
}

#[tokio::test]
async fn every_requirement_at_fault_is_reported_with_its_position() {
    let requirements = ["six", "docopt", "numpy==99.0", "mecapy-no-such-package", "math"];
    let error = refused(&Fixture::with_pypi(), &requirements).await;
    let Error::Requirements { problems } = &error else { panic!("{error:?}") };
    let positions: Vec<_> = problems.iter().map(|problem| problem.requirement).collect();
    assert_eq!(positions, [Some(1), Some(2), Some(3), Some(4)]);
    let told = told(&error);
    assert_eq!(
        told[0],
        (
            "requirement_source_only".to_owned(),
            "`docopt` is published as source code only, and only wheels are installed, as \
             building from source would run its code; require another package, or have a wheel \
             of it put on your own package index"
                .to_owned(),
            "`docopt` n'est publié que sous forme de sources, or seuls les wheels sont installés, \
             car construire depuis les sources exécuterait son code ; choisissez un autre paquet, \
             ou faites-en déposer un wheel sur votre index"
                .to_owned(),
        )
    );
    let (code, en, fr) = &told[1];
    assert_eq!(code, "requirement_no_version");
    assert!(en.starts_with("there is no version `numpy==99.0` on the package index; those that can be installed on 3.12 go from 1.26.0 to "), "{en}");
    assert!(fr.starts_with("il n'y a pas de version `numpy==99.0` sur l'index ; celles installables sur 3.12 vont de 1.26.0 à "), "{fr}");
    assert_eq!(
        told[2],
        (
            "requirement_unknown_package".to_owned(),
            "there is no package `mecapy-no-such-package` on the package index: check its \
             spelling; the name to install may differ from the one to import"
                .to_owned(),
            "le paquet `mecapy-no-such-package` n'existe pas sur l'index : vérifiez \
             l'orthographe ; le nom à installer peut différer de celui à importer"
                .to_owned(),
        )
    );
}

fn index() -> Index {
    Index::start(&[
        Wheel::new("core", "1.0"),
        Wheel::new("core", "2.0"),
        Wheel::new("old_app", "1.0").requires("core<2"),
        Wheel::new("new_app", "1.0").requires("core>=2"),
        Wheel::new("new_app", "0.9").requires("core"),
        Wheel::new("broken", "1.0").requires("absent>=1"),
        Wheel::new("elsewhere", "1.0").tag("cp39-cp39-manylinux_2_17_x86_64"),
        Wheel::new("windows", "1.0").tag("cp312-cp312-win_amd64"),
    ])
    .unwrap()
}

#[tokio::test]
async fn conflicting_pins_are_told_as_facts_with_what_would_do() {
    let index = index();
    let fixture = Fixture::with_index(&index);
    assert_eq!(
        told(&refused(&fixture, &["old-app==1.0", "new-app==1.0"]).await),
        [(
            "requirements_conflict".to_owned(),
            "the requirements can't be met together: you require `new-app==1.0` and \
             `old-app==1.0`; `new-app>=1.0` needs `core>=2`; `old-app` needs `core<2`; would do: `new-app==0.9` in place of `new-app==1.0`"
                .to_owned(),
            "les dépendances sont incompatibles entre elles : vous demandez `new-app==1.0` et \
             `old-app==1.0` ; `new-app>=1.0` a besoin de `core>=2` ; `old-app` a besoin de \
             `core<2` ; conviendrait : `new-app==0.9` à la place de \
             `new-app==1.0`"
                .to_owned(),
        )]
    );
    let (code, en, _) = told(&refused(&fixture, &["core<2", "core>=2"]).await).remove(0);
    assert_eq!(code, "requirements_conflict");
    assert!(en.contains("you require `core<2` and `core>=2`"), "{en}");
}

#[tokio::test]
async fn a_dependency_that_can_not_be_had_is_named() {
    let index = index();
    let (code, en, fr) = told(&refused(&Fixture::with_index(&index), &["broken"]).await).remove(0);
    assert_eq!(code, "requirement_unmet");
    assert!(
        en.starts_with("`broken` needs what can't be installed: ")
            && en.contains("there is no package `absent` on the index"),
        "{en}"
    );
    assert!(fr.contains("le paquet `absent` n'existe pas sur l'index"), "{fr}");
}

#[tokio::test]
async fn a_wheel_for_another_python_or_machine_is_not_called_a_source_package() {
    let index = index();
    let fixture = Fixture::with_index(&index);
    assert_eq!(
        told(&refused(&fixture, &["elsewhere"]).await)[0].1,
        "no version of `elsewhere` has a wheel for Python 3.12 on this machine; `elsewhere` can \
         be installed with `runtime.python_version` 3.9"
    );
    assert_eq!(
        told(&refused(&fixture, &["windows"]).await)[0].2,
        "aucune version de `windows` n'a de wheel pour Python 3.12 sur cette machine ; choisissez \
         un autre paquet"
    );
}
