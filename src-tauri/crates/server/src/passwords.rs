//! Passwords: kept as Argon2id, compared at a bounded pace.

use ahoy_call::UserId;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Memory in KiB, passes and lanes: the least that OWASP's Password Storage Cheat Sheet advises for Argon2id.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Passwords that are worked on at once: each takes a core for tens of milliseconds and 19 MiB.
const AT_ONCE: usize = 2;
/// Passwords that wait for that; further ones are refused (chosen: about a second of work).
const WAITING: usize = 32;
/// Bytes of a password; Argon2 would take 4 GiB, a person does not (chosen).
const LONGEST: usize = 1024;

/// Hashes a password into a PHC string. Blocks for tens of milliseconds.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() || password.len() > LONGEST {
        return Err(PasswordError::Length);
    }
    match argon2().hash_password(password.as_bytes()) {
        Ok(hash) => Ok(hash.to_string()),
        Err(_) => Err(PasswordError::Hash),
    }
}

/// Makes up a password of 120 random bits.
pub fn generate_password() -> Result<String, PasswordError> {
    /// Without the letters that look alike.
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|_| PasswordError::Hash)?;
    let letters = random.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(letters.iter().collect())
}

/// A password that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is empty or longer than {LONGEST} bytes")]
    Length,
    #[error("the password cannot be hashed")]
    Hash,
}

/// Too many sign-ins at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// Compares passwords, at most [`AT_ONCE`] at a time.
pub(crate) struct Passwords {
    /// Of accounts that live in memory only: these are never hashed, so that a server starts at once.
    given: HashMap<UserId, String>,
    /// What an attempt without a hash is compared to, so that it takes as long as any other.
    decoy: Arc<str>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Passwords {
    pub(crate) fn new(given: HashMap<UserId, String>) -> Self {
        // The right form with a hash that no password has.
        let (memory, passes, lanes) = COST;
        let decoy = format!(
            "$argon2id$v=19$m={memory},t={passes},p={lanes}$c2FsdCBmb3IgYSBkZWNveQ${}",
            "A".repeat(43)
        );
        Self {
            given,
            decoy: decoy.into(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Whether this is the password of the account that was found; `None` for an unknown name. Takes the same time
    /// whatever the answer is.
    pub(crate) async fn check(
        &self,
        found: Option<(UserId, Option<String>)>,
        password: String,
    ) -> Result<Option<UserId>, Busy> {
        let (id, hash) = match found {
            Some((id, hash)) => (Some(id), hash),
            None => (None, None),
        };
        let is_given = id.and_then(|id| self.given.get(&id)).map(|given| {
            let equal: bool = given.as_bytes().ct_eq(password.as_bytes()).into();
            equal
        });
        let hash: Arc<str> = hash.map_or_else(|| Arc::clone(&self.decoy), Arc::from);
        let is_hashed = self.work(move || verify(&password, &hash)).await?;
        Ok(id.filter(|_| is_given.unwrap_or(is_hashed)))
    }

    /// The hash of each password whose account does not have it already; a server hashes those given at its start.
    pub(crate) async fn hash_changed(
        &self,
        password: String,
        kept: Option<String>,
    ) -> Result<Option<Result<String, PasswordError>>, Busy> {
        self.work(move || {
            let is_kept = kept.is_some_and(|hash| verify(&password, &hash));
            (!is_kept).then(|| hash_password(&password))
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _place = Place::take(&self.waiting)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.map_err(|_| Busy)
    }
}

/// One of the places to wait in, until dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Busy> {
        let place = Self(waiting);
        match waiting.fetch_add(1, Ordering::Relaxed) < AT_ONCE + WAITING {
            true => Ok(place),
            false => Err(Busy),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords")
    }
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).expect("the cost above is valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn verify(password: &str, hash: &str) -> bool {
    password.len() <= LONGEST
        && PasswordHash::new(hash)
            .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;
    use std::time::{Duration, Instant};

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn a_hash_names_its_cost_and_no_two_are_alike() {
        let hash = hash_password("secret").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hash_password("secret").unwrap());
        assert!(verify("secret", &hash));
        assert!(!verify("Secret", &hash));
        assert!(!verify("secret", "not a hash"));
    }

    #[test]
    fn empty_and_endless_passwords_are_refused() {
        assert_eq!(hash_password(""), Err(PasswordError::Length));
        assert_eq!(hash_password(&"x".repeat(1025)), Err(PasswordError::Length));
        assert!(hash_password(&"x".repeat(1024)).is_ok());
    }

    #[test]
    fn made_up_passwords_are_long_and_different() {
        let one = generate_password().unwrap();
        assert_eq!(one.len(), 24);
        assert_ne!(one, generate_password().unwrap());
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_is_taken() {
        let passwords = Passwords::new(HashMap::from([(user(1), "given".to_owned())]));
        let hash = hash_password("secret").unwrap();
        for (found, password, right) in [
            (Some((user(1), None)), "given", true),
            (Some((user(1), None)), "Given", false),
            (Some((user(2), Some(hash.clone()))), "secret", true),
            (Some((user(2), Some(hash))), "given", false),
            (Some((user(3), None)), "secret", false),
            (None, "secret", false),
        ] {
            let id = found.as_ref().map(|(id, _)| *id);
            let answer = passwords.check(found, password.to_owned()).await.unwrap();
            assert_eq!(answer, id.filter(|_| right), "{id:?} {password}");
        }
    }

    #[tokio::test]
    async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
        let passwords = Passwords::new(HashMap::new());
        let hash = hash_password("secret").unwrap();
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..5 {
            // One after the other, so that a busy moment meets both.
            for (fastest, found) in fastest
                .iter_mut()
                .zip([Some((user(1), Some(hash.clone()))), None])
            {
                let begun = Instant::now();
                assert_eq!(passwords.check(found, "wrong".into()).await, Ok(None));
                *fastest = (*fastest).min(begun.elapsed());
            }
        }
        let [known, unknown] = fastest;
        // Without a decoy an unknown name takes a hundredth.
        let ratio = unknown.as_secs_f64() / known.as_secs_f64();
        assert!((0.1..10.0).contains(&ratio), "{unknown:?} and {known:?}");
    }

    #[tokio::test]
    async fn a_crowd_is_refused_and_leaves_no_trace() {
        let passwords = Passwords::new(HashMap::new());
        // Every turn is taken, so that no attempt ends while the others come.
        let taken = Arc::clone(&passwords.turns)
            .acquire_many_owned(u32::try_from(AT_ONCE).unwrap())
            .await
            .unwrap();
        let mut attempts: Vec<_> = (0..AT_ONCE + WAITING + 5)
            .map(|_| Box::pin(passwords.work(|| ())))
            .collect();
        let mut waiting = Vec::new();
        for mut attempt in attempts.drain(..) {
            match futures_util::poll!(&mut attempt) {
                Poll::Pending => waiting.push(attempt),
                Poll::Ready(outcome) => assert!(outcome.is_err()),
            }
        }
        assert_eq!(waiting.len(), AT_ONCE + WAITING);
        drop(taken);
        let outcomes = futures_util::future::join_all(waiting).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert!(passwords.work(|| ()).await.is_ok());
    }
}
