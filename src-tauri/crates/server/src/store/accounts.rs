//! Accounts and their lists in SQL.

use super::{Database, StoreError};
use ahoy_call::UserId;
use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::BTreeSet;

/// One person as the database has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    pub id: UserId,
    pub name: String,
    pub phone: Option<String>,
    pub nickname: Option<String>,
    pub banned: bool,
    /// May not place calls.
    pub restricted: bool,
    /// Everybody of the server is a contact, as long as these are few.
    pub open_contacts: bool,
    pub token_version: u64,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// Somebody to add.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// `None` takes the next free number.
    pub id: Option<UserId>,
    pub name: String,
    pub phone: Option<String>,
    pub nickname: Option<String>,
    /// A PHC string.
    pub password_hash: Option<String>,
}

/// What signing in by password needs.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) id: UserId,
    pub(crate) password_hash: Option<String>,
}

/// One of the two lists that a person keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Contacts,
    Blocks,
}

impl List {
    fn table(self) -> &'static str {
        match self {
            List::Contacts => "contacts",
            List::Blocks => "blocks",
        }
    }
}

const COLUMNS: &str = "id, name, phone, nickname, banned, restricted, contacts, token_version, created_at";

impl Database {
    pub fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        let mut query = self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM accounts ORDER BY id"))?;
        let rows = query.query_map([], account)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub fn account(&self, id: UserId) -> Result<Option<AccountRow>, StoreError> {
        let mut query = self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE id = ?1"))?;
        Ok(query.query_row([Id(id)], account).optional()?)
    }

    /// The account that goes by this name, whatever the case of its letters.
    pub fn account_named(&self, name: &str) -> Result<Option<AccountRow>, StoreError> {
        let mut query = self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE name_key = ?1"))?;
        Ok(query.query_row([name.to_lowercase()], account).optional()?)
    }

    /// Who signs in with this name or phone number; a name counts before a number.
    pub(crate) fn credentials(&self, login: &str) -> Result<Option<Credentials>, StoreError> {
        let mut query = self.sql.prepare_cached(
            "SELECT id, password_hash FROM accounts WHERE name_key = ?1 OR phone = ?2 ORDER BY name_key <> ?1 LIMIT 1",
        )?;
        let found = query.query_row(params![login.to_lowercase(), login], |row| {
            Ok(Credentials {
                id: row.get::<_, Id>(0)?.0,
                password_hash: row.get(1)?,
            })
        });
        Ok(found.optional()?)
    }

    pub(crate) fn password_hash(&self, id: UserId) -> Result<Option<String>, StoreError> {
        let found = self.sql.query_row(
            "SELECT password_hash FROM accounts WHERE id = ?1",
            [Id(id)],
            |row| row.get::<_, Option<String>>(0),
        );
        Ok(found.optional()?.flatten())
    }

