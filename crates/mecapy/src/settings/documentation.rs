//! The settings page of the documentation, written from the table.

use std::fmt::Write;

use domain::Lang;

use super::table::{Default, SETTINGS};
use super::value::expected;

/// `docs/settings.md` or, in French, `docs/fr/settings.md`.
#[must_use]
pub fn page(lang: Lang) -> String {
    let mut page = String::from(match lang {
        Lang::En => HEAD_EN,
        Lang::Fr => HEAD_FR,
    });
    for setting in SETTINGS {
        let default = match (setting.default, lang) {
            (Default::Nothing, _) => "–".to_owned(),
            (Default::Value(text), _) => format!("`{text}`"),
            (Default::Rule(en, _), Lang::En) => en.to_owned(),
            (Default::Rule(_, fr), Lang::Fr) => fr.to_owned(),
        };
        let key = match setting.key {
            "" => "–".to_owned(),
            key => format!("`{key}`"),
        };
        let about = match lang {
            Lang::En => setting.about.0,
            Lang::Fr => setting.about.1,
        };
        let secret = match (setting.secret, lang) {
            (false, _) => "",
            (true, Lang::En) => " Never shown.",
            (true, Lang::Fr) => " Jamais affiché.",
        };
        let kind = expected(setting.kind);
        let commands = match (setting.used_by.commands(), lang) {
            ("all", Lang::Fr) => "toutes",
            (commands, _) => commands,
        };
        writeln!(
            page,
            "| `{}` | {key} | {} | {default} | {commands} | {about}{secret} |",
            setting.name,
            kind.get(lang)
        )
        .expect("writing to a String succeeds");
    }
    page
}

const HEAD_EN: &str = "\
# Settings

<!-- Written by `cargo xtask generate` from crates/mecapy/src/settings/table.rs. -->

A setting is given, in order of precedence, by an option of the command line, by an environment variable, or by a key in a TOML file. The file is the one that `--config` or `MECAPY_CONFIG` names, else `<data>/mecapy.toml`, else `/etc/mecapy/mecapy.toml`. An empty variable counts as not given. An unknown key, or an unknown variable that begins with `MECAPY_`, is an error. Relative paths in the file are taken from the file's folder.

```toml
data = \"/var/lib/mecapy\"
pythons = [\"/usr/bin/python3.11\"]

[limits]
timeout_s = 300
long_timeout_s = 86400
```

Settings without commands are names that this release knows and does not use yet; a warning says so.

| variable | key | takes | default | commands | meaning |
|---|---|---|---|---|---|
";

const HEAD_FR: &str = "\
# Réglages

<!-- Écrit par `cargo xtask generate` depuis crates/mecapy/src/settings/table.rs. -->

Un réglage est donné, par ordre de priorité, par une option de la ligne de commande, par une variable d’environnement ou par une clé d’un fichier TOML. Le fichier est celui que nomme `--config` ou `MECAPY_CONFIG`, sinon `<data>/mecapy.toml`, sinon `/etc/mecapy/mecapy.toml`. Une variable vide compte comme non donnée. Une clé inconnue, ou une variable inconnue qui commence par `MECAPY_`, est une erreur. Les chemins relatifs du fichier partent du dossier du fichier.

```toml
data = \"/var/lib/mecapy\"
pythons = [\"/usr/bin/python3.11\"]

[limits]
timeout_s = 300
long_timeout_s = 86400
```

Les réglages sans commande sont des noms que cette version connaît et n’utilise pas encore ; un avertissement le dit.

| variable | clé | valeur | par défaut | commandes | sens |
|---|---|---|---|---|---|
";
