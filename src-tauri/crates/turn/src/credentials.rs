//! Time-limited TURN credentials (IM-Suite §11): `<unix expiry>:<user>` and an HMAC-SHA1 of it.
//!
//! Whoever signs people in and the relay share one secret, so the relay needs no list of users. coturn calls the same
//! scheme `use-auth-secret`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::fmt;
use std::time::Duration;

/// The longest username that is looked at, in bytes: an expiry, a colon and an id of any kind (chosen).
const MAX_USERNAME: usize = 128;

/// The key that credentials are made with; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnSecret(Vec<u8>);

impl TurnSecret {
    /// Bytes of a random secret: as many as the HMAC puts out (RFC 2104 §3).
    const RANDOM_BYTES: usize = 20;

    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Makes a secret that nobody knows; credentials end with the process.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; Self::RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for TurnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnSecret(…)")
    }
}

/// What a client is given to use the relay.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub credential: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Makes credentials for `user` that are good for `ttl` from `now` on, in unix seconds.
pub fn issue(secret: &TurnSecret, user: &str, now: u64, ttl: Duration) -> Credentials {
    let username = format!("{}:{user}", now.saturating_add(ttl.as_secs()));
    let credential = password(secret, &username);
    Credentials { username, credential }
}

/// Why credentials open nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("the username is not an expiry and a user")]
    Malformed,
    #[error("the credentials have expired")]
    Expired,
    #[error("the credential does not belong to the username")]
    Wrong,
}

/// Checks a pair of username and credential at `now` in unix seconds; returns the user.
pub fn verify<'a>(
    secret: &TurnSecret,
    username: &'a str,
    credential: &str,
    now: u64,
) -> Result<&'a str, CredentialError> {
    let (expires, user) = parse(username)?;
    let expected = password(secret, username);
    if !bool::from(subtle::ConstantTimeEq::ct_eq(
        expected.as_bytes(),
        credential.as_bytes(),
    )) {
        return Err(CredentialError::Wrong);
    }
    if expires < now {
        return Err(CredentialError::Expired);
    }
    Ok(user)
}

/// Takes a username apart into unix expiry and user.
pub(crate) fn parse(username: &str) -> Result<(u64, &str), CredentialError> {
    if username.len() > MAX_USERNAME {
        return Err(CredentialError::Malformed);
    }
    let (expires, user) = username.split_once(':').ok_or(CredentialError::Malformed)?;
    if expires.is_empty() || user.is_empty() || !expires.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CredentialError::Malformed);
    }
    let expires = expires.parse().map_err(|_| CredentialError::Malformed)?;
    Ok((expires, user))
}

/// The password that belongs to a username.
pub(crate) fn password(secret: &TurnSecret, username: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret.0);
    STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TurnSecret {
        TurnSecret::new(*b"north")
    }

    #[test]
    fn the_credential_is_what_openssl_makes_of_the_same_secret() {
        // printf '1700000000:7' | openssl dgst -sha1 -hmac north -binary | base64
        let issued = issue(&secret(), "7", 1_699_996_400, Duration::from_secs(3600));
        assert_eq!(issued.username, "1700000000:7");
        assert_eq!(issued.credential, OPENSSL);
    }
    const OPENSSL: &str = "PPWz7PpRwxKwGzZCJzS+CZ2BJhk=";

    #[test]
    fn credentials_open_until_their_expiry_and_not_after() {
        let issued = issue(&secret(), "7", 1000, Duration::from_secs(60));
        let at = |now| verify(&secret(), &issued.username, &issued.credential, now);
        assert_eq!(at(1060), Ok("7"));
        assert_eq!(at(1061), Err(CredentialError::Expired));
    }

    #[test]
    fn a_credential_does_not_fit_another_user_expiry_or_secret() {
        let issued = issue(&secret(), "7", 1000, Duration::from_secs(60));
        for username in ["1060:8", "9060:7"] {
            let wrong = verify(&secret(), username, &issued.credential, 1000);
            assert_eq!(wrong, Err(CredentialError::Wrong));
        }
        let other = TurnSecret::new(*b"south");
        let wrong = verify(&other, &issued.username, &issued.credential, 1000);
        assert_eq!(wrong, Err(CredentialError::Wrong));
    }

    #[test]
    fn usernames_of_another_form_open_nothing() {
        let long = format!("1:{}", "x".repeat(200));
        for username in [
            "",
            ":",
            "7",
            "x:7",
            "1:",
            ":7",
            "-1:7",
            "99999999999999999999:7",
            &long,
        ] {
            assert_eq!(parse(username), Err(CredentialError::Malformed), "{username}");
        }
    }

    #[test]
    fn neither_secret_nor_credential_shows_in_debug_output() {
        let issued = issue(&secret(), "7", 1000, Duration::from_secs(60));
        let shown = format!("{:?} {issued:?}", secret());
        assert!(!shown.contains("north") && !shown.contains(&issued.credential));
    }
}
