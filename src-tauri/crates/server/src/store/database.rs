//! The SQLite file: opening, schema, keys.
//!
//! Blocking; the running server uses it on the store's thread, the account tool directly.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database within the folder of `--data`.
const FILE: &str = "ahoy.sqlite";
/// Locked by the server that uses the folder.
const LOCK: &str = "ahoy.lock";
/// How long a writer waits for another process, such as the account tool (chosen, not measured).
const BUSY: Duration = Duration::from_secs(5);
/// The schema this program writes, in `PRAGMA user_version`. A change of the schema adds a step to [`STEPS`].
const STEPS: [&str; 1] = [include_str!("schema_1.sql")];

/// Accounts, lists, history and keys of one server.
#[derive(Debug)]
pub struct Database {
    pub(super) sql: Connection,
    /// Held while the database is open; only a server has it.
    _lock: Option<File>,
}

impl Database {
    /// A database that ends with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, None)
    }

    /// Opens or makes the database of a folder, beside whatever else has it open.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::prepare(connect(folder)?, None)
    }

    /// Opens or makes the database of a folder as its one server.
    pub fn open_alone(folder: &Path) -> Result<Self, StoreError> {
        let sql = connect(folder)?;
        let lock_path = folder.join(LOCK);
        let lock = private_file(&lock_path).map_err(|source| unusable(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Self::prepare(sql, Some(lock)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                folder: folder.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(unusable(&lock_path, source)),
        }
    }

    fn prepare(mut sql: Connection, lock: Option<File>) -> Result<Self, StoreError> {
        sql.busy_timeout(BUSY)?;
        // With a write-ahead log, NORMAL keeps what was committed when the process is killed; only a power cut may cost
        // the last moments, never the file (SQLite: "Write-Ahead Logging", "PRAGMA synchronous").
        sql.pragma_update(None, "journal_mode", "WAL")?;
        sql.pragma_update(None, "synchronous", "NORMAL")?;
        sql.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut sql)?;
        Ok(Self { sql, _lock: lock })
    }

    /// The named key, made by `make` if there is none yet. Of two processes that make one, the first counts for both.
    pub(crate) fn key(&mut self, name: &str, make: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let begun = self
            .sql
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let kept: Option<Vec<u8>> = begun
            .query_row("SELECT value FROM keys WHERE name = ?1", [name], |row| row.get(0))
            .optional()?;
        let key = match kept {
            Some(key) => key,
            None => {
                let key = make();
                begun.execute(
                    "INSERT INTO keys (name, value) VALUES (?1, ?2)",
                    params![name, key],
                )?;
                key
            }
        };
        begun.commit()?;
        Ok(key)
    }

    /// What the relay's credentials are made with, kept here so that they outlive a restart.
    pub fn turn_secret(&mut self) -> Result<Vec<u8>, StoreError> {
        /// Bytes: as many as the HMAC puts out (RFC 2104 §3).
        const LENGTH: usize = 20;
        let mut random = vec![0; LENGTH];
        getrandom::fill(&mut random).map_err(|_| StoreError::NoRandomNumbers)?;
        self.key("turn_secret", || random)
    }

    /// A number that changes with every change by another process.
    pub(super) fn foreign_changes(&self) -> Result<i64, StoreError> {
        Ok(self
            .sql
            .pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

fn connect(folder: &Path) -> Result<Connection, StoreError> {
    make_private_folder(folder).map_err(|source| unusable(folder, source))?;
    let path = folder.join(FILE);
    // SQLite gives its log the permissions of the database.
    private_file(&path).map_err(|source| unusable(&path, source))?;
    Connection::open(&path).map_err(StoreError::from)
}

fn unusable(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Unusable {
        path: PathBuf::from(path),
        source,
    }
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn migrate(sql: &mut Connection) -> Result<(), StoreError> {
    let begun = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: usize = begun.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > STEPS.len() {
        return Err(StoreError::TooNew { version });
    }
    for step in &STEPS[version..] {
        begun.execute_batch(step)?;
    }
    begun.pragma_update(None, "user_version", STEPS.len())?;
    begun.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once() {
        let mut database = Database::in_memory().unwrap();
        assert_eq!(database.key("jwt", || vec![1]).unwrap(), [1]);
        assert_eq!(database.key("jwt", || vec![2]).unwrap(), [1]);
        assert_eq!(database.key("turn", || vec![3]).unwrap(), [3]);
    }

    #[test]
    fn a_newer_schema_is_left_alone() {
        let mut sql = Connection::open_in_memory().unwrap();
        sql.pragma_update(None, "user_version", STEPS.len() + 1).unwrap();
        assert!(matches!(
            migrate(&mut sql),
            Err(StoreError::TooNew { version }) if version == STEPS.len() + 1
        ));
    }

    #[test]
    fn opening_twice_changes_nothing_and_only_one_server_has_the_folder() {
        let folder = crate::store::tests::TempFolder::new();
        let first = Database::open_alone(&folder.0).unwrap();
        assert!(Database::open(&folder.0).is_ok(), "the account tool may look in");
        assert!(matches!(
            Database::open_alone(&folder.0),
            Err(StoreError::InUse { .. })
        ));
        drop(first);
        assert!(Database::open_alone(&folder.0).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_folder_or_its_files() {
        use std::os::unix::fs::PermissionsExt;
        let parent = crate::store::tests::TempFolder::new();
        let folder = parent.0.join("data");
        let mut database = Database::open_alone(&folder).unwrap();
        database.key("jwt", || vec![1]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 3, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}
