//! The store on its thread, and the folder that tests of it use.

use super::*;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder of its own, removed at the end.
pub(crate) struct TempFolder(pub(crate) PathBuf);

impl TempFolder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ahoy-store-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        fs::remove_dir_all(&self.0).ok();
    }
}

fn start(database: Database) -> Store {
    Store::start(database, Observer(Arc::new(|_| {}))).unwrap()
}

fn new_account(name: &str) -> NewAccount {
    NewAccount {
        id: None,
        name: name.to_owned(),
        phone: None,
        nickname: None,
        password_hash: None,
    }
}

#[tokio::test]
async fn a_change_of_a_list_is_published_before_it_is_answered() {
    let mut database = Database::in_memory().unwrap();
    let [ada, ben] = ["Ada", "Ben"].map(|name| database.add_account(&new_account(name)).unwrap());
    let store = start(database);
    let before = store.directory();
    assert_eq!(before.contacts(ada).len(), 1, "the list is open");
    store
        .change(ada, move |database| database.add_to_list(List::Blocks, ada, ben))
        .await
        .unwrap();
    let after = store.directory();
    assert!(after.get(ada).unwrap().blocks.contains(&ben));
    let changed = after.people_changed_since(&before);
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].id, changed[0].blocked.contains(&ben)), (ada, true));
    assert!(after.people_changed_since(&after).is_empty());
}

#[tokio::test]
async fn changes_by_another_process_are_seen_within_a_second() {
    let folder = TempFolder::new();
    let mut database = Database::open_alone(&folder.0).unwrap();
    let ada = database.add_account(&new_account("Ada")).unwrap();
    let store = start(database);
    tokio::spawn(store.clone().watch_others());
    let mut people = store.follow();
    people.mark_unchanged();
    // The account tool.
    let mut other = Database::open(&folder.0).unwrap();
    other.set_banned(ada, true).unwrap();
    tokio::time::timeout(Duration::from_secs(1), people.changed())
        .await
        .expect("within a second")
        .unwrap();
    assert!(store.directory().get(ada).unwrap().account.banned);
}

#[tokio::test]
async fn an_open_list_means_nobody_among_very_many() {
    let mut database = Database::in_memory().unwrap();
    let ada = database.add_account(&new_account("Ada")).unwrap();
    for i in 0..499 {
        database.add_account(&new_account(&format!("n{i}"))).unwrap();
    }
    let few = Directory::read(&database).unwrap();
    assert_eq!(few.contacts(ada).len(), 499);
    assert_eq!(few.people()[0].contacts, None);
    database.add_account(&new_account("one more")).unwrap();
    let many = Directory::read(&database).unwrap();
    assert!(many.contacts(ada).is_empty());
    assert_eq!(many.people()[0].contacts, Some(Default::default()));
    assert_eq!(
        many.people_changed_since(&few).len(),
        501,
        "it changes for everybody"
    );
}
