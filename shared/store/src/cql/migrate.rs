//! Numbered schema files, each applied once, by one process at a time.
//!
//! The lock is a row that only one process can insert. Its holder renews it before each statement, and stops when it has lost it; it goes
//! away by itself some minutes after its holder died. What is applied is noted file by file with its digest, after the last statement
//! of the file: a crash in between repeats the file, so statements say `IF NOT EXISTS`.
//!
//! The keyspace and the table of the lock can't be made under it. They are made where they are not there yet: that first run must be one
//! process, as it is in `k8s/` and `docker-compose.yml`.

use std::time::Duration;

use scylla::statement::unprepared::Statement;
use sha2::{Digest, Sha256};

use super::answers::unreadable;
use super::{Cas, CompareAndSet, Cql, CqlError, Read, Settings, connect};
use crate::StoreError;

/// How long the lock is held unless it is renewed, in seconds. Far longer than a statement may take.
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
    pub(super) fn statements(&self) -> Vec<String> {
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
    let cql = connect(settings, &keyspace).await?;
    let state = cql.session.get_cluster_state();
    let there = state.get_keyspace(&keyspace);
    if there.is_none() {
        let tablets = if knows_tablets(&cql).await? { settings.tablets } else { None };
        let made = create_keyspace(&keyspace, settings.datacenter.as_deref(), settings.copies(), tablets);
        ddl(&cql, &made).await?;
    }
    for (table, columns) in [
        ("schema_lock", "id tinyint PRIMARY KEY, holder uuid"),
        ("schema_applied", "name text PRIMARY KEY, digest blob, applied timestamp"),
    ] {
        if there.is_none_or(|keyspace| !keyspace.tables.contains_key(table)) {
            ddl(&cql, &format!("CREATE TABLE IF NOT EXISTS @{table} ({columns})")).await?;
        }
    }
    let lock = Lock::take(&cql).await?;
    let outcome = apply(&cql, &lock, service, schema).await;
    lock.give_back().await;
    outcome
}

fn create_keyspace(keyspace: &str, datacenter: Option<&str>, copies: u8, tablets: Option<bool>) -> String {
    let replication = match datacenter {
        Some(datacenter) => format!("'{}': {copies}", datacenter.replace('\'', "''")),
        None => format!("'replication_factor': {copies}"),
    };
    let tablets = tablets.map(|enabled| format!(" AND tablets = {{'enabled': {enabled}}}")).unwrap_or_default();
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {{'class': 'NetworkTopologyStrategy', {replication}}} \
         AND durable_writes = true{tablets}"
    )
}

/// Whether keyspaces of this server say if they have tablets: ScyllaDB's do since 6.0, in a column of their own.
async fn knows_tablets(cql: &Cql) -> Result<bool, StoreError> {
    let column = "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'system_schema' \
                  AND table_name = 'scylla_keyspaces' AND column_name = 'initial_tablets'";
    let found = cql.session.query_unpaged(column, ()).await?.into_rows_result().map_err(unreadable)?;
    Ok(found.rows_num() > 0)
}

/// The lock, held.
struct Lock<'a> {
    cql: &'a Cql,
    holder: uuid::Uuid,
    renew: CompareAndSet,
    look: Read,
    free: CompareAndSet,
}

impl<'a> Lock<'a> {
    /// Waits for it.
    async fn take(cql: &'a Cql) -> Result<Self, StoreError> {
        let take =
            format!("INSERT INTO @schema_lock (id, holder) VALUES (0, ?) IF NOT EXISTS USING TTL {LOCK_SECONDS}");
        let renew = format!("UPDATE @schema_lock USING TTL {LOCK_SECONDS} SET holder = ? WHERE id = 0 IF holder = ?");
        let take = cql.compare_and_set(&take).await?;
        let lock = Self {
            cql,
            holder: uuid::Uuid::new_v4(),
            renew: cql.compare_and_set(&renew).await?,
            look: cql.serial_read("SELECT holder FROM @schema_lock WHERE id = 0").await?,
            free: cql.compare_and_set("DELETE FROM @schema_lock WHERE id = 0 IF holder = ?").await?,
        };
        loop {
            match cql.cas(&take, (lock.holder,)).await? {
                Cas::Applied => return Ok(lock),
                Cas::Refused | Cas::Unknown(_) => {}
            }
            match lock.holder().await? {
                Some(held) if held == lock.holder => return Ok(lock),
                Some(_) => tracing::info!("another process brings the schema up to date, waiting for it"),
                None => {}
            }
            tokio::time::sleep(LOCK_RETRY).await;
        }
    }

    async fn holder(&self) -> Result<Option<uuid::Uuid>, StoreError> {
        let row: Option<(Option<uuid::Uuid>,)> = self.cql.row(&self.look, ()).await?;
        Ok(row.and_then(|(holder,)| holder))
    }

    /// Holds it for as long again.
    async fn renew(&self) -> Result<(), StoreError> {
        let is_held = match self.cql.cas(&self.renew, (self.holder, self.holder)).await? {
            Cas::Applied => true,
            Cas::Refused => false,
            Cas::Unknown(_) => self.holder().await? == Some(self.holder),
        };
        if is_held {
            return Ok(());
        }
        Err(CqlError::Schema("another process has taken the lock of the schema: run `dsom migrate` again".to_owned())
            .into())
    }

    async fn give_back(&self) {
        // A lock that is not given back ends by itself.
        let _released = self.cql.cas(&self.free, (self.holder,)).await;
    }
}

async fn apply(cql: &Cql, lock: &Lock<'_>, service: &str, schema: &[Migration]) -> Result<(), StoreError> {
    let note =
        cql.write("INSERT INTO @schema_applied (name, digest, applied) VALUES (?, ?, toTimestamp(now()))").await?;
    for (migration, applied) in schema.iter().zip(standing(cql, schema).await?) {
        if applied {
            continue;
        }
        for statement in migration.statements() {
            lock.renew().await?;
            ddl(cql, &statement).await?;
        }
        lock.renew().await?;
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

    #[test]
    fn a_keyspace_says_where_its_copies_are_and_of_tablets_only_what_is_asked() {
        let expected = "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 3} \
                        AND durable_writes = true";
        assert_eq!(create_keyspace("k", None, 3, None), expected);
        let expected = "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'NetworkTopologyStrategy', 'o''s': 1} \
                        AND durable_writes = true AND tablets = {'enabled': false}";
        assert_eq!(create_keyspace("k", Some("o's"), 1, Some(false)), expected);
    }
}
