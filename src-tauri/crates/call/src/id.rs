//! Names of calls and of the two sides.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A text or number that is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// IM-Suite §2: `[A-Za-z0-9_.:-]{1,100}`.
    #[error("call id has a character outside A-Z a-z 0-9 _ . : - or is not 1 to 100 long")]
    Call,
    /// IM-Suite §2: an integer from 1 to 2^53-1.
    #[error("user id is not an integer from 1 to 9007199254740991")]
    User,
    /// ZLMediaKit rooms: 1 to 256 bytes without control characters.
    #[error("room id is empty, longer than 256 bytes or has a control character")]
    Room,
}

/// Names one call on its server; made by the caller and never used twice.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CallId(String);

impl TryFrom<String> for CallId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl CallId {
    /// Checks the alphabet and length of IM-Suite §2.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
        if (1..=100).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text))
        } else {
            Err(IdError::Call)
        }
    }

    /// Makes a fresh id of 128 random bits: `call_` and 32 hexadecimal digits (IM-Suite §2 asks for 96 bits).
    pub fn from_random(random: [u8; 16]) -> Self {
        let mut text = String::from("call_");
        for byte in random {
            text.push_str(&format!("{byte:02x}"));
        }
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a person on an IM-Suite server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct UserId(u64);

impl TryFrom<u64> for UserId {
    type Error = IdError;

    fn try_from(number: u64) -> Result<Self, IdError> {
        Self::new(number)
    }
}

impl UserId {
    /// The largest id: integers of JSON are exact up to 2^53-1 (IM-Suite §2).
    pub const MAX: u64 = (1 << 53) - 1;

    pub fn new(number: u64) -> Result<Self, IdError> {
        if (1..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(IdError::User)
        }
    }

    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// Names a room on a ZLMediaKit server.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(String);

impl RoomId {
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        if (1..=256).contains(&text.len()) && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(IdError::Room)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One side of a call, as its protocol addresses it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    User(UserId),
    Room(RoomId),
}

macro_rules! shown_as_its_text {
    ($($type:ty => $field:tt),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.$field, f)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.$field, f)
            }
        }
    )*};
}
shown_as_its_text!(CallId => 0, UserId => 0, RoomId => 0);

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::User(id) => id.fmt(f),
            Party::Room(id) => id.fmt(f),
        }
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_take_the_alphabet_of_the_specification_only() {
        assert!(CallId::new("call_123456789").is_ok());
        assert!(CallId::new("A.b:c-d_9").is_ok());
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(101)] {
            assert_eq!(CallId::new(bad), Err(IdError::Call), "{bad:?}");
        }
        assert_eq!(CallId::from_random([0xab; 16]).as_str().len(), 37);
    }

    #[test]
    fn user_ids_are_exact_json_integers() {
        assert_eq!(UserId::new(0), Err(IdError::User));
        assert_eq!(
            UserId::new(UserId::MAX).map(UserId::as_u64),
            Ok(9_007_199_254_740_991)
        );
        assert_eq!(UserId::new(UserId::MAX + 1), Err(IdError::User));
    }
}
