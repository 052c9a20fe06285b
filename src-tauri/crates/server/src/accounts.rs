//! Who may sign in, held in memory.

use crate::config::Account;
use ahoy_call::UserId;
use std::collections::HashMap;
use subtle::ConstantTimeEq;

#[derive(Debug)]
pub(crate) struct Accounts {
    by_id: HashMap<UserId, Account>,
}

impl Accounts {
    /// Takes the accounts; of two with one id the later counts.
    pub(crate) fn new(accounts: Vec<Account>) -> Self {
        Self {
            by_id: accounts
                .into_iter()
                .map(|account| (account.id, account))
                .collect(),
        }
    }

    pub(crate) fn name(&self, id: UserId) -> Option<&str> {
        self.by_id.get(&id).map(|account| account.name.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.by_id.values()
    }

    /// The account of a name and its password. Every account is compared in full, so the time taken tells neither
    /// whether the name exists nor where the password differs.
    pub(crate) fn sign_in(&self, name: &str, password: &str) -> Option<&Account> {
        self.by_id.values().fold(None, |found, account| {
            let right = account.name.as_bytes().ct_eq(name.as_bytes())
                & account.password.as_bytes().ct_eq(password.as_bytes());
            if bool::from(right) { Some(account) } else { found }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_name_and_password_together_sign_in() {
        let id = UserId::new(7).unwrap();
        let accounts = Accounts::new(vec![Account::new(id, "Ada", "secret")]);
        assert_eq!(
            accounts.sign_in("Ada", "secret").map(|account| account.id),
            Some(id)
        );
        for (name, password) in [
            ("Ada", "Secret"),
            ("Ada", ""),
            ("ada", "secret"),
            ("", ""),
            ("Ada", "secret "),
        ] {
            assert!(accounts.sign_in(name, password).is_none(), "{name} {password}");
        }
    }
}
