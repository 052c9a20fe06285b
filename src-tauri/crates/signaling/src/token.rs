//! What a JWT says about itself (RFC 7519), read without checking its signature: only the server can check it.

use ahoy_call::UserId;
use jiff::Timestamp;
use serde_json::Value;

/// The claims the client uses; everything else in a token is the server's business (IM-Suite §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenClaims {
    /// `user_id`, else a numeric `sub`.
    pub user: Option<UserId>,
    /// `exp`: when the token ends.
    pub expires: Option<Timestamp>,
}

impl TokenClaims {
    /// Reads a token; anything that is not a JWT has no claims.
    pub fn of(token: &str) -> Self {
        Self::read(token).unwrap_or_default()
    }

    fn read(token: &str) -> Option<Self> {
        let claims: Value = serde_json::from_slice(&decode_base64url(token.split('.').nth(1)?)?).ok()?;
        let user = [&claims["user_id"], &claims["sub"]].into_iter().find_map(user_of);
        let expires = claims["exp"]
            .as_f64()
            .filter(|seconds| seconds.abs() < 1e11)
            .and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
        Some(Self { user, expires })
    }
}

/// Takes numbers and, because `sub` is text by RFC 7519 §4.1.2, digits.
fn user_of(claim: &Value) -> Option<UserId> {
    let number = match claim {
        Value::Number(number) => number.as_u64()?,
        Value::String(digits) => digits.parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    UserId::new(number).ok()
}

/// Decodes base64url without padding (RFC 4648 §5); `None` on any other character.
fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let mut window: u32 = 0;
    let mut bits = 0;
    for character in text.trim_end_matches('=').bytes() {
        let sextet = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        window = (window << 6) | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(((window >> bits) & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_expiry_are_read() {
        // {"alg":"HS256","typ":"JWT"} . {"user_id":42,"exp":1760000000,"sub":"7"}
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjo0MiwiZXhwIjoxNzYwMDAwMDAwLCJzdWIiOiI3In0.c2ln";
        let claims = TokenClaims::of(token);
        assert_eq!(claims.user.map(UserId::as_u64), Some(42));
        assert_eq!(claims.expires.map(Timestamp::as_second), Some(1_760_000_000));
    }

    #[test]
    fn subject_names_the_user_where_user_id_is_missing() {
        // {"sub":"7"}
        let claims = TokenClaims::of("e30.eyJzdWIiOiI3In0.");
        assert_eq!(claims.user.map(UserId::as_u64), Some(7));
        assert_eq!(claims.expires, None);
    }

    #[test]
    fn anything_else_has_no_claims() {
        for token in ["", ".", "opaque", "a.b.c", "a.!!!.c", "e30.W10.", "e30.bnVsbA."] {
            assert_eq!(TokenClaims::of(token), TokenClaims::default(), "{token:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_panics(text in ".*") {
            TokenClaims::of(&text);
            TokenClaims::of(&format!("a.{text}.b"));
        }
    }
}
