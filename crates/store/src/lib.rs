//! The database: repositories, migrations, one writer.
