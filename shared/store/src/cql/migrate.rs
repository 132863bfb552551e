//! Numbered schema files, each applied once, by one process at a time.
//!
//! The lock is a row that only one process can insert; it goes away by itself some minutes after its holder died. What is applied is
//! noted file by file with its digest, after the last statement of the file: a crash in between repeats the file, so statements
//! say `IF NOT EXISTS`.

use std::time::Duration;

use scylla::statement::unprepared::Statement;
use sha2::{Digest, Sha256};

use super::{Cas, Cql, CqlError, Settings, connect};
use crate::StoreError;

/// How long the lock is held at most, in seconds. Longer than any of our files takes.
const LOCK_SECONDS: u32 = 300;
/// How long a change of the schema may take: every node has to agree on it.
const DDL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a lock that another holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(500);

/// One schema file.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its name without the ending; the files are applied in this order.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Migration {
    fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.text).to_vec()
    }

    /// Statements end with a semicolon at the end of a line; lines that begin with `--` are for readers. Tables are named `@name`.
    fn statements(&self) -> Vec<String> {
        let lines = self.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n") + "\n";
        text.split(";\n").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    }
}

pub(super) async fn migrate(settings: &Settings, service: &str, schema: &[Migration]) -> Result<(), StoreError> {
    let keyspace = settings.keyspace(service);
    if !keyspace.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(CqlError::Settings(format!("{keyspace} is no name for a keyspace: a-z, 0-9 and _ only")).into());
    }
    let copies = settings.copies();
    let replication = match &settings.datacenter {
        Some(datacenter) => format!("'{}': {copies}", datacenter.replace('\'', "''")),
        None => format!("'replication_factor': {copies}"),
    };
    let cql = connect(settings, &keyspace).await?;
    ddl(
        &cql,
        &format!(
            "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = \
             {{'class': 'NetworkTopologyStrategy', {replication}}} AND durable_writes = true"
        ),
    )
    .await?;
    for table in [
        "CREATE TABLE IF NOT EXISTS @schema_lock (id tinyint PRIMARY KEY, holder uuid)",
        "CREATE TABLE IF NOT EXISTS @schema_applied (name text PRIMARY KEY, digest blob, applied timestamp)",
    ] {
        ddl(&cql, table).await?;
    }
    let holder = uuid::Uuid::new_v4();
    lock(&cql, holder).await?;
    let outcome = apply(&cql, service, schema).await;
    let unlock = cql.compare_and_set("DELETE FROM @schema_lock WHERE id = 0 IF holder = ?").await?;
    // A lock that is not given back ends by itself.
    let _released = cql.cas(&unlock, (holder,)).await;
    outcome
}

async fn lock(cql: &Cql, holder: uuid::Uuid) -> Result<(), StoreError> {
    let take = format!("INSERT INTO @schema_lock (id, holder) VALUES (0, ?) IF NOT EXISTS USING TTL {LOCK_SECONDS}");
    let take = cql.compare_and_set(&take).await?;
    let look = cql.serial_read("SELECT holder FROM @schema_lock WHERE id = 0").await?;
    loop {
        match cql.cas(&take, (holder,)).await? {
            Cas::Applied => return Ok(()),
            Cas::Refused | Cas::Unknown(_) => {}
        }
        match cql.row::<(uuid::Uuid,)>(&look, ()).await? {
            Some((held,)) if held == holder => return Ok(()),
            Some(_) => tracing::info!("another process brings the schema up to date, waiting for it"),
            None => {}
        }
        tokio::time::sleep(LOCK_RETRY).await;
    }
}

async fn apply(cql: &Cql, service: &str, schema: &[Migration]) -> Result<(), StoreError> {
    let note =
        cql.write("INSERT INTO @schema_applied (name, digest, applied) VALUES (?, ?, toTimestamp(now()))").await?;
    for (migration, applied) in schema.iter().zip(standing(cql, schema).await?) {
        if applied {
            continue;
        }
        for statement in migration.statements() {
            ddl(cql, &statement).await?;
        }
        cql.run(&note, (migration.name, migration.digest())).await?;
        tracing::info!(service, "applied {}", migration.name);
    }
    Ok(())
}

/// Which migrations are applied.
async fn standing(cql: &Cql, schema: &[Migration]) -> Result<Vec<bool>, StoreError> {
    let find = cql.read("SELECT digest FROM @schema_applied WHERE name = ?").await?;
    let mut standing = Vec::with_capacity(schema.len());
    for migration in schema {
        let found: Option<(Vec<u8>,)> = cql.row(&find, (migration.name,)).await?;
        if found.as_ref().is_some_and(|(digest,)| *digest != migration.digest()) {
            let why = format!("{} was applied with another text than this program has", migration.name);
            return Err(CqlError::Schema(why).into());
        }
        standing.push(found.is_some());
    }
    Ok(standing)
}

/// Makes sure that everything is applied.
pub(super) async fn verify(cql: &Cql, schema: &[Migration]) -> Result<(), StoreError> {
    let standing = standing(cql, schema).await?;
    match schema.iter().zip(standing).find(|(_, applied)| !applied) {
        Some((missing, _)) => {
            Err(CqlError::Schema(format!("{} is not applied: run `dsom migrate`", missing.name)).into())
        }
        None => Ok(()),
    }
}

/// A statement that changes the schema; the driver waits until all nodes agree on it.
async fn ddl(cql: &Cql, statement: &str) -> Result<(), StoreError> {
    let mut statement = Statement::new(statement.replace('@', &format!("{}.", cql.keyspace)));
    statement.set_request_timeout(Some(DDL_TIMEOUT));
    cql.session.query_unpaged(statement, ()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_into_its_statements() {
        let text = "-- what it is; for readers\nCREATE TABLE a (\n  x int PRIMARY KEY\n) WITH comment = 'a; b';\n\nCREATE TABLE b (y int PRIMARY KEY);\n";
        let migration = Migration { name: "0001", text };
        let expected =
            ["CREATE TABLE a (\n  x int PRIMARY KEY\n) WITH comment = 'a; b'", "CREATE TABLE b (y int PRIMARY KEY)"];
        assert_eq!(migration.statements(), expected);
    }
}
