//! What outlives a connection: accounts, lists of contacts and blocks, sign-ins, keys, and the history of calls.
//!
//! [`Database`] is SQLite and blocks. [`Store`] owns one on the OS thread `store`, behind a bounded channel, and publishes
//! the [`Directory`] of people. It knows neither connections nor tokens.

mod accounts;
mod database;
mod directory;
mod history;
mod sessions;
#[cfg(test)]
pub(crate) mod tests;

use crate::switchboard::CallRecord;
use ahoy_call::UserId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

pub use accounts::{AccountRow, List, NewAccount};
pub use database::Database;
pub(crate) use directory::{Directory, Entry};
pub(crate) use sessions::Refresh;

/// Jobs waiting for the thread; when full, whoever asks waits (chosen, not measured).
const JOBS: usize = 64;
/// How often the database is asked whether the account tool has changed it (chosen: half of the second within which a
/// ban is to be felt).
const LOOK: Duration = Duration::from_millis(500);

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} cannot be used", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is in use by another server", folder.display())]
    InUse { folder: PathBuf },
    #[error("the database was written by a later version of this program (its schema is {version})")]
    TooNew { version: usize },
    #[error("the id {id} is taken")]
    IdTaken { id: UserId },
    #[error("no id is free")]
    NoFreeId,
    #[error("the name {name:?} is taken")]
    NameTaken { name: String },
    #[error("the phone number {phone} is taken")]
    PhoneTaken { phone: String },
    #[error("the list is full")]
    ListFull,
    #[error("the database failed")]
    Sql(#[from] rusqlite::Error),
    #[error("the system has no random numbers")]
    NoRandomNumbers,
    #[error("the store has stopped")]
    Stopped,
}

enum Job {
    Work(Box<dyn FnOnce(&mut Shelf) + Send>),
    /// Ends the thread; dropped when the database is closed.
    Close(oneshot::Sender<()>),
}

/// What the thread owns.
struct Shelf {
    database: Database,
    directory: watch::Sender<Arc<Directory>>,
    /// Of the last look.
    foreign_changes: i64,
}

/// The store of a running server; clones are the same store. The thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    jobs: mpsc::Sender<Job>,
    directory: watch::Receiver<Arc<Directory>>,
    observer: Observer,
}

/// Hears how long each job took from asking to answer.
#[derive(Clone)]
pub(crate) struct Observer(pub(crate) Arc<dyn Fn(Duration) + Send + Sync>);

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

impl Store {
    /// Starts the thread. A database in a folder is looked at for changes by other processes.
    pub(crate) fn start(database: Database, observer: Observer) -> Result<Self, StoreError> {
        let foreign_changes = database.foreign_changes()?;
        let (directory, directory_rx) = watch::channel(Arc::new(Directory::read(&database)?));
        let (jobs, mut jobs_rx) = mpsc::channel::<Job>(JOBS);
        let mut shelf = Shelf {
            database,
            directory,
            foreign_changes,
        };
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let mut closed = None;
                while closed.is_none()
                    && let Some(job) = jobs_rx.blocking_recv()
                {
                    match job {
                        Job::Work(work) => work(&mut shelf),
                        Job::Close(done) => closed = Some(done),
                    }
                }
                drop((shelf, closed));
            })
            .map_err(|source| StoreError::Unusable {
                path: PathBuf::from("the thread of the store"),
                source,
            })?;
        Ok(Self {
            jobs,
            directory: directory_rx,
            observer,
        })
    }

    /// The people of this moment.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.borrow())
    }

    /// Follows the people.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Directory>> {
        self.directory.clone()
    }

    /// Keeps records of calls; they are in the database when it returns.
    pub(crate) async fn put_records(&self, records: Vec<CallRecord>) -> Result<(), StoreError> {
        self.ask(move |database| database.put_records(&records)).await
    }

    /// Asks the database something, or changes what nobody has to hear of.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(move |shelf| work(&mut shelf.database)).await
    }

    /// Changes something about one person, and publishes it before it returns.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        person: UserId,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(move |shelf| {
            let answer = work(&mut shelf.database)?;
            let mut directory = Directory::clone(&shelf.directory.borrow());
            directory.read_one(&shelf.database, person)?;
            shelf.directory.send_replace(Arc::new(directory));
            Ok(answer)
        })
        .await
    }

    /// Publishes what other processes change, until the last receiver of people is gone.
    pub(crate) async fn watch_others(self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            match self.run(Shelf::look).await {
                Ok(()) => {}
                Err(StoreError::Stopped) => return,
                Err(error) => tracing::warn!(%error, "changes of accounts are not seen"),
            }
        }
    }

    /// Closes the database after what was asked before; later questions find the store stopped.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Job::Close(done)).await.is_ok() {
            // Nothing is sent: the thread drops its end when it is done.
            drop(closed.await);
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Shelf) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let asked = Instant::now();
        let (answer_tx, answer) = oneshot::channel();
        let job = Job::Work(Box::new(move |shelf| {
            // Whoever asked may have gone away; the work is done all the same.
            let _ = answer_tx.send(work(shelf));
        }));
        self.jobs.send(job).await.map_err(|_| StoreError::Stopped)?;
        let answer = answer.await.map_err(|_| StoreError::Stopped)?;
        (self.observer.0)(asked.elapsed());
        answer
    }
}

impl Shelf {
    fn look(&mut self) -> Result<(), StoreError> {
        let foreign_changes = self.database.foreign_changes()?;
        if foreign_changes != self.foreign_changes {
            self.foreign_changes = foreign_changes;
            let directory = Directory::read(&self.database)?;
            self.directory.send_replace(Arc::new(directory));
        }
        Ok(())
    }
}

/// Opens the database of a server: the one of a folder, or one that ends with the process.
pub(crate) fn open(folder: Option<&Path>) -> Result<Database, StoreError> {
    let mut database = match folder {
        Some(folder) => Database::open_alone(folder)?,
        None => Database::in_memory()?,
    };
    let ended = database.end_open_records(jiff::Timestamp::now())?;
    if ended > 0 {
        tracing::info!(calls = ended, "ended calls that an earlier run left open");
    }
    Ok(database)
}
