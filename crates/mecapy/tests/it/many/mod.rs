//! Many processes on PostgreSQL, Redis and S3.

mod away;
mod together;

use tempfile::TempDir;
use test_support::client::Client;
use test_support::postgres::Postgres;
use test_support::redis::Redis;
use test_support::s3::S3;
use test_support::server::Server;

use crate::program::mecapy;

/// The services that processes share, on free ports and in folders of their
/// own.
pub(crate) struct Services {
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    pub(crate) s3: S3,
    variables: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Services {
    /// Fresh ones, the database with its schema.
    pub(crate) fn start() -> Self {
        let postgres = Postgres::start().unwrap();
        let redis = Redis::start().unwrap();
        let s3 = S3::start().unwrap();
        s3.bucket("mecapy").unwrap();
        let variables = vec![
            ("DATABASE_URL", postgres.url()),
            ("DB_POOL_SIZE", "3".to_owned()),
            ("REDIS_URL", redis.url()),
            ("S3_BUCKET", "mecapy".to_owned()),
            ("S3_ENDPOINT", s3.endpoint()),
            ("SCW_ACCESS_KEY", test_support::s3::ACCESS_KEY.to_owned()),
            ("SCW_SECRET_KEY", test_support::s3::SECRET_KEY.to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
            ("MECAPY_STATIC_CHECK", "off".to_owned()),
            ("MECAPY_UV", test_support::tools::uv().display().to_string()),
        ];
        let services =
            Self { postgres, redis, s3, variables, folder: tempfile::tempdir().unwrap() };
        let migrated = mecapy(services.folder.path(), &["migrate"], &services.variables());
        assert_eq!(migrated.code, 0, "{}", migrated.err);
        services
    }

    /// What tells a process where they are.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, &**value)).collect()
    }

    /// A process that answers requests.
    pub(crate) fn api(&self, name: &str) -> Server {
        self.process(&["api", "--port", "0"], name, &[])
    }

    /// A process that runs calculations, two at once.
    pub(crate) fn worker(&self, name: &str) -> Server {
        self.worker_with(name, &[])
    }

    /// The same with further settings.
    pub(crate) fn worker_with(&self, name: &str, more: &[(&str, &str)]) -> Server {
        self.process(&["worker"], name, &[&[("MECAPY_SLOTS", "2")], more].concat())
    }

    fn process(&self, role: &[&str], name: &str, more: &[(&str, &str)]) -> Server {
        let data = self.data(name);
        Server::start_as(env!("CARGO_BIN_EXE_mecapy"), role, data, |command| {
            command.envs(self.variables()).envs(more.iter().copied());
        })
        .unwrap()
    }

    /// The folder of a process.
    pub(crate) fn data(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A client of a process with the token of the one that founded all.
    pub(crate) fn client(&self, of: &Server, founder: &Server) -> Client {
        Client::new(of.url(), Some(founder.token()))
    }
}
