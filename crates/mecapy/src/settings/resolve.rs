//! From the sources to one checked value, with what only makes sense together.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Text;
use domain::limits::Limits;
use engine::logins::Sessions;
use store::url::Location;

use super::sources::{Flags, Given, Origin, Sources};
use super::table::{SETTINGS, UsedBy};
use crate::telemetry::Receivers;

use super::{Environment, Python, Redis, Refused, Secret, Settings, Variables, paths};

pub(super) fn settings(variables: &Variables, flags: &Flags) -> Result<Settings, Refused> {
    let mut sources = Sources::read(variables, flags);
    let data = sources.path("MECAPY_DATA").unwrap_or_else(|| paths::data(variables));
    // Other processes are given paths below it, and stand elsewhere.
    let data = paths::absolute(data);
    let environment = environment(&mut sources);
    let settings = Settings {
        credentials: paths::credentials(variables),
        config: sources.config.clone(),
        environment,
        log_level: sources
            .is_given("LOG_LEVEL")
            .then(|| sources.take("LOG_LEVEL", |word| word.parse().ok()))
            .flatten(),
        host: host(&mut sources),
        port: sources.integer("PORT").unwrap_or_default(),
        cors_allow_origins: sources.items("CORS_ALLOW_ORIGINS", ','),
        trusted_proxies: networks(&mut sources, "MECAPY_TRUSTED_PROXIES"),
        allowed_networks: networks(&mut sources, "MECAPY_ALLOWED_NETWORKS"),
        git_ca_file: sources.path("MECAPY_GIT_CA_FILE").map(paths::absolute),
        rates: api::Rates {
            user: sources.integer("MECAPY_RATE_USER"),
            token: sources.integer("MECAPY_RATE_TOKEN"),
            address: sources.integer("MECAPY_RATE_ADDRESS"),
        },
        streams: api::Streams {
            of_user: sources.integer("MECAPY_STREAMS_PER_USER").unwrap_or_default(),
            of_company: sources.integer("MECAPY_STREAMS_PER_COMPANY").unwrap_or_default(),
            ..api::Streams::default()
        },
        sessions: sessions(&mut sources),
        token_verification: token_verification(&mut sources, environment),
        database: sources
            .take("DATABASE_URL", paths::of_database_url)
            .unwrap_or_else(|| Location::Sqlite(data.join("mecapy.db"))),
        pool: pool(&mut sources),
        redis: redis(&mut sources),
        s3: s3(&mut sources),
        static_check: sources.text("MECAPY_STATIC_CHECK").unwrap_or_default(),
        advisories: sources.path("MECAPY_ADVISORIES").map(paths::absolute),
        python: python(&mut sources, variables),
        slots: sources.integer("MECAPY_SLOTS"),
        template_memory_mb: sources.integer("MECAPY_TEMPLATE_MEMORY_MB").unwrap_or_default(),
        template_runs: sources.integer("MECAPY_TEMPLATE_RUNS").unwrap_or_default(),
        template_age: Duration::from_secs(
            sources.integer("MECAPY_TEMPLATE_AGE_S").unwrap_or_default(),
        ),
        environments_mb: sources.integer("MECAPY_ENVIRONMENTS_MB").unwrap_or_default(),
        drain: seconds(&mut sources, "MECAPY_DRAIN_S"),
        connections: sources.integer("MECAPY_CONNECTIONS").unwrap_or_default(),
        head_timeout: seconds(&mut sources, "MECAPY_HEAD_TIMEOUT_S"),
        body_pause: seconds(&mut sources, "MECAPY_BODY_PAUSE_S"),
        limits: limits(&mut sources),
        receivers: Receivers {
            otlp: sources.text("OTEL_EXPORTER_OTLP_ENDPOINT"),
            otlp_headers: sources.text("OTEL_EXPORTER_OTLP_HEADERS").map(Secret::new),
            sentry: sources.text("SENTRY_DSN").map(Secret::new),
        },
        api_url: sources.text("MECAPY_API_URL").map(|url| url.trim_end_matches('/').to_owned()),
        token: sources.text("MECAPY_TOKEN").map(|token| Secret::new(token.trim())),
        warnings: unused(&sources),
        data,
    };
    if sources.faults.is_empty() { Ok(settings) } else { Err(Refused { faults: sources.faults }) }
}

fn networks(sources: &mut Sources, name: &'static str) -> Vec<domain::Network> {
    let all = |text: &str| text.split(',').map(|one| one.trim().parse().ok()).collect();
    sources.take(name, all).unwrap_or_default()
}

fn seconds(sources: &mut Sources, name: &'static str) -> Duration {
    Duration::from_secs(sources.integer(name).unwrap_or_default())
}

