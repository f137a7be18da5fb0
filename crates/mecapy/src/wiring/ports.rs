//! What stands behind the three ports: this machine, or services.

use std::sync::Arc;

use domain::{Clock, Text};
use store::migrate::Target;
use store::url::Location;

use super::Role;
use crate::exit::Told;
use crate::settings::Settings;

/// Refuses a role that the settings have no services for, naming all that is
/// missing.
pub(crate) fn check(settings: &Settings, role: Role) -> Result<(), Text> {
    let on_postgres = matches!(settings.database, Location::Postgres(_));
    if role == Role::Whole {
        if settings.redis.is_some() && !on_postgres {
            return Err(Text::new(
                "REDIS_URL: expected DATABASE_URL=postgresql://… beside it: Redis orders the queue of many processes, and SQLite serves one. Set both, or neither",
                "REDIS_URL : attendu avec lui : DATABASE_URL=postgresql://… Redis ordonne la file de plusieurs processus, et SQLite n’en sert qu’un. Définissez les deux, ou aucun",
            ));
        }
        return Ok(());
    }
    let wanted = [
        ("DATABASE_URL=postgresql://…", on_postgres),
        ("REDIS_URL", settings.redis.is_some()),
        ("S3_BUCKET", settings.s3.is_some()),
    ];
    let missing: Vec<_> = wanted.iter().filter(|(_, set)| !set).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (command, missing) = (role.command(), missing.join(", "));
    Err(Text::new(
        format!(
            "`mecapy {command}` shares its work with other processes: expected {missing} as well. Set what is missing, or serve from this machine alone with `mecapy up`"
        ),
        format!(
            "`mecapy {command}` partage son travail avec d’autres processus : attendu en plus : {missing}. Définissez ce qui manque, ou servez depuis cette seule machine avec `mecapy up`"
        ),
    ))
}

/// Opens the database; `up` brings its schema up to date, a process beside
/// others refuses one that is not.
pub(super) async fn store(
    settings: &Settings,
    role: Role,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<store::Handle> {
    let postgres = store::postgres::Options { migrate: role == Role::Whole, ..settings.pool };
    let options = store::Options { postgres, ..store::Options::default() };
    let database = &settings.database;
    let opened = async {
        let of = database.clone();
        let keep = move || super::keep_copy(&of, &Target::Newest);
        // A copy may take as long as it takes.
        let copy = tokio::task::spawn_blocking(keep).await;
        if let Some(copy) = copy.unwrap_or(Err(store::Error::Closed))? {
            tracing::info!(copy = %copy.display(), "kept a copy of the database before it is migrated");
        }
        store::open(database, clock, options).await
    };
    opened.await.map_err(|error| {
        let error = error.text();
        Told::new(
            format!("the database {database} can't be opened: {}", error.en),
            format!("la base de données {database} ne peut pas être ouverte : {}", error.fr),
        )
        .into()
    })
}

/// Opens the store of objects, and sees that it can be used.
pub(super) async fn blobs(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<blobs::Handle> {
    let Some(s3) = &settings.s3 else {
        return Ok(Arc::new(blobs::Directory::open(settings.data.join("blobs"))?));
    };
    let opened = async {
        let store = blobs::S3::open(s3.clone(), clock.clone())?;
        store.check().await?;
        Ok(Arc::new(store) as blobs::Handle)
    };
    opened.await.map_err(|error: blobs::Error| {
        let bucket = &s3.bucket;
        Told::new(
            format!("the bucket {bucket} can't be used: {error}"),
            format!("le compartiment {bucket} n’est pas utilisable : {error}"),
        )
        .into()
    })
}

/// The queue of this process, or of all that share one Redis.
pub(super) async fn broker(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<broker::Handle> {
    let Some(redis) = &settings.redis else {
        return Ok(Arc::new(broker::InProcess::new((&settings.limits).into(), clock.clone())));
    };
    let unusable = |reason: String| {
        Told::new(
            format!("REDIS_URL can't be used: {reason}"),
            format!("REDIS_URL n’est pas utilisable : {reason}"),
        )
    };
    let ca_pem = redis.ca_file.as_ref().map(std::fs::read).transpose();
    let ca_pem = ca_pem.map_err(|error| unusable(format!("MECAPY_REDIS_CA_FILE: {error}")))?;
    let of_redis = broker::redis::Settings {
        ca_pem,
        queued_tasks: settings.limits.queued_tasks,
        url: redis.url.expose().to_owned(),
        prefix: "mecapy".to_owned(),
        time: broker::redis::Time::Server,
    };
    let opened = broker::Redis::open(of_redis, clock.clone()).await;
    Ok(Arc::new(opened.map_err(|error| unusable(error.to_string()))?))
}
