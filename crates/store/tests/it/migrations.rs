//! The schema on real servers: up, down, up again, and the same in both
//! dialects.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use domain::clock::{Manual, System};
use rusqlite::Connection;
use store::migrate::{Migration, POSTGRES, SQLITE, Step, Target};
use store::{Error, postgres, sqlite};
use test_support::postgres::Postgres;

use crate::world::{START, World, completed};

/// Table, column, kind, whether it may be null.
type Columns = BTreeSet<(String, String, &'static str, bool)>;

fn sqlite_columns(path: &Path) -> Columns {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name, c.type, c.\"notnull\" OR c.pk > 0
             FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'migrations'",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let kind: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, kind, row.get::<_, bool>(3)?))
    });
    rows.unwrap()
        .map(|row| {
            let (table, column, kind, not_null): (String, String, String, bool) = row.unwrap();
            let kind = match kind.as_str() {
                "BLOB" => "bytes",
                "INTEGER" => "integer",
                "REAL" => "real",
                "TEXT" => "text",
                other => panic!("{table}.{column} is {other}"),
            };
            (table, column, kind, !not_null)
        })
        .collect()
}

fn postgres_columns(server: &Postgres) -> Columns {
    let rows = server
        .psql(
            "SELECT table_name, column_name, data_type, is_nullable
             FROM information_schema.columns WHERE table_schema = 'public'",
        )
        .unwrap();
    rows.lines()
        .map(|row| {
            let [table, column, kind, nullable] = fields(row);
            let kind = match kind {
                "uuid" | "bytea" => "bytes",
                "bigint" | "integer" | "boolean" => "integer",
                "double precision" => "real",
                "text" | "json" => "text",
                other => panic!("{table}.{column} is {other}"),
            };
            (table.to_owned(), column.to_owned(), kind, nullable == "YES")
        })
        .collect()
}

fn fields<const N: usize>(row: &str) -> [&str; N] {
    row.split('|').collect::<Vec<_>>().try_into().unwrap()
}

/// Table, its columns, the table they refer to, the columns there.
fn sqlite_references(path: &Path) -> BTreeSet<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT t.name || '(' || group_concat(f.\"from\") || ') ' || f.\"table\"
                    || '(' || group_concat(f.\"to\") || ')'
             FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
             WHERE t.type = 'table' GROUP BY t.name, f.id ORDER BY f.seq",
        )
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn postgres_references(server: &Postgres) -> BTreeSet<String> {
    let columns = |table: &str, keys: &str| {
        format!(
            "(SELECT string_agg(a.attname, ',' ORDER BY k.at)
              FROM unnest({keys}) WITH ORDINALITY k (number, at)
              JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = k.number)"
        )
    };
    let rows = server
        .psql(&format!(
            "SELECT c.conrelid::regclass || '(' || {} || ') ' || c.confrelid::regclass
                    || '(' || {} || ')' FROM pg_constraint c WHERE c.contype = 'f'",
            columns("c.conrelid", "c.conkey"),
            columns("c.confrelid", "c.confkey"),
        ))
        .unwrap();
    rows.lines().map(str::to_owned).collect()
}

/// Name, and whether it is unique.
fn sqlite_indices(path: &Path) -> BTreeSet<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT i.name || ' ' || i.\"unique\" || i.partial || ' ' || (
                 SELECT group_concat(name) FROM (
                     SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
             FROM sqlite_schema t, pragma_index_list(t.name) i
             WHERE t.type = 'table' AND i.origin = 'c'",
        )
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn postgres_indices(server: &Postgres) -> BTreeSet<String> {
    let rows = server
        .psql(
            "SELECT i.indexrelid::regclass || ' ' || i.indisunique::int
                    || (i.indpred IS NOT NULL)::int || ' ' || (
                 SELECT string_agg(a.attname, ',' ORDER BY k.at)
                 FROM unnest(i.indkey) WITH ORDINALITY k (number, at)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
             FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
             WHERE NOT i.indisprimary AND t.relnamespace = 'public'::regnamespace",
        )
        .unwrap();
    rows.lines().map(str::to_owned).collect()
}

fn all(migrations: &[Migration], sql: impl Fn(&Migration) -> &'static str) -> String {
    migrations.iter().map(sql).collect::<Vec<_>>().join("\n")
}

#[test]
fn both_dialects_have_the_same_tables_columns_references_and_indices() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mecapy.db");
    sqlite::migrate(&path, &System, Target::Newest).unwrap();
    let server = Postgres::start().unwrap();
    server.psql(&all(POSTGRES, |migration| migration.up)).unwrap();

    let columns = sqlite_columns(&path);
    assert!(columns.len() > 100, "{}", columns.len());
    let there = postgres_columns(&server);
    let different: Vec<_> = columns.symmetric_difference(&there).collect();
    assert!(different.is_empty(), "{different:#?}");
    let references = sqlite_references(&path);
    assert!(references.contains("tasks(company_id,version_id) versions(company_id,id)"));
    assert_eq!(references, postgres_references(&server));
    assert_eq!(sqlite_indices(&path), postgres_indices(&server));
}

