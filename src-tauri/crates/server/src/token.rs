//! Tokens: issued at sign-in, verified before anything else is done for a request (IM-Suite §1.3, RFC 8725).

use crate::config::JwtSecret;
use ahoy_call::UserId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How far clocks may differ, in seconds (IM-Suite §16.1).
pub(crate) const LEEWAY: u64 = 30;
/// How long a sign-in can be refreshed after its last refresh (chosen: a month's holiday).
const REFRESH_TTL: Duration = Duration::from_secs(30 * 24 * 3600);
/// Bytes of a token that are looked at; ours have about 300 (chosen, so that nobody makes the server decode megabytes).
const LONGEST: usize = 8 * 1024;
/// Who our tokens are for, where they say so (RFC 8725 §3.9).
const AUDIENCE: &str = "ahoy";

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenKind {
    /// Opens a WebSocket and signs REST requests.
    Access,
    /// Buys the next two tokens.
    Refresh,
}

/// Whom a token is issued to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder<'a> {
    pub(crate) user: UserId,
    pub(crate) name: &'a str,
    /// Of the account: tokens with another one are worthless.
    pub(crate) version: u64,
}

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
    /// Of the account when the token was issued.
    pub(crate) version: u64,
    /// Seconds since 1970.
    pub(crate) expires_at: i64,
    /// Which sign-in a refresh token goes on with, and at which turn.
    pub(crate) session: Option<(String, u64)>,
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
    token_type: TokenKind,
    /// A token of another issuer has none and lives until its account changes.
    #[serde(default)]
    ver: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turn: Option<u64>,
    #[serde(default, skip_serializing)]
    aud: Option<Audience>,
}

/// One audience or several (RFC 7519 §4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

/// A token that does not open anything; the reason stays with the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is malformed, expired, or signed by somebody else")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("the token is too long")]
    TooLong,
    #[error("the header of the token asks for something that this server does not do")]
    Header,
    #[error("the token is for somebody else")]
    Audience,
    #[error("the token is of the other kind")]
    WrongKind,
    #[error("the token names no user")]
    NoUser,
}

impl Tokens {
    /// Issues in the name of the first issuer and accepts all of them.
    pub(crate) fn new(secret: &JwtSecret, issuers: &[String], ttl: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(issuers);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        Self {
            encoding: EncodingKey::from_secret(&secret.0),
            decoding: DecodingKey::from_secret(&secret.0),
            validation,
            issuer: issuers.first().cloned().unwrap_or_default(),
            ttl,
        }
    }

    /// How long an access token is good for.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Issues an access token; `now` in seconds since 1970.
    pub(crate) fn access(&self, now: i64, holder: Holder<'_>) -> String {
        self.sign(now, self.ttl, holder, TokenKind::Access, None)
    }

    /// Issues the refresh token of a turn of a sign-in.
    pub(crate) fn refresh(&self, now: i64, holder: Holder<'_>, session: &str, turn: u64) -> String {
        let session = Some((session.to_owned(), turn));
        self.sign(now, REFRESH_TTL, holder, TokenKind::Refresh, session)
    }

    /// When a refresh token that is issued now ends; seconds since 1970.
    pub(crate) fn refresh_until(now: i64) -> i64 {
        now.saturating_add_unsigned(REFRESH_TTL.as_secs())
    }

