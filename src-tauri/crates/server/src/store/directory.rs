//! Who there is, as the running server knows it: read from the database when it changes, asked without waiting.

use super::accounts::{AccountRow, List, OPEN_LIST_PEOPLE};
use super::{Database, StoreError};
use crate::switchboard::Person;
use ahoy_call::UserId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One person with both lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) account: AccountRow,
    pub(crate) contacts: BTreeSet<UserId>,
    pub(crate) blocks: BTreeSet<UserId>,
}

/// Everybody. Cheap to clone: unchanged entries are shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    by_id: BTreeMap<UserId, Arc<Entry>>,
}

impl Directory {
    pub(super) fn read(database: &Database) -> Result<Self, StoreError> {
        let mut contacts = lists(database, List::Contacts)?;
        let mut blocks = lists(database, List::Blocks)?;
        let entries = database.accounts()?.into_iter().map(|account| {
            let id = account.id;
            let entry = Entry {
                account,
                contacts: contacts.remove(&id).unwrap_or_default(),
                blocks: blocks.remove(&id).unwrap_or_default(),
            };
            (id, Arc::new(entry))
        });
        Ok(Self {
            by_id: entries.collect(),
        })
    }

    /// Reads one person again.
    pub(super) fn read_one(&mut self, database: &Database, id: UserId) -> Result<(), StoreError> {
        if let Some(account) = database.account(id)? {
            let entry = Entry {
                account,
                contacts: database.list(List::Contacts, id)?,
                blocks: database.list(List::Blocks, id)?,
            };
            self.by_id.insert(id, Arc::new(entry));
        }
        Ok(())
    }

    pub(crate) fn get(&self, id: UserId) -> Option<&Entry> {
        self.by_id.get(&id).map(Arc::as_ref)
    }

    /// The contacts of a person: those listed, or everybody else while the list is open and people are few.
    pub(crate) fn contacts(&self, id: UserId) -> Vec<&Entry> {
        let Some(entry) = self.get(id) else {
            return Vec::new();
        };
        if entry.account.open_contacts && self.by_id.len() <= OPEN_LIST_PEOPLE {
            let others = self.by_id.values().map(Arc::as_ref);
            return others
                .filter(|other| other.account.id != id && !other.account.banned)
                .collect();
        }
        entry.contacts.iter().filter_map(|id| self.get(*id)).collect()
    }

    /// Everybody, as far as calls are concerned.
    pub(crate) fn people(&self) -> Vec<Person> {
        self.by_id.values().map(|entry| self.person(entry)).collect()
    }

    /// Those who are new or have changed since an earlier state.
    pub(crate) fn people_changed_since(&self, earlier: &Directory) -> Vec<Person> {
        // Whether an open list counts as everybody hangs on how many people there are.
        if self.is_small() != earlier.is_small() {
            return self.people();
        }
        let changed = self.by_id.iter().filter(|(id, entry)| {
            let old = earlier.by_id.get(id);
            old.is_none_or(|old| !Arc::ptr_eq(old, entry) && old != *entry)
        });
        changed.map(|(_, entry)| self.person(entry)).collect()
    }

    fn is_small(&self) -> bool {
        self.by_id.len() <= OPEN_LIST_PEOPLE
    }

    fn person(&self, entry: &Entry) -> Person {
        let everybody = entry.account.open_contacts && self.is_small();
        Person {
            banned: entry.account.banned,
            restricted: entry.account.restricted,
            contacts: (!everybody).then(|| entry.contacts.clone()),
            blocked: entry.blocks.clone(),
            ..Person::new(entry.account.id, entry.account.name.as_str())
        }
    }
}

fn lists(database: &Database, list: List) -> Result<BTreeMap<UserId, BTreeSet<UserId>>, StoreError> {
    let mut by_owner: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (owner, other) in database.all_of_list(list)? {
        by_owner.entry(owner).or_default().insert(other);
    }
    Ok(by_owner)
}
