//! Who else is on the server, as its presence messages say.

use crate::snapshot::{Person, Presence};
use ahoy_call::{Party, UserId};
use std::collections::BTreeMap;

/// More are not kept: a server that floods presence costs no memory.
const MOST: usize = 5000;

#[derive(Debug, Default)]
pub(crate) struct People {
    by_id: BTreeMap<UserId, Person>,
}

impl People {
    /// Takes one presence message; a missing name keeps the one known before.
    pub(crate) fn handle_presence(
        &mut self,
        id: UserId,
        name: Option<String>,
        online: bool,
        busy: Option<bool>,
    ) {
        if !self.by_id.contains_key(&id) && self.by_id.len() >= MOST {
            return;
        }
        let presence = match (online, busy) {
            (false, _) => Presence::Offline,
            (true, Some(true)) => Presence::InCall,
            (true, _) => Presence::Ready,
        };
        let person = self.by_id.entry(id).or_insert_with(|| Person {
            id,
            name: id.to_string(),
            presence: Presence::Unknown,
        });
        person.presence = presence;
        if let Some(name) = name {
            person.name = name;
        }
    }

    /// Without the server nobody's presence is known.
    pub(crate) fn forget_presence(&mut self) {
        for person in self.by_id.values_mut() {
            person.presence = Presence::Unknown;
        }
    }

    pub(crate) fn name_of(&self, party: &Party) -> Option<String> {
        match party {
            Party::User(id) => self.by_id.get(id).map(|person| person.name.clone()),
            Party::Room(_) => None,
        }
    }

    pub(crate) fn list(&self) -> Vec<Person> {
        self.by_id.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presence_without_a_name_keeps_the_name() {
        let mut people = People::default();
        let id = UserId::new(7).expect("valid");
        people.handle_presence(id, Some("Ada".to_owned()), true, None);
        people.handle_presence(id, None, true, Some(true));
        let list = people.list();
        assert_eq!(
            (list[0].name.as_str(), list[0].presence),
            ("Ada", Presence::InCall)
        );
        people.forget_presence();
        assert_eq!(people.list()[0].presence, Presence::Unknown);
    }
}