    fn sign(
        &self,
        now: i64,
        ttl: Duration,
        holder: Holder<'_>,
        kind: TokenKind,
        session: Option<(String, u64)>,
    ) -> String {
        let (sid, turn) = session.unzip();
        let claims = Claims {
            user_id: Some(holder.user.as_u64()),
            sub: holder.user.to_string(),
            username: holder.name.to_owned(),
            exp: now.saturating_add_unsigned(ttl.as_secs()),
            iat: now,
            nbf: now,
            iss: self.issuer.clone(),
            token_type: kind,
            ver: holder.version,
            sid,
            turn,
            aud: None,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("HS256 signs any claims with any key")
    }

    /// Verifies length, header, signature, algorithm, times, issuer, audience and kind.
    pub(crate) fn verify(&self, token: &str, kind: TokenKind) -> Result<Identity, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::TooLong);
        }
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)?;
        if !is_plain(&data.header) {
            return Err(TokenError::Header);
        }
        let claims = data.claims;
        let is_ours = match &claims.aud {
            None => true,
            Some(Audience::One(name)) => name == AUDIENCE,
            Some(Audience::Some(names)) => names.iter().any(|name| name == AUDIENCE),
        };
        if !is_ours {
            return Err(TokenError::Audience);
        }
        if claims.token_type != kind {
            return Err(TokenError::WrongKind);
        }
        let number = claims
            .user_id
            .or_else(|| claims.sub.parse().ok())
            .ok_or(TokenError::NoUser)?;
        let user = UserId::new(number).map_err(|_| TokenError::NoUser)?;
        Ok(Identity {
            user,
            version: claims.ver,
            expires_at: claims.exp,
            session: claims.sid.zip(claims.turn),
        })
    }
}

