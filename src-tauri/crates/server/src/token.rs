//! Tokens: issued at sign-in, verified before a WebSocket is opened (IM-Suite §1.3).

use crate::config::JwtSecret;
use ahoy_call::UserId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How far clocks may differ, in seconds (IM-Suite §16.1).
pub(crate) const LEEWAY: u64 = 30;
/// The kind of token that opens a WebSocket.
const ACCESS: &str = "access";

/// Issues and verifies tokens with one key.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    issuer: String,
    ttl: Duration,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    /// Seconds since 1970.
    pub(crate) expires_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<u64>,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    username: String,
    exp: i64,
    #[serde(default)]
    iat: i64,
    #[serde(default)]
    nbf: i64,
    #[serde(default)]
    iss: String,
    #[serde(default)]
    token_type: String,
}

/// A token that does not open anything; the reason stays with the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is malformed, expired, or signed by somebody else")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("the token is not an access token")]
    NotAccess,
    #[error("the token names no user")]
    NoUser,
}

impl Tokens {
    pub(crate) fn new(secret: &JwtSecret, issuer: String, ttl: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.set_issuer(&[&issuer]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        Self {
            encoding: EncodingKey::from_secret(&secret.0),
            decoding: DecodingKey::from_secret(&secret.0),
            validation,
            issuer,
            ttl,
        }
    }

    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Issues an access token; `now` in seconds since 1970.
    pub(crate) fn issue(&self, now: i64, user: UserId, name: &str) -> String {
        let claims = Claims {
            user_id: Some(user.as_u64()),
            sub: user.to_string(),
            username: name.to_owned(),
            exp: now.saturating_add_unsigned(self.ttl.as_secs()),
            iat: now,
            nbf: now,
            iss: self.issuer.clone(),
            token_type: ACCESS.to_owned(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("HS256 signs any claims with any key")
    }

    /// Verifies signature, algorithm, times, issuer and kind.
    pub(crate) fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)?.claims;
        if claims.token_type != ACCESS {
            return Err(TokenError::NotAccess);
        }
        let number = claims
            .user_id
            .or_else(|| claims.sub.parse().ok())
            .ok_or(TokenError::NoUser)?;
        let user = UserId::new(number).map_err(|_| TokenError::NoUser)?;
        Ok(Identity {
            user,
            expires_at: claims.exp,
        })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn tokens(fill: u8) -> Tokens {
        let secret = JwtSecret::new(vec![fill; 32]).unwrap();
        Tokens::new(&secret, "ahoy".into(), Duration::from_secs(60))
    }

    fn now() -> i64 {
        Timestamp::now().as_second()
    }

    fn user() -> UserId {
        UserId::new(7).unwrap()
    }

    fn signed(claims: serde_json::Value, algorithm: Algorithm) -> String {
        let key = EncodingKey::from_secret(&[1; 32]);
        jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap()
    }

    #[test]
    fn an_issued_token_is_good() {
        let tokens = tokens(1);
        let at = now();
        let identity = tokens.verify(&tokens.issue(at, user(), "Ada")).unwrap();
        assert_eq!(
            identity,
            Identity {
                user: user(),
                expires_at: at + 60
            }
        );
    }

    #[test]
    fn expired_early_foreign_and_tampered_tokens_are_refused() {
        let tokens_here = tokens(1);
        assert!(
            tokens_here
                .verify(&tokens_here.issue(now() - 200, user(), "Ada"))
                .is_err()
        );
        assert!(
            tokens_here
                .verify(&tokens_here.issue(now() - 70, user(), "Ada"))
                .is_ok(),
            "30 s leeway"
        );
        assert!(
            tokens_here
                .verify(&tokens_here.issue(now() + 200, user(), "Ada"))
                .is_err()
        );
        assert!(
            tokens_here
                .verify(&tokens(2).issue(now(), user(), "Ada"))
                .is_err()
        );
        let mut tampered = tokens_here.issue(now(), user(), "Ada");
        tampered.insert(tampered.find('.').unwrap() + 3, 'x');
        assert!(tokens_here.verify(&tampered).is_err());
        assert!(tokens_here.verify("").is_err());
    }

    #[test]
    fn only_hs256_access_tokens_of_the_issuer_are_accepted() {
        let tokens = tokens(1);
        let claims = json!({"user_id": 7, "exp": now() + 60, "iss": "ahoy", "token_type": "access"});
        assert!(tokens.verify(&signed(claims.clone(), Algorithm::HS256)).is_ok());
        assert!(tokens.verify(&signed(claims.clone(), Algorithm::HS384)).is_err());
        for (field, value) in [
            ("token_type", json!("refresh")),
            ("token_type", json!("")),
            ("iss", json!("other")),
            ("user_id", json!(0)),
            ("user_id", json!("7")),
            ("exp", json!("soon")),
        ] {
            let mut wrong = claims.clone();
            wrong[field] = value;
            assert!(
                tokens.verify(&signed(wrong.clone(), Algorithm::HS256)).is_err(),
                "{wrong}"
            );
        }
        for field in ["exp", "iss", "user_id", "token_type"] {
            let mut short = claims.clone();
            short.as_object_mut().unwrap().remove(field);
            assert!(
                tokens.verify(&signed(short, Algorithm::HS256)).is_err(),
                "without {field}"
            );
        }
    }

    #[test]
    fn sub_stands_in_for_user_id() {
        let claims = json!({"sub": "9", "exp": now() + 60, "iss": "ahoy", "token_type": "access"});
        assert_eq!(
            tokens(1)
                .verify(&signed(claims, Algorithm::HS256))
                .unwrap()
                .user
                .as_u64(),
            9
        );
    }

    #[test]
    fn algorithm_none_is_refused() {
        // {"alg":"none","typ":"JWT"} . {"user_id":7,"exp":9999999999,"iss":"ahoy","token_type":"access"} . no signature
        let head = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        let body = "eyJ1c2VyX2lkIjo3LCJleHAiOjk5OTk5OTk5OTksImlzcyI6ImFob3kiLCJ0b2tlbl90eXBlIjoiYWNjZXNzIn0";
        for token in [format!("{head}.{body}."), format!("{head}.{body}")] {
            assert!(matches!(tokens(1).verify(&token), Err(TokenError::Invalid(_))));
        }
    }
}