#[test]
fn postgresql_goes_up_down_and_up_again() {
    let server = Postgres::start().unwrap();
    let up = all(POSTGRES, |m| m.up);
    let newest_first: Vec<_> = POSTGRES.iter().rev().copied().collect();
    let down = all(&newest_first, |m| m.down);
    let tables = || {
        let count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
        server.psql(count).unwrap().trim().parse::<u32>().unwrap()
    };
    server.psql(&up).unwrap();
    let made = tables();
    assert!(made >= 15, "{made}");
    // With data in the tables that refer to each other.
    let (a, b) =
        ("'00000000-0000-7000-8000-00000000000a'", "'00000000-0000-7000-8000-00000000000b'");
    server
        .psql(&format!(
            "INSERT INTO companies VALUES ({a}, 'acme', 1, NULL, NULL, 0, NULL);
             INSERT INTO users VALUES ({b}, 'zoé', 0);
             INSERT INTO memberships VALUES ({a}, {b}, 'member', 0, NULL);
             INSERT INTO functions VALUES ({a}, {b}, 'bolt', NULL, '', '[]', NULL, 0, NULL);
             INSERT INTO deployments
                 VALUES ({a}, {b}, {b}, 'running', '', NULL, NULL, '[]', '[]', 0, NULL);
             INSERT INTO versions VALUES ({a}, {b}, {b}, '1.0.0', '', '{{}}', '', '3.12', '3.12.1',
                 '', true, '[]', '[]', {b}, {b}, 0);
             UPDATE functions SET newest_version_id = {b};
             UPDATE deployments SET version_id = {b};"
        ))
        .unwrap();
    let refused =
        server.psql(&format!("INSERT INTO memberships VALUES ({a}, {a}, 'member', 0, NULL)"));
    assert!(refused.unwrap_err().to_string().contains("foreign key"));
    server.psql(&down).unwrap();
    assert_eq!(tables(), 0);
    server.psql(&up).unwrap();
    assert_eq!(tables(), made);
}

#[tokio::test]
async fn sqlite_goes_down_with_its_data_and_up_again() {
    let world = World::on_sqlite();
    let path = world.path().to_owned();
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    world.store.finish(lease, completed("1")).await.unwrap();
    world.store.close().await;
    let columns = sqlite_columns(&path);
    let first = SQLITE[0].revision;
    let steps = sqlite::migrate(&path, &System, Target::Empty).unwrap();
    assert_eq!(steps, SQLITE.iter().rev().map(|m| Step::Down(*m)).collect::<Vec<_>>());
    assert!(sqlite_columns(&path).is_empty());
    assert!(sqlite::status(&path).unwrap().is_empty());
    sqlite::migrate(&path, &System, Target::Revision(first.to_owned())).unwrap();
    assert_eq!(sqlite::status(&path).unwrap()[0].revision, first);
    sqlite::migrate(&path, &System, Target::Newest).unwrap();
    assert_eq!(sqlite_columns(&path), columns);
    assert!(sqlite::migrate(&path, &System, Target::Newest).unwrap().is_empty());
}

#[tokio::test]
async fn a_schema_outside_the_known_range_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mecapy.db");
    let open = |migrate| {
        let options = sqlite::Options { migrate, ..sqlite::Options::default() };
        sqlite::open(&path, Arc::new(Manual::at(START)), options)
    };
    let refused = |message: &str| match open(false).map(drop) {
        Err(error @ Error::Schema { .. }) => {
            assert!(error.to_string().contains(message), "{error}");
        }
        other => panic!("expected a refusal, found {other:?}"),
    };
    refused("mecapy migrate");
    open(true).unwrap().close().await;
    open(false).unwrap().close().await;
    let connection = Connection::open(&path).unwrap();
    let newer = "INSERT INTO migrations VALUES ('9999_newer', zeroblob(32), 0)";
    connection.execute(newer, []).unwrap();
    refused("newer program");
    assert!(open(true).is_err());
    connection.execute("DELETE FROM migrations WHERE revision = '9999_newer'", []).unwrap();
    connection.execute("UPDATE migrations SET checksum = zeroblob(32)", []).unwrap();
    refused("changed after it was applied");
}