/// There is one key and no extension: a header that names a key or demands an extension is not ours (RFC 8725 §3.10).
fn is_plain(header: &Header) -> bool {
    header
        .typ
        .as_deref()
        .is_none_or(|typ| typ.eq_ignore_ascii_case("jwt"))
        && header.kid.is_none()
        && header.jku.is_none()
        && header.jwk.is_none()
        && header.x5u.is_none()
        && header.x5c.is_none()
        && header.crit.is_none()
        && header.enc.is_none()
        && header.zip.is_none()
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
    use serde_json::{Value, json};

    fn tokens(fill: u8) -> Tokens {
        let secret = JwtSecret::new(vec![fill; 32]).unwrap();
        let issuers = ["ahoy".to_owned(), "im-suite".to_owned()];
        Tokens::new(&secret, &issuers, Duration::from_secs(60))
    }

    fn now() -> i64 {
        Timestamp::now().as_second()
    }

    fn holder() -> Holder<'static> {
        Holder {
            user: UserId::new(7).unwrap(),
            name: "Ada",
            version: 3,
        }
    }

    fn claims() -> Value {
        json!({"user_id": 7, "exp": now() + 60, "iss": "ahoy", "token_type": "access"})
    }

    fn signed(claims: &Value, header: &Header) -> String {
        let key = EncodingKey::from_secret(&[1; 32]);
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    fn hs256(claims: &Value) -> String {
        signed(claims, &Header::new(Algorithm::HS256))
    }

    fn is_good(token: &str) -> bool {
        tokens(1).verify(token, TokenKind::Access).is_ok()
    }

    #[test]
    fn an_issued_token_is_good_for_its_own_purpose_only() {
        let tokens = tokens(1);
        let at = now();
        let access = tokens.access(at, holder());
        let mut identity = Identity {
            user: holder().user,
            version: 3,
            expires_at: at + 60,
            session: None,
        };
        assert_eq!(tokens.verify(&access, TokenKind::Access).unwrap(), identity);
        assert!(matches!(
            tokens.verify(&access, TokenKind::Refresh),
            Err(TokenError::WrongKind)
        ));
        let refresh = tokens.refresh(at, holder(), "s1", 4);
        identity.expires_at = Tokens::refresh_until(at);
        identity.session = Some(("s1".into(), 4));
        assert_eq!(tokens.verify(&refresh, TokenKind::Refresh).unwrap(), identity);
        assert!(matches!(
            tokens.verify(&refresh, TokenKind::Access),
            Err(TokenError::WrongKind)
        ));
    }

    #[test]
    fn expired_early_foreign_and_tampered_tokens_are_refused() {
        let here = tokens(1);
        assert!(!is_good(&here.access(now() - 200, holder())));
        assert!(is_good(&here.access(now() - 70, holder())), "30 s leeway");
        assert!(!is_good(&here.access(now() + 200, holder())));
        assert!(!is_good(&tokens(2).access(now(), holder())));
        let mut tampered = here.access(now(), holder());
        tampered.insert(tampered.find('.').unwrap() + 3, 'x');
        assert!(!is_good(&tampered));
        assert!(!is_good(""));
        assert!(!is_good(&format!(
            "{}{}",
            here.access(now(), holder()),
            "x".repeat(1 << 20)
        )));
    }

    #[test]
    fn only_hs256_access_tokens_of_a_known_issuer_are_accepted() {
        assert!(is_good(&hs256(&claims())));
        for algorithm in [Algorithm::HS384, Algorithm::HS512] {
            assert!(!is_good(&signed(&claims(), &Header::new(algorithm))));
        }
        let mut other_issuer = claims();
        other_issuer["iss"] = json!("im-suite");
        assert!(is_good(&hs256(&other_issuer)), "it is in the list");
        for (field, value) in [
            ("token_type", json!("refresh")),
            ("token_type", json!("")),
            ("iss", json!("other")),
            ("iss", json!(1)),
            ("user_id", json!(0)),
            ("user_id", json!("7")),
            ("exp", json!("soon")),
            ("nbf", json!(now() + 60)),
            ("aud", json!("other")),
            ("aud", json!(["other", "another"])),
            ("aud", json!([])),
            ("aud", json!(7)),
            ("ver", json!(-1)),
        ] {
            let mut wrong = claims();
            wrong[field] = value;
            assert!(!is_good(&hs256(&wrong)), "{wrong}");
        }
        for field in ["exp", "iss", "user_id", "token_type"] {
            let mut short = claims();
            short.as_object_mut().unwrap().remove(field);
            assert!(!is_good(&hs256(&short)), "without {field}");
        }
    }

    #[test]
    fn a_token_for_this_server_may_say_so() {
        for audience in [json!("ahoy"), json!(["other", "ahoy"]), Value::Null] {
            let mut claims = claims();
            claims["aud"] = audience;
            assert!(is_good(&hs256(&claims)), "{claims}");
        }
    }

    #[test]
    fn headers_that_name_keys_or_demand_extensions_are_refused() {
        let plain = Header::new(Algorithm::HS256);
        let odd = |change: fn(&mut Header)| {
            let mut header = plain.clone();
            change(&mut header);
            signed(&claims(), &header)
        };
        assert!(is_good(&odd(|header| header.typ = None)));
        for (name, token) in [
            ("kid", odd(|header| header.kid = Some("../../dev/null".into()))),
            (
                "jku",
                odd(|header| header.jku = Some("http://evil.example".into())),
            ),
            (
                "x5u",
                odd(|header| header.x5u = Some("http://evil.example".into())),
            ),
            ("crit", odd(|header| header.crit = Some(vec!["exp".into()]))),
            ("typ", odd(|header| header.typ = Some("at+jwt".into()))),
        ] {
            assert!(!is_good(&token), "{name}");
        }
    }

    #[test]
    fn sub_stands_in_for_user_id() {
        let claims = json!({"sub": "9", "exp": now() + 60, "iss": "ahoy", "token_type": "access"});
        let identity = tokens(1).verify(&hs256(&claims), TokenKind::Access).unwrap();
        assert_eq!((identity.user.as_u64(), identity.version), (9, 0));
    }

    #[test]
    fn algorithm_none_is_refused() {
        // {"alg":"none","typ":"JWT"} . {"user_id":7,"exp":9999999999,"iss":"ahoy","token_type":"access"} . no signature
        let head = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        let body = "eyJ1c2VyX2lkIjo3LCJleHAiOjk5OTk5OTk5OTksImlzcyI6ImFob3kiLCJ0b2tlbl90eXBlIjoiYWNjZXNzIn0";
        for token in [format!("{head}.{body}."), format!("{head}.{body}")] {
            assert!(!is_good(&token));
        }
    }
}
