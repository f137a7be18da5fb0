//! The settings pages of the documentation are those that the table gives.

use domain::Lang;

const REMEDY: &str = "write it anew with `cargo xtask generate`";

#[test]
fn the_english_page_is_up_to_date() {
    assert_eq!(
        include_str!("../../../../docs/settings.md"),
        mecapy::settings::page(Lang::En),
        "{REMEDY}"
    );
}

#[test]
fn the_french_page_is_up_to_date() {
    assert_eq!(
        include_str!("../../../../docs/fr/settings.md"),
        mecapy::settings::page(Lang::Fr),
        "{REMEDY}"
    );
}