#[tokio::test]
async fn a_token_of_before_scopes_keeps_all_rights_and_a_narrowed_one_ends_on_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mecapy.db");
    let first = Target::Revision(SQLITE[0].revision.to_owned());
    sqlite::migrate(&path, &System, first.clone()).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "INSERT INTO companies VALUES (zeroblob(16), 'acme', 1, NULL, NULL, 0, NULL);
             INSERT INTO users VALUES (zeroblob(16), 'zoé', 0);
             INSERT INTO memberships VALUES (zeroblob(16), zeroblob(16), 'member', 0, NULL);
             INSERT INTO tokens
                 VALUES (zeroblob(16), zeroblob(16), zeroblob(16), 'old', zeroblob(32), 0, NULL, NULL);",
        )
        .unwrap();
    sqlite::migrate(&path, &System, Target::Newest).unwrap();
    let open = || sqlite::open(&path, Arc::new(Manual::at(START)), sqlite::Options::default());
    let store = open().unwrap();
    let found = store.authenticate(domain::Digest([0; 32])).await.unwrap().unwrap().token;
    assert_eq!((found.scopes, found.prefix.as_deref()), (domain::permission::Scopes::ALL, None));
    let narrowed = store::accounts::Token {
        id: domain::TokenId::new(),
        secret_sha256: domain::Digest([1; 32]),
        scopes: "read".parse().unwrap(),
        ..found
    };
    store.create_token(narrowed, None).await.unwrap();
    store.close().await;
    sqlite::migrate(&path, &System, first).unwrap();
    let open = "SELECT group_concat(name) FROM tokens WHERE revoked_at IS NULL";
    assert_eq!(connection.query_row(open, [], |row| row.get::<_, String>(0)).unwrap(), "old");
    let all = "SELECT count(*) FROM tokens";
    assert_eq!(connection.query_row(all, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}

/// A partial index is chosen by the text of its condition.
#[test]
fn what_looks_for_results_that_are_not_cached_finds_their_indices() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mecapy.db");
    sqlite::migrate(&path, &System, Target::Newest).unwrap();
    let connection = Connection::open(&path).unwrap();
    let plan = |sql: &str| {
        let plan = format!("EXPLAIN QUERY PLAN {}", sql.replace('?', "1"));
        connection.query_row(&plan, [], |row| row.get::<_, String>("detail")).unwrap()
    };
    let durations = plan(
        "SELECT execution_ms FROM tasks
         WHERE company_id = ? AND version_id = ? AND state = 'completed' AND cached = FALSE
         AND execution_ms IS NOT NULL ORDER BY completed_at DESC LIMIT ?",
    );
    assert!(durations.contains("COVERING INDEX tasks_durations"), "{durations}");
    let earlier = plan(
        "SELECT result FROM tasks
         WHERE company_id = ? AND version_id = ? AND cache_key = ? AND state = 'completed'
         AND cached = FALSE AND completed_at > ? AND deleted_at IS NULL
         ORDER BY completed_at DESC LIMIT 1",
    );
    assert!(earlier.contains("INDEX tasks_cache (company_id=? AND version_id=? AND cache_key=?"));
}

#[tokio::test]
async fn a_database_on_postgresql_goes_down_with_its_data_and_up_again() {
    let world = World::on_postgres().await;
    let url = world.url();
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    world.store.finish(lease, completed("1")).await.unwrap();
    world.store.close().await;
    let revisions = async || {
        let applied = postgres::status(url).await.unwrap();
        applied.into_iter().map(|applied| applied.revision).collect::<Vec<_>>()
    };
    let newest: Vec<_> = POSTGRES.iter().map(|migration| migration.revision).collect();
    assert_eq!(revisions().await, newest);
    let first = Target::Revision(newest[0].to_owned());
    let steps = postgres::migrate(url, &System, first).await.unwrap();
    assert_eq!(steps.len(), newest.len() - 1);
    assert_eq!(revisions().await, newest[..1]);
    assert!(world.try_execute("SELECT 1 FROM sessions").is_err());
    postgres::migrate(url, &System, Target::Newest).await.unwrap();
    assert_eq!(revisions().await, newest);
    assert_eq!(world.beside().await.counts().await.unwrap().iter().map(|c| c.1).sum::<u64>(), 1);
    postgres::migrate(url, &System, Target::Empty).await.unwrap();
    assert!(revisions().await.is_empty());
}
