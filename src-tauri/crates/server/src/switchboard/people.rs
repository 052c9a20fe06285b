//! Who may call or be called, and who is told about whom (IM-Suite §11).
//!
//! Knows neither devices nor calls.

use ahoy_call::UserId;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many people everybody without a list of contacts knows everybody: the phone book of an organisation. With
/// more, nobody could read it, and a change would be told to all (chosen, not measured).
const MAX_OPEN: usize = 500;

/// One account, as far as calls are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    /// For display.
    pub name: String,
    /// May not connect.
    pub banned: bool,
    /// May be called, but may not call.
    pub restricted: bool,
    /// Who sees whether this person is online, and may call under [`CallPolicy::Contacts`]; `None` is everybody while
    /// the server has at most 500 people, and nobody above that.
    pub contacts: Option<BTreeSet<UserId>>,
    /// To them this person is always offline.
    pub blocked: BTreeSet<UserId>,
}

impl Person {
    /// Somebody with all rights who hides from nobody.
    pub fn new(id: UserId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            banned: false,
            restricted: false,
            contacts: None,
            blocked: BTreeSet::new(),
        }
    }
}

/// Who may call somebody (IM-Suite §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallPolicy {
    #[default]
    Anyone,
    /// Those whom the callee has among their contacts.
    Contacts,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<Person>")]
pub(super) struct People {
    by_id: BTreeMap<UserId, Person>,
    /// Who has an explicit list with this user in it.
    listed_by: BTreeMap<UserId, BTreeSet<UserId>>,
    /// Those without an explicit list.
    open: BTreeSet<UserId>,
}

impl From<Vec<Person>> for People {
    fn from(list: Vec<Person>) -> Self {
        let mut people = Self::default();
        for person in list {
            people.put(person);
        }
        people
    }
}

impl Serialize for People {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.by_id.values())
    }
}

impl People {
    /// Takes a new or changed person.
    pub(super) fn put(&mut self, person: Person) {
        let id = person.id;
        if let Some(old) = self.by_id.get(&id) {
            for contact in old.contacts.iter().flatten() {
                if let Some(listing) = self.listed_by.get_mut(contact) {
                    listing.remove(&id);
                    if listing.is_empty() {
                        self.listed_by.remove(contact);
                    }
                }
            }
        }
        self.open.remove(&id);
        match &person.contacts {
            None => {
                self.open.insert(id);
            }
            Some(contacts) => {
                for contact in contacts {
                    self.listed_by.entry(*contact).or_default().insert(id);
                }
            }
        }
        self.by_id.insert(id, person);
    }

    /// Those whose readers may be others when these people are put.
    pub(super) fn affected_by(&self, changing: &[Person]) -> BTreeSet<UserId> {
        let mut affected: BTreeSet<_> = changing.iter().map(|person| person.id).collect();
        let new = affected.iter().filter(|id| !self.contains(**id)).count();
        if self.is_open() && self.by_id.len() + new > MAX_OPEN {
            affected.extend(&self.open);
        }
        affected
    }

    pub(super) fn get(&self, id: UserId) -> Option<&Person> {
        self.by_id.get(&id)
    }

    pub(super) fn contains(&self, id: UserId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn name(&self, id: UserId) -> Option<&str> {
        self.by_id.get(&id).map(|person| person.name.as_str())
    }

    /// Whether people without a list of contacts know everybody.
    pub(super) fn is_open(&self) -> bool {
        self.by_id.len() <= MAX_OPEN
    }

    /// Whether one has the other among their contacts.
    pub(super) fn lists(&self, one: UserId, other: UserId) -> bool {
        one != other
            && self.by_id.get(&one).is_some_and(|person| match &person.contacts {
                None => self.is_open() && self.contains(other),
                Some(contacts) => contacts.contains(&other),
            })
    }

    pub(super) fn has_blocked(&self, one: UserId, other: UserId) -> bool {
        self.by_id
            .get(&one)
            .is_some_and(|person| person.blocked.contains(&other))
    }

    /// Whether the reader is told when the subject comes and goes.
    pub(super) fn shows(&self, subject: UserId, reader: UserId) -> bool {
        self.lists(subject, reader) && !self.has_blocked(subject, reader)
    }

    /// Who is told when the subject comes and goes.
    pub(super) fn readers(&self, subject: UserId) -> Vec<UserId> {
        let Some(person) = self.by_id.get(&subject) else {
            return Vec::new();
        };
        let is_reader = |reader: &UserId| *reader != subject && !person.blocked.contains(reader);
        match &person.contacts {
            Some(contacts) => contacts.iter().copied().filter(is_reader).collect(),
            None if self.is_open() => self.by_id.keys().copied().filter(is_reader).collect(),
            None => Vec::new(),
        }
    }

    /// Those whose coming and going the reader is told.
    pub(super) fn shown_to(&self, reader: UserId) -> BTreeSet<UserId> {
        let open = self.is_open().then_some(&self.open).into_iter().flatten();
        let listing = self.listed_by.get(&reader).into_iter().flatten();
        open.chain(listing)
            .copied()
            .filter(|subject| self.shows(*subject, reader))
            .collect()
    }
}