fn sessions(sources: &mut Sources) -> Sessions {
    let sessions = Sessions {
        idle: seconds(sources, "MECAPY_SESSION_IDLE_S"),
        longest: seconds(sources, "MECAPY_SESSION_MAX_S"),
    };
    let (idle, longest) = (sessions.idle.as_secs(), sessions.longest.as_secs());
    if longest < idle {
        sources.faults.push(Text::new(
            format!("MECAPY_SESSION_MAX_S: expected at least MECAPY_SESSION_IDLE_S, which is {idle}, found {longest}"),
            format!("MECAPY_SESSION_MAX_S : attendu : au moins MECAPY_SESSION_IDLE_S, qui vaut {idle}, trouvé : {longest}"),
        ));
    }
    sessions
}

fn environment(sources: &mut Sources) -> Environment {
    sources
        .take("ENVIRONMENT", |word| match word {
            "development" => Some(Environment::Development),
            "staging" => Some(Environment::Staging),
            "production" => Some(Environment::Production),
            _ => None,
        })
        // The strictest one while the fault is reported.
        .unwrap_or(Environment::Production)
}

/// A platform that hands out `PORT` routes to the container's own address, so
/// only that variable opens the server to the network by itself.
fn host(sources: &mut Sources) -> IpAddr {
    let by_platform =
        matches!(sources.given.get("PORT"), Some(Given { origin: Origin::Variable(_), .. }));
    let default = if by_platform { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    sources.address("MECAPY_HOST").unwrap_or(IpAddr::V4(default))
}

fn token_verification(sources: &mut Sources, environment: Environment) -> bool {
    let verified = sources.boolean("TOKEN_VERIFICATION_ENABLED").unwrap_or(true);
    if !verified && environment != Environment::Development {
        let found = environment.as_str();
        sources.faults.push(Text::new(
            format!(
                "TOKEN_VERIFICATION_ENABLED=false: expected ENVIRONMENT=development beside it, found {found}. Anybody could do anything; remove it, or set ENVIRONMENT=development on a developer's machine"
            ),
            format!(
                "TOKEN_VERIFICATION_ENABLED=false : ENVIRONMENT=development était attendu avec lui, trouvé : {found}. N’importe qui pourrait tout faire ; retirez-le, ou mettez ENVIRONMENT=development sur le poste d’un développeur"
            ),
        ));
    }
    verified
}

fn pool(sources: &mut Sources) -> store::postgres::Options {
    let count = |number: Option<u64>| usize::try_from(number.unwrap_or_default()).unwrap_or(1);
    store::postgres::Options {
        connections: count(sources.integer("DB_POOL_SIZE")),
        overflow: count(sources.integer("DB_MAX_OVERFLOW")),
        patience: seconds(sources, "DB_POOL_TIMEOUT"),
        age: seconds(sources, "DB_POOL_RECYCLE"),
        ..store::postgres::Options::default()
    }
}

fn redis(sources: &mut Sources) -> Option<Redis> {
    let ca_file = sources.path("MECAPY_REDIS_CA_FILE").map(paths::absolute);
    let url = Secret::new(sources.text("REDIS_URL")?);
    Some(Redis { url, ca_file })
}

fn s3(sources: &mut Sources) -> Option<blobs::s3::Settings> {
    let of_cloud = sources.text("CLOUD_BUCKET_UPLOADS");
    let bucket = sources.text("S3_BUCKET").or(of_cloud);
    let endpoint = sources.text("S3_ENDPOINT");
    let region = sources.text("CLOUD_REGION").unwrap_or_default();
    let prefix = sources.text("MECAPY_S3_PREFIX").unwrap_or_default();
    let allow_http = sources.boolean("MECAPY_S3_ALLOW_HTTP").unwrap_or(false);
    let ca_file = sources.path("MECAPY_S3_CA_FILE").map(paths::absolute);
    let (access_key, secret_key) = (sources.text("SCW_ACCESS_KEY"), sources.text("SCW_SECRET_KEY"));
    let bucket = bucket?;
    let (Some(access_key), Some(secret_key)) = (access_key, secret_key) else {
        sources.faults.push(Text::new(
            "S3_BUCKET: expected SCW_ACCESS_KEY and SCW_SECRET_KEY beside it, the keys that open the bucket; set both",
            "S3_BUCKET : attendu avec lui : SCW_ACCESS_KEY et SCW_SECRET_KEY, les clés qui ouvrent le compartiment ; définissez les deux",
        ));
        return None;
    };
    Some(blobs::s3::Settings {
        region,
        endpoint,
        allow_http,
        prefix: prefix.trim_matches('/').to_owned(),
        ca_file,
        ..blobs::s3::Settings::of(&bucket, &access_key, &secret_key)
    })
}

fn python(sources: &mut Sources, variables: &Variables) -> Python {
    let program = std::env::current_exe().ok();
    let beside_program = program.as_deref().and_then(Path::parent).map(Path::to_owned);
    // `target/release/mecapy` of a checkout, whose tools lie beside `target`.
    let of_checkout =
        beside_program.as_deref().and_then(|f| Some(f.parent()?.parent()?.join(".tools/bin")));
    Python {
        executables: absolute(sources.paths("MECAPY_PYTHONS")),
        version_roots: paths::version_roots(variables),
        default: sources
            .is_given("MECAPY_DEFAULT_PYTHON")
            .then(|| sources.take("MECAPY_DEFAULT_PYTHON", |text| text.parse().ok()))
            .flatten(),
        mirror: sources.text("MECAPY_PYTHON_MIRROR"),
        uv: sources.path("MECAPY_UV").map(paths::absolute),
        uv_folders: [Some(PathBuf::from(".tools/bin")), of_checkout, beside_program]
            .into_iter()
            .flatten()
            .filter(|folder| folder.is_dir())
            .map(paths::absolute)
            .collect(),
        search_path: variables.get("PATH").map(Into::into),
        index_url: sources.text("MECAPY_INDEX_URL").map(Secret::new),
        wheels: absolute(sources.paths("MECAPY_WHEELS")),
        offline: sources.boolean("MECAPY_OFFLINE").unwrap_or(false),
    }
}

fn absolute(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.into_iter().map(paths::absolute).collect()
}

fn limits(sources: &mut Sources) -> Limits {
    let usual = Limits::default();
    let timeout_s = sources.integer("MECAPY_TIMEOUT_MAX").unwrap_or(usual.timeout_s);
    let long_timeout_s = sources.integer("MECAPY_TIMEOUT_LONG").unwrap_or(timeout_s);
    if long_timeout_s < timeout_s {
        sources.faults.push(Text::new(
            format!("MECAPY_TIMEOUT_LONG: expected at least MECAPY_TIMEOUT_MAX, which is {timeout_s}, found {long_timeout_s}"),
            format!("MECAPY_TIMEOUT_LONG : attendu : au moins MECAPY_TIMEOUT_MAX, qui vaut {timeout_s}, trouvé : {long_timeout_s}"),
        ));
    }
    let mut bytes = |name: &str, usual: u64| sources.integer(name).unwrap_or(usual);
    Limits {
        archive_bytes: bytes("MECAPY_ARCHIVE_BYTES_MAX", usual.archive_bytes),
        archive_inflated_bytes: bytes(
            "MECAPY_ARCHIVE_INFLATED_BYTES_MAX",
            usual.archive_inflated_bytes,
        ),
        archive_entries: bytes("MECAPY_ARCHIVE_ENTRIES_MAX", usual.archive_entries),
        inputs_bytes: bytes("MECAPY_INPUTS_BYTES_MAX", usual.inputs_bytes),
        file_bytes: bytes("MECAPY_FILE_BYTES_MAX", usual.file_bytes),
        inline_result_bytes: bytes("MECAPY_INLINE_RESULT_BYTES_MAX", usual.inline_result_bytes),
        result_bytes: bytes("MECAPY_RESULT_BYTES_MAX", usual.result_bytes),
        log_bytes: bytes("MECAPY_LOG_BYTES_MAX", usual.log_bytes),
        artifact_bytes: bytes("MECAPY_ARTIFACT_BYTES_MAX", usual.artifact_bytes),
        queued_tasks: bytes("MECAPY_QUEUED_TASKS_MAX", usual.queued_tasks),
        artifact_count: sources
            .integer("MECAPY_ARTIFACT_COUNT_MAX")
            .unwrap_or(usual.artifact_count),
        max_attempts: sources.integer("MECAPY_MAX_ATTEMPTS").unwrap_or(usual.max_attempts),
        timeout_s,
        long_timeout_s,
        memory_limit_mb: sources
            .integer("MECAPY_MEMORY_LIMIT_MAX_MB")
            .unwrap_or(usual.memory_limit_mb),
        cpu_limit: sources.number("MECAPY_CPU_LIMIT_MAX").unwrap_or(usual.cpu_limit),
        pids: sources.integer("MECAPY_PIDS_MAX").unwrap_or(usual.pids),
    }
}

fn unused(sources: &Sources) -> Vec<Text> {
    SETTINGS
        .iter()
        .filter(|setting| setting.used_by == UsedBy::Later)
        .filter_map(|setting| sources.given.get(setting.name))
        .map(|given| {
            let place = given.origin.text();
            Text::new(
                format!("{} has no effect: this release serves one machine and needs no other service", place.en),
                format!("{} est sans effet : cette version sert une seule machine et n’a besoin d’aucun autre service", place.fr),
            )
        })
        .collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
