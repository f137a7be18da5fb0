//! Precedence, refusals and what they say.

use std::path::Path;

use super::super::table::SETTINGS;
use super::*;

fn load<const N: usize>(variables: [(&str, &str); N]) -> Result<Settings, Refused> {
    let mut all = vec![("HOME", "/nonexistent")];
    all.extend(variables);
    let all: [(&str, &str); 8] = std::array::from_fn(|at| all.get(at).copied().unwrap_or(("", "")));
    Settings::load(&Variables::from(all), &Flags::default())
}

fn faults<const N: usize>(variables: [(&str, &str); N]) -> Vec<Text> {
    load(variables).expect_err("these settings are refused").faults
}

#[test]
fn nothing_given_is_a_local_server_that_verifies_tokens() {
    let settings = load([]).unwrap();
    assert_eq!(settings.listen().to_string(), "127.0.0.1:8000");
    assert!(settings.token_verification);
    assert_eq!(settings.environment, Environment::Production);
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.data, Path::new("/nonexistent/.local/share/mecapy"));
    assert_eq!(settings.database, Location::Sqlite(settings.data.join("mecapy.db")));
    let pool = settings.pool;
    assert_eq!((pool.connections, pool.overflow), (5, 10));
    assert_eq!((pool.patience.as_secs(), pool.age.as_secs()), (30, 1800));
    assert_eq!(settings.static_check, "deny-list");
}

#[test]
fn the_variable_port_opens_the_server_and_the_option_does_not() {
    assert_eq!(load([("PORT", "9000")]).unwrap().listen().to_string(), "0.0.0.0:9000");
    let variables = Variables::from([("PORT", "9000"), ("HOME", "/nonexistent")]);
    let flags = Flags { port: Some(7000), ..Flags::default() };
    let settings = Settings::load(&variables, &flags).unwrap();
    assert_eq!(settings.listen().to_string(), "127.0.0.1:7000");
}

#[test]
fn flags_come_before_variables_and_variables_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mecapy.toml");
    std::fs::write(&file, "data = \"kept\"\nslots = 7\nport = 1\n[limits]\npids = 64\n").unwrap();
    let variables = Variables::from([("MECAPY_SLOTS", "5"), ("HOME", "/nonexistent")]);
    let flags = Flags { config: Some(file.clone()), port: Some(3), ..Flags::default() };
    let settings = Settings::load(&variables, &flags).unwrap();
    assert_eq!((settings.port, settings.slots, settings.limits.pids), (3, Some(5), 64));
    assert_eq!(settings.data, folder.path().join("kept"));
    assert_eq!(settings.config.as_deref(), Some(file.as_path()));
}

#[test]
fn a_relative_data_folder_means_the_same_to_every_process() {
    let flags = Flags { data: Some("kept/here".into()), ..Flags::default() };
    let settings = Settings::load(&Variables::default(), &flags).unwrap();
    assert!(settings.data.is_absolute() && settings.data.ends_with("kept/here"));
}

#[test]
fn every_fault_of_every_source_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.toml");
    std::fs::write(&file, "slots = 0\n\nofline = true\n[limits]\npids = \"many\"\n").unwrap();
    let variables = Variables::from([("MECAPY_TOKN", "x"), ("LOG_LEVEL", "loud")]);
    let flags = Flags { config: Some(file), ..Flags::default() };
    let faults = Settings::load(&variables, &flags).unwrap_err().faults;
    let english: String = faults.iter().map(|fault| format!("{}\n", fault.en)).collect();
    for part in [
        "the environment variable MECAPY_TOKN is no setting; did you mean MECAPY_TOKEN?",
        "m.toml:3: `ofline` is no setting; did you mean `offline`?",
        "m.toml:1 `slots`: expected a whole number from 1 to 4096, found \"0\"",
        "m.toml:5 `limits.pids`: expected a whole number from 8 to 4194304, found \"many\"",
        "the environment variable LOG_LEVEL: expected one of error, warn, info, debug, trace, found \"loud\"",
    ] {
        assert!(english.contains(part), "{part}\nin\n{english}");
    }
    assert_eq!(faults.len(), 5, "{english}");
    let french: String = faults.iter().map(|fault| format!("{}\n", fault.fr)).collect();
    assert!(french.contains("vouliez-vous dire MECAPY_TOKEN ?"), "{french}");
}

