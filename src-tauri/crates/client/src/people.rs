//! Who else is on the server: the contacts it keeps for the user, and whose presence it tells. Pure.

use crate::snapshot::{Person, Presence};
use ahoy_call::{Party, UserId};
use ahoy_signaling::rest::Profile;
use std::collections::{BTreeMap, BTreeSet};

/// More are not kept: a server that floods presence costs no memory.
const MOST: usize = 5000;

#[derive(Debug, Default)]
pub(crate) struct People {
    by_id: BTreeMap<UserId, Person>,
    /// The server has given the list of contacts.
    list_known: bool,
    blocked: BTreeSet<UserId>,
    /// Names of people who are on no list: found by a search, called, not to be shown.
    strangers: BTreeMap<UserId, String>,
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
        let Some(person) = self.entry(id) else { return };
        person.presence = match (online, busy) {
            (false, _) => Presence::Offline,
            (true, Some(true)) => Presence::InCall,
            (true, _) => Presence::Ready,
        };
        if let Some(name) = name {
            person.name = name;
        }
    }

    /// Takes the list of contacts. Who has left it stays only while the server tells of their presence.
    pub(crate) fn handle_contacts(&mut self, contacts: Vec<Profile>) {
        self.list_known = true;
        let listed: BTreeSet<UserId> = contacts.iter().map(|contact| contact.id).collect();
        self.by_id
            .retain(|id, person| listed.contains(id) || person.presence != Presence::Unknown);
        for person in self.by_id.values_mut() {
            person.contact = listed.contains(&person.id);
        }
        for contact in contacts {
            let Some(person) = self.entry(contact.id) else {
                continue;
            };
            person.contact = true;
            if let Some(name) = contact.name {
                person.name = name;
            }
            if let (Presence::Unknown, Some(online)) = (person.presence, contact.online) {
                person.presence = if online {
                    Presence::Ready
                } else {
                    Presence::Offline
                };
            }
        }
    }

    /// Takes the list of those whose calls do not arrive.
    pub(crate) fn handle_blocked(&mut self, blocked: Vec<Profile>) {
        self.blocked = blocked.into_iter().map(|person| person.id).take(MOST).collect();
        for person in self.by_id.values_mut() {
            person.blocked = self.blocked.contains(&person.id);
        }
    }

    /// Brings what the lists say of a person up to date.
    pub(crate) fn mark(&self, person: &mut Person) {
        person.contact = self.by_id.get(&person.id).is_some_and(|listed| listed.contact);
        person.blocked = self.blocked.contains(&person.id);
    }

    /// People found by a search, as they are shown; their names are remembered.
    pub(crate) fn found(&mut self, profiles: Vec<Profile>) -> Vec<Person> {
        let shown = |profile: Profile| {
            if let Some(person) = self.by_id.get(&profile.id) {
                return person.clone();
            }
            let name = profile.name.unwrap_or_else(|| profile.id.to_string());
            if self.strangers.len() < MOST {
                self.strangers.insert(profile.id, name.clone());
            }
            Person {
                id: profile.id,
                name,
                presence: match profile.online {
                    Some(true) => Presence::Ready,
                    Some(false) => Presence::Offline,
                    None => Presence::Unknown,
                },
                contact: false,
                blocked: self.blocked.contains(&profile.id),
            }
        };
        profiles.into_iter().map(shown).collect()
    }

    /// Without the server nobody's presence is known.
    pub(crate) fn forget_presence(&mut self) {
        for person in self.by_id.values_mut() {
            person.presence = Presence::Unknown;
        }
    }

    /// Whether somebody is on the user's list; without a list, whether the server tells of somebody's presence, which it
    /// does of contacts alone (IM-Suite §11).
    pub(crate) fn is_contact(&self, party: &Party) -> bool {
        match party {
            Party::User(id) => self
                .by_id
                .get(id)
                .is_some_and(|person| person.contact || !self.list_known),
            Party::Room(_) => false,
        }
    }

    pub(crate) fn name_of(&self, party: &Party) -> Option<String> {
        match party {
            Party::User(id) => {
                let listed = self.by_id.get(id).map(|person| &person.name);
                listed.or_else(|| self.strangers.get(id)).cloned()
            }
            Party::Room(_) => None,
        }
    }

    pub(crate) fn list(&self) -> Vec<Person> {
        self.by_id.values().cloned().collect()
    }

    /// `None` when too many are known.
    fn entry(&mut self, id: UserId) -> Option<&mut Person> {
        if !self.by_id.contains_key(&id) && self.by_id.len() >= MOST {
            return None;
        }
        let name = self.strangers.get(&id);
        let person = self.by_id.entry(id).or_insert_with(|| Person {
            id,
            name: name.cloned().unwrap_or_else(|| id.to_string()),
            presence: Presence::Unknown,
            contact: false,
            blocked: self.blocked.contains(&id),
        });
        Some(person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u64) -> UserId {
        UserId::new(n).expect("id")
    }

    fn profile(n: u64, name: Option<&str>, online: Option<bool>) -> Profile {
        Profile {
            id: user(n),
            name: name.map(str::to_owned),
            online,
        }
    }

    fn listed(people: &People) -> Vec<(u64, String, Presence, bool)> {
        people
            .list()
            .into_iter()
            .map(|person| (person.id.as_u64(), person.name, person.presence, person.contact))
            .collect()
    }

    #[test]
    fn a_presence_without_a_name_keeps_the_name() {
        let mut people = People::default();
        people.handle_presence(user(7), Some("Ada".to_owned()), true, None);
        people.handle_presence(user(7), None, true, Some(true));
        assert_eq!(listed(&people), [(7, "Ada".to_owned(), Presence::InCall, false)]);
        people.forget_presence();
        assert_eq!(people.list()[0].presence, Presence::Unknown);
    }

    #[test]
    fn contacts_are_shown_before_the_server_tells_of_their_presence() {
        let mut people = People::default();
        people.handle_presence(user(2), None, true, None);
        people.handle_contacts(vec![
            profile(2, Some("Theo"), Some(false)),
            profile(3, Some("Lin"), None),
            profile(4, None, Some(true)),
        ]);
        assert_eq!(
            listed(&people),
            [
                (2, "Theo".to_owned(), Presence::Ready, true),
                (3, "Lin".to_owned(), Presence::Unknown, true),
                (4, "4".to_owned(), Presence::Ready, true),
            ]
        );
    }

    #[test]
    fn only_who_is_on_the_list_is_a_contact() {
        let mut people = People::default();
        people.handle_presence(user(2), None, true, None);
        let without_a_list = [2, 3].map(|n| people.is_contact(&Party::User(user(n))));
        assert_eq!(without_a_list, [true, false], "presence is for contacts");
        people.handle_contacts(vec![profile(3, None, None)]);
        assert!(people.is_contact(&Party::User(user(3))) && !people.is_contact(&Party::User(user(2))));
        people.handle_contacts(Vec::new());
        assert!(!people.is_contact(&Party::User(user(3))));
        assert_eq!(
            listed(&people).len(),
            1,
            "who is present stays, who left the list goes"
        );
    }

    #[test]
    fn somebody_found_keeps_the_name_and_is_on_no_list() {
        let mut people = People::default();
        people.handle_contacts(vec![profile(3, Some("Lin"), None)]);
        let found = people.found(vec![
            profile(9, Some("Maya"), None),
            profile(3, Some("lin"), None),
        ]);
        assert_eq!((found[0].contact, found[1].contact), (false, true));
        assert_eq!(found[1].name, "Lin", "as the user's own list has it");
        assert_eq!(people.name_of(&Party::User(user(9))).as_deref(), Some("Maya"));
        assert_eq!(people.list().len(), 1);
    }

    #[test]
    fn who_is_blocked_is_marked_wherever_they_are_shown() {
        let mut people = People::default();
        people.handle_contacts(vec![profile(3, None, None)]);
        people.handle_blocked(vec![profile(3, None, None), profile(9, None, None)]);
        assert!(people.list()[0].blocked && people.found(vec![profile(9, None, None)])[0].blocked);
        people.handle_presence(user(9), None, true, None);
        assert!(people.list().iter().all(|person| person.blocked));
        people.handle_blocked(Vec::new());
        assert!(people.list().iter().all(|person| !person.blocked));
    }

    #[test]
    fn a_flood_of_presence_is_bounded() {
        let mut people = People::default();
        for n in 1..=MOST as u64 + 10 {
            people.handle_presence(user(n), None, true, None);
        }
        assert_eq!(people.list().len(), MOST);
    }
}
