//! The actor's dealings with the REST half of the server: contacts, search, history, and who the user is.
//!
//! Each question is a task of its own whose answer comes back through the inbox; nothing here waits.

use crate::actor::Actor;
use crate::history;
use crate::inbox::Message;
use crate::snapshot::{CommandRefused, Found, RecentCall, SearchState, Snapshot};
use ahoy_call::{Party, UserId};
use ahoy_signaling::Secret;
use ahoy_signaling::rest::{CallRecord, List, Profile, Rest, RestError};
use std::time::Instant;

/// Longest keyword that is asked for, characters; no name is longer. Chosen.
const LONGEST_KEYWORD: usize = 64;
/// Most people shown for one search; who looks for somebody types more. Chosen.
const MOST_FOUND: usize = 50;

/// What the server answered.
pub(crate) enum AccountNews {
    Me(Result<Profile, RestError>),
    Listed(List, Result<Vec<Profile>, RestError>),
    ListChanged(List, Result<(), RestError>),
    Found {
        keyword: String,
        result: Result<Vec<Profile>, RestError>,
    },
    History(Result<Vec<CallRecord>, RestError>),
}

impl Actor {
    /// Asks for what the server keeps for the user, after each sign-in.
    pub(crate) fn fetch_account(&mut self) {
        self.ice.look_ahead();
        self.fetch_list(List::Contacts);
        self.fetch_list(List::Blocked);
        self.fetch_history();
    }

    pub(crate) fn fetch_me(&self) {
        self.ask(|rest, token| async move { AccountNews::Me(rest.me(&token).await) });
    }

    fn fetch_list(&self, list: List) {
        self.ask(move |rest, token| async move { AccountNews::Listed(list, rest.list(&token, list).await) });
    }

    pub(crate) fn fetch_history(&self) {
        self.ask(|rest, token| async move {
            AccountNews::History(rest.calls(&token, Snapshot::RECENT, None).await)
        });
    }

    pub(crate) fn search(&mut self, keyword: &str) -> Result<(), CommandRefused> {
        let keyword: String = keyword.trim().chars().take(LONGEST_KEYWORD).collect();
        if keyword.is_empty() {
            self.found = None;
            return Ok(());
        }
        self.found = Some(Found {
            keyword: keyword.clone(),
            people: self.found.take().map(|found| found.people).unwrap_or_default(),
            state: SearchState::Searching,
        });
        self.ask(move |rest, token| async move {
            let result = rest.search(&token, &keyword).await;
            AccountNews::Found { keyword, result }
        });
        Ok(())
    }

    /// Puts somebody on a list of the user or takes them off; the server's own list is shown once it has answered.
    pub(crate) fn change_list(&mut self, list: List, user: UserId, on: bool) -> Result<(), CommandRefused> {
        self.ask(move |rest, token| async move {
            let changed = if on {
                rest.add(&token, list, user).await
            } else {
                rest.remove(&token, list, user).await
            };
            AccountNews::ListChanged(list, changed)
        });
        Ok(())
    }

    pub(crate) fn handle_account(&mut self, news: AccountNews) {
        match news {
            AccountNews::Me(Ok(me)) => self.protocol.handle_user(Instant::now(), me.id),
            AccountNews::Me(Err(error)) => {
                tracing::warn!(%error, "the server does not say who this user is");
                self.fail_sign_in(crate::problem::unknown_user(&error));
            }
            AccountNews::Listed(list, Ok(people)) => {
                let others: Vec<Profile> = people
                    .into_iter()
                    .filter(|person| !self.is_me(person.id))
                    .collect();
                match list {
                    List::Contacts => self.people.handle_contacts(others),
                    List::Blocked => self.people.handle_blocked(others),
                }
                self.refresh_found();
            }
            AccountNews::ListChanged(list, Ok(())) => self.fetch_list(list),
            AccountNews::ListChanged(_, Err(error)) => {
                self.notice("contact_failed", error.to_string());
            }
            AccountNews::Found { keyword, result } => self.take_found(&keyword, result),
            AccountNews::History(Ok(records)) => self.take_history(&records),
            // A server without lists of its own is no error: presence and this program's own calls remain.
            AccountNews::Listed(_, Err(error)) | AccountNews::History(Err(error)) => {
                tracing::debug!(%error, "the server's lists are not known");
            }
        }
    }

    fn take_found(&mut self, keyword: &str, result: Result<Vec<Profile>, RestError>) {
        // The answer to a search that was given up, or to an older one.
        let Some(found) = self.found.as_mut().filter(|found| found.keyword == keyword) else {
            return;
        };
        match result {
            Ok(mut profiles) => {
                let me = self.me.clone();
                profiles.retain(|profile| me != Some(Party::User(profile.id)));
                profiles.truncate(MOST_FOUND);
                found.people = self.people.found(profiles);
                found.state = SearchState::Done;
            }
            Err(error) => {
                tracing::debug!(%error, "search failed");
                found.people.clear();
                found.state = SearchState::Failed;
            }
        }
    }

    /// Somebody who was found may have come onto a list.
    fn refresh_found(&mut self) {
        let Some(found) = &mut self.found else { return };
        for person in &mut found.people {
            self.people.mark(person);
        }
    }

    fn take_history(&mut self, records: &[CallRecord]) {
        if let Some(Party::User(me)) = self.me {
            history::merge(&mut self.recent, records, me, self.started);
            self.name_recent();
        }
    }

    /// Records name nobody; people do.
    fn name_recent(&mut self) {
        let people = &self.people;
        let nameless = |call: &&mut RecentCall| call.ended.peer_name.is_none();
        for call in self.recent.iter_mut().filter(nameless) {
            call.ended.peer_name = people.name_of(&call.ended.peer);
        }
    }

    fn is_me(&self, user: UserId) -> bool {
        self.me == Some(Party::User(user))
    }

    /// Asks in a task; without a token there is nobody to ask.
    fn ask<F>(&self, question: impl FnOnce(Rest, Secret) -> F)
    where
        F: Future<Output = AccountNews> + Send + 'static,
    {
        let token = self.token.borrow().clone();
        let (Some(rest), Some(token)) = (self.rest.clone(), token) else {
            return;
        };
        let (inbox, answer) = (self.inbox.clone(), question(rest, token));
        tokio::spawn(async move { inbox.send(Message::Account(answer.await)).await });
    }
}