#[test]
fn a_file_that_is_no_toml_names_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.toml");
    std::fs::write(&file, "slots = 2\nport = = 3\n").unwrap();
    let flags = Flags { config: Some(file), ..Flags::default() };
    let faults = Settings::load(&Variables::default(), &flags).unwrap_err().faults;
    assert!(faults[0].en.contains("m.toml:2: expected a TOML document"), "{}", faults[0].en);
}

#[test]
fn a_file_asked_for_by_name_must_exist() {
    let faults = faults([("MECAPY_CONFIG", "/nonexistent/mecapy.toml")]);
    assert!(faults[0].en.starts_with("the settings file /nonexistent/mecapy.toml can't be read"));
}

#[test]
fn unverified_tokens_are_refused_outside_development() {
    let refused = faults([("TOKEN_VERIFICATION_ENABLED", "false")]);
    assert!(refused[0].en.contains("expected ENVIRONMENT=development"), "{}", refused[0].en);
    let allowed =
        load([("TOKEN_VERIFICATION_ENABLED", "false"), ("ENVIRONMENT", "development")]).unwrap();
    assert!(!allowed.token_verification);
}

#[test]
fn postgresql_is_taken_under_every_name_and_other_services_are_warned_about() {
    for scheme in ["postgresql", "postgres", "postgresql+asyncpg"] {
        let url = format!("{scheme}://mecapy:hunter2@db/mecapy");
        let Location::Postgres(url) = load([("DATABASE_URL", &*url)]).unwrap().database else {
            panic!("{url} is no PostgreSQL")
        };
        assert_eq!(url.reveal(), "postgresql://mecapy:hunter2@db/mecapy");
    }
    let pool = load([("DB_POOL_SIZE", "7"), ("DB_POOL_TIMEOUT", "3")]).unwrap().pool;
    assert_eq!((pool.connections, pool.patience.as_secs()), (7, 3));
    assert!(faults([("DATABASE_URL", "mysql://x")])[0].en.contains("postgresql://user:password@"));
    let settings = load([("KEYCLOAK_REALM", "x"), ("KEYCLOAK_CLIENT_ID", "b")]).unwrap();
    assert_eq!(settings.warnings.len(), 2);
    assert!(settings.warnings[0].en.contains("KEYCLOAK_REALM has no effect"));
}

#[test]
fn a_bucket_needs_its_keys_and_redis_a_url() {
    let refused = faults([("S3_BUCKET", "b"), ("SCW_ACCESS_KEY", "k")]);
    assert!(refused[0].en.contains("expected SCW_ACCESS_KEY and SCW_SECRET_KEY"), "{refused:?}");
    let refused = faults([("REDIS_URL", "http://x")]);
    assert!(refused[0].en.contains("such as redis://user:password@host:6379/0"), "{refused:?}");
    let keys = [("SCW_ACCESS_KEY", "k"), ("SCW_SECRET_KEY", "hunter2")];
    for name in ["S3_BUCKET", "CLOUD_BUCKET_UPLOADS"] {
        let settings =
            load([(name, "b"), keys[0], keys[1], ("REDIS_URL", "redis://:hunter2@h")]).unwrap();
        assert_eq!(settings.s3.as_ref().unwrap().bucket, "b");
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    for setting in SETTINGS.iter().filter(|setting| setting.secret) {
        let shown = match load([(setting.name, "hunter2")]) {
            Ok(settings) => format!("{settings:?}"),
            Err(refused) => format!("{refused:?} {refused}"),
        };
        assert!(!shown.contains("hunter2"), "{}: {shown}", setting.name);
    }
    let settings = load([("DATABASE_URL", "postgresql://u:hunter2@h/d")]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    let refused = faults([("DATABASE_URL", "postgresql://u:hunter2@h:port/d")]);
    assert!(!format!("{refused:?}").contains("hunter2"));
    let index = "https://u:hunter2@index.example/simple";
    let settings = load([("MECAPY_INDEX_URL", index)]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(settings.python.index_url.unwrap().expose(), index);
}

#[test]
fn the_long_class_is_never_shorter_than_the_others() {
    assert_eq!(load([("MECAPY_TIMEOUT_MAX", "900")]).unwrap().limits.long_timeout_s, 900);
    let refused = faults([("MECAPY_TIMEOUT_LONG", "60")]);
    assert!(refused[0].en.contains("expected at least MECAPY_TIMEOUT_MAX, which is 600, found 60"));
}