    /// Adds an account and tells its number.
    pub fn add_account(&mut self, new: &NewAccount) -> Result<UserId, StoreError> {
        let begun = self.sql.transaction()?;
        let id = match new.id {
            Some(id) => id,
            None => {
                let next: Option<u64> =
                    begun.query_row("SELECT max(id) + 1 FROM accounts", [], |row| row.get(0))?;
                UserId::new(next.unwrap_or(1)).map_err(|_| StoreError::NoFreeId)?
            }
        };
        let taken = |sql: &str, key: &dyn rusqlite::ToSql| -> Result<bool, StoreError> {
            Ok(begun.prepare_cached(sql)?.exists([key])?)
        };
        if taken("SELECT 1 FROM accounts WHERE id = ?1", &Id(id))? {
            return Err(StoreError::IdTaken { id });
        }
        if taken(
            "SELECT 1 FROM accounts WHERE name_key = ?1",
            &new.name.to_lowercase(),
        )? {
            return Err(StoreError::NameTaken {
                name: new.name.clone(),
            });
        }
        if let Some(phone) = &new.phone
            && taken("SELECT 1 FROM accounts WHERE phone = ?1", phone)?
        {
            return Err(StoreError::PhoneTaken { phone: phone.clone() });
        }
        begun.execute(
            "INSERT INTO accounts (id, name, name_key, phone, nickname, password_hash, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                Id(id),
                new.name,
                new.name.to_lowercase(),
                new.phone,
                new.nickname,
                new.password_hash,
                Timestamp::now().as_second()
            ],
        )?;
        begun.commit()?;
        Ok(id)
    }

    /// Makes sure that this id goes by this name.
    pub(crate) fn put_account(&mut self, id: UserId, name: &str) -> Result<(), StoreError> {
        if self.account(id)?.is_none() {
            let new = NewAccount {
                id: Some(id),
                name: name.to_owned(),
                phone: None,
                nickname: None,
                password_hash: None,
            };
            return self.add_account(&new).map(|_| ());
        }
        if self.account_named(name)?.is_some_and(|other| other.id != id) {
            return Err(StoreError::NameTaken {
                name: name.to_owned(),
            });
        }
        self.sql.execute(
            "UPDATE accounts SET name = ?2, name_key = ?3 WHERE id = ?1",
            params![Id(id), name, name.to_lowercase()],
        )?;
        Ok(())
    }

    /// Sets a password; every token of the account is worthless from then on.
    pub fn set_password(&mut self, id: UserId, hash: &str) -> Result<(), StoreError> {
        self.sql.execute(
            "UPDATE accounts SET password_hash = ?2, token_version = token_version + 1 WHERE id = ?1",
            params![Id(id), hash],
        )?;
        self.sql
            .execute("DELETE FROM sessions WHERE account = ?1", [Id(id)])?;
        Ok(())
    }

    /// Bans or unbans; a ban makes every token of the account worthless.
    pub fn set_banned(&mut self, id: UserId, banned: bool) -> Result<(), StoreError> {
        self.sql.execute(
            "UPDATE accounts SET banned = ?2, token_version = token_version + ?2 WHERE id = ?1 AND banned <> ?2",
            params![Id(id), banned],
        )?;
        Ok(())
    }

    /// Whether the account may place calls.
    pub fn set_restricted(&mut self, id: UserId, restricted: bool) -> Result<(), StoreError> {
        self.sql.execute(
            "UPDATE accounts SET restricted = ?2 WHERE id = ?1",
            params![Id(id), restricted],
        )?;
        Ok(())
    }

    /// Whether everybody of the server is a contact of this account.
    pub fn set_open_contacts(&mut self, id: UserId, open: bool) -> Result<(), StoreError> {
        let word = if open { "open" } else { "closed" };
        self.sql.execute(
            "UPDATE accounts SET contacts = ?2 WHERE id = ?1",
            params![Id(id), word],
        )?;
        Ok(())
    }

    pub fn list(&self, list: List, owner: UserId) -> Result<BTreeSet<UserId>, StoreError> {
        let table = list.table();
        let mut query = self
            .sql
            .prepare_cached(&format!("SELECT other FROM {table} WHERE owner = ?1"))?;
        let rows = query.query_map([Id(owner)], |row| Ok(row.get::<_, Id>(0)?.0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All entries of a list of all people: owner and other.
    pub(super) fn all_of_list(&self, list: List) -> Result<Vec<(UserId, UserId)>, StoreError> {
        let table = list.table();
        let mut query = self
            .sql
            .prepare_cached(&format!("SELECT owner, other FROM {table}"))?;
        let rows = query.query_map([], |row| Ok((row.get::<_, Id>(0)?.0, row.get::<_, Id>(1)?.0)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts somebody on a list; somebody who is on it stays.
    pub fn add_to_list(&mut self, list: List, owner: UserId, other: UserId) -> Result<(), StoreError> {
        let table = list.table();
        let begun = self.sql.transaction()?;
        let length: usize = begun
            .prepare_cached(&format!("SELECT count(*) FROM {table} WHERE owner = ?1"))?
            .query_row([Id(owner)], |row| row.get(0))?;
        if length >= LIST_LIMIT {
            return Err(StoreError::ListFull);
        }
        begun.execute(
            &format!("INSERT OR IGNORE INTO {table} (owner, other) VALUES (?1, ?2)"),
            [Id(owner), Id(other)],
        )?;
        begun.commit()?;
        Ok(())
    }

    /// Takes somebody off a list. An open contact list closes thereby: it becomes everybody else.
    pub fn remove_from_list(&mut self, list: List, owner: UserId, other: UserId) -> Result<(), StoreError> {
        let begun = self.sql.transaction()?;
        if list == List::Contacts {
            let closed = begun.execute(
                "UPDATE accounts SET contacts = 'closed' WHERE id = ?1 AND contacts = 'open'",
                [Id(owner)],
            )?;
            if closed > 0 {
                begun.execute(
                    "INSERT OR IGNORE INTO contacts (owner, other)
                     SELECT ?1, id FROM accounts WHERE id <> ?1 AND (SELECT count(*) FROM accounts) <= ?2",
                    params![Id(owner), OPEN_LIST_PEOPLE],
                )?;
            }
        }
        let table = list.table();
        begun.execute(
            &format!("DELETE FROM {table} WHERE owner = ?1 AND other = ?2"),
            [Id(owner), Id(other)],
        )?;
        begun.commit()?;
        Ok(())
    }

    /// Accounts whose name, nickname or phone has the words; a phone only in full, so that nobody can feel for digits.
    pub(crate) fn search(&self, words: &str, limit: usize) -> Result<Vec<UserId>, StoreError> {
        let mut query = self.sql.prepare_cached(
            "SELECT id FROM accounts
             WHERE NOT banned AND (name_key LIKE ?1 ESCAPE '\\' OR nickname LIKE ?1 ESCAPE '\\' OR phone = ?2)
             ORDER BY length(name), name_key LIMIT ?3",
        )?;
        let pattern = format!("%{}%", escaped(&words.to_lowercase()));
        let rows = query.query_map(params![pattern, words, limit], |row| Ok(row.get::<_, Id>(0)?.0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The most people of whom an open list makes everybody a contact: an organisation, not a public server (chosen).
pub(crate) const OPEN_LIST_PEOPLE: usize = 500;
/// The most people on one list (chosen; it bounds what one account can make the server keep).
const LIST_LIMIT: usize = 5_000;

/// A text that LIKE takes literally.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn account(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    Ok(AccountRow {
        id: row.get::<_, Id>(0)?.0,
        name: row.get(1)?,
        phone: row.get(2)?,
        nickname: row.get(3)?,
        banned: row.get(4)?,
        restricted: row.get(5)?,
        open_contacts: row.get_ref(6)?.as_str()? == "open",
        token_version: row.get(7)?,
        created_at: row.get(8)?,
    })
}

/// An id as a column.
#[derive(Clone, Copy)]
pub(super) struct Id(pub(super) UserId);

impl rusqlite::ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        let number = i64::try_from(self.0.as_u64()).expect("ids are below 2^53");
        Ok(number.into())
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u64::try_from(value.as_i64()?).map_err(|_| FromSqlError::InvalidType)?;
        UserId::new(number).map(Id).map_err(|_| FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(names: &[&str]) -> (Database, Vec<UserId>) {
        let mut database = Database::in_memory().unwrap();
        let ids = names
            .iter()
            .map(|name| add(&mut database, name).unwrap())
            .collect();
        (database, ids)
    }

    fn add(database: &mut Database, name: &str) -> Result<UserId, StoreError> {
        database.add_account(&NewAccount {
            id: None,
            name: name.to_owned(),
            phone: None,
            nickname: None,
            password_hash: None,
        })
    }

    #[test]
    fn names_differ_in_more_than_case() {
        let (mut database, ids) = database(&["Ada", "Ümit"]);
        assert_eq!(ids.iter().map(|id| id.as_u64()).collect::<Vec<_>>(), [1, 2]);
        for taken in ["ada", "ADA", "ümit", "ÜMIT"] {
            assert!(
                matches!(add(&mut database, taken), Err(StoreError::NameTaken { name }) if name == taken)
            );
        }
        assert_eq!(database.credentials("aDA").unwrap().unwrap().id, ids[0]);
        assert!(database.credentials("Eve").unwrap().is_none());
    }

    #[test]
    fn phones_are_unique_and_sign_in() {
        let mut database = Database::in_memory().unwrap();
        let mut new = NewAccount {
            id: Some(UserId::new(7).unwrap()),
            name: "Ada".into(),
            phone: Some("+4930123".into()),
            nickname: None,
            password_hash: Some("hash".into()),
        };
        database.add_account(&new).unwrap();
        let found = database.credentials("+4930123").unwrap().unwrap();
        assert_eq!(
            (found.id.as_u64(), found.password_hash.as_deref()),
            (7, Some("hash"))
        );
        (new.id, new.name) = (None, "Ben".into());
        assert!(matches!(
            database.add_account(&new),
            Err(StoreError::PhoneTaken { .. })
        ));
        new.phone = None;
        assert_eq!(database.add_account(&new).unwrap().as_u64(), 8);
        new.id = UserId::new(7).ok();
        new.name = "Cora".into();
        assert!(matches!(
            database.add_account(&new),
            Err(StoreError::IdTaken { .. })
        ));
    }

    #[test]
    fn a_password_and_a_ban_make_old_tokens_worthless() {
        let (mut database, ids) = database(&["Ada"]);
        let version = |database: &Database| database.account(ids[0]).unwrap().unwrap().token_version;
        database.set_password(ids[0], "hash").unwrap();
        assert_eq!(version(&database), 1);
        database.set_banned(ids[0], true).unwrap();
        database.set_banned(ids[0], true).unwrap();
        assert_eq!(version(&database), 2, "banning twice is banning once");
        database.set_banned(ids[0], false).unwrap();
        assert_eq!(version(&database), 2);
    }

    #[test]
    fn an_open_list_closes_when_somebody_is_taken_off_it() {
        let (mut database, ids) = database(&["Ada", "Ben", "Cora"]);
        database.remove_from_list(List::Contacts, ids[0], ids[1]).unwrap();
        assert!(!database.account(ids[0]).unwrap().unwrap().open_contacts);
        assert_eq!(
            database.list(List::Contacts, ids[0]).unwrap(),
            BTreeSet::from([ids[2]])
        );
        database.add_to_list(List::Contacts, ids[0], ids[1]).unwrap();
        database.add_to_list(List::Contacts, ids[0], ids[1]).unwrap();
        assert_eq!(database.list(List::Contacts, ids[0]).unwrap().len(), 2);
        database.add_to_list(List::Blocks, ids[0], ids[2]).unwrap();
        database.remove_from_list(List::Blocks, ids[0], ids[1]).unwrap();
        assert_eq!(
            database.list(List::Blocks, ids[0]).unwrap(),
            BTreeSet::from([ids[2]])
        );
    }

    #[test]
    fn a_search_takes_its_words_literally_and_hides_the_banned() {
        let (mut database, ids) = database(&["Ada", "Adam", "per%cent", "under_score", "Bad Ada"]);
        database.set_banned(ids[4], true).unwrap();
        let search = |words: &str| database.search(words, 10).unwrap();
        assert_eq!(search("ADA"), [ids[0], ids[1]]);
        assert_eq!(search("%"), [ids[2]]);
        assert_eq!(search("_"), [ids[3]]);
        assert!(search("\\").is_empty());
        assert_eq!(database.search("a", 1).unwrap().len(), 1);
    }

    #[test]
    fn an_id_keeps_its_account_when_it_is_given_again() {
        let (mut database, ids) = database(&["Ada", "Ben"]);
        database.set_password(ids[0], "hash").unwrap();
        database.put_account(ids[0], "Ada Lovelace").unwrap();
        let account = database.account(ids[0]).unwrap().unwrap();
        assert_eq!(
            (account.name.as_str(), account.token_version),
            ("Ada Lovelace", 1)
        );
        assert!(matches!(
            database.put_account(ids[0], "ben"),
            Err(StoreError::NameTaken { .. })
        ));
    }
}
