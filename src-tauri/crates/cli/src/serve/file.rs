//! The file of `--config`: one table of keys reads it, checks it and prints its defaults.

use super::args::{TurnChoice, UserEntry, account, bus, turn};
use super::settings::Settings;
use ahoy_server::switchboard::CallPolicy;
use ahoy_server::{JwtSecret, Network, TlsFiles};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One key of the file.
struct Key {
    name: &'static str,
    meaning: &'static str,
    /// Takes a value; the error says what is wrong with it.
    take: fn(&mut Settings, &DeValue<'_>) -> Result<(), String>,
    /// The value in TOML.
    show: fn(&Settings) -> String,
}

/// In the order in which they are printed.
const KEYS: &[Key] = &[
    Key {
        name: "listen",
        meaning: "where HTTP and WebSocket listen; port 0 takes a free one",
        take: |to, value| set(&mut to.listen, parsed(value, "an address with a port")),
        show: |of| quoted(of.listen),
    },
    Key {
        name: "tls",
        meaning: "PEM files of certificate and key, as [\"cert.pem\", \"key.pem\"]; [] is without TLS",
        take: |to, value| set(&mut to.tls, tls(value)),
        show: |of| match &of.tls {
            None => "[]".to_owned(),
            Some(files) => list([&files.certificates, &files.key].map(|path| path.display())),
        },
    },
    Key {
        name: "insecure_ws",
        meaning: "no warning when other machines can connect without TLS, because a proxy has it or the network is trusted",
        take: |to, value| {
            set(
                &mut to.insecure_ws,
                value.as_bool().ok_or_else(|| not("true or false")),
            )
        },
        show: |of| of.insecure_ws.to_string(),
    },
    Key {
        name: "origins",
        meaning: "origins of pages that may connect, as [\"https://calls.example\"]; [] allows those of this host",
        take: |to, value| set(&mut to.origins, texts(value)),
        show: |of| list(&of.origins),
    },
    Key {
        name: "http_rate",
        meaning: "HTTP requests per second of one address, twice as many at once; 0 is no limit, for a server behind a proxy",
        take: |to, value| set(&mut to.http_rate, integer(value, 0, 1_000_000)),
        show: |of| of.http_rate.to_string(),
    },
    Key {
        name: "data",
        meaning: "the folder of database and keys; \"\" keeps everything in memory",
        take: |to, value| set(&mut to.data, optional(value, "a folder")),
        show: |of| quoted(of.data.as_deref().unwrap_or(Path::new("")).display()),
    },
    Key {
        name: "user",
        meaning: "people, as [\"1:Ada:password\"]; those of the database are kept, these are added or changed",
        take: |to, value| set(&mut to.user, users(value)),
        show: |of| {
            list(
                of.user
                    .iter()
                    .map(|user| format!("{}:{}:{}", user.id, user.name, user.password)),
            )
        },
    },
    Key {
        name: "jwt_secret",
        meaning: "the key of tokens, at least 32 bytes; \"\" makes one, which the database keeps",
        take: |to, value| set(&mut to.jwt_secret, jwt_secret(value)),
        show: |of| quoted(of.jwt_secret.as_deref().unwrap_or_default()),
    },
    Key {
        name: "jwt_iss",
        meaning: "issuers whose tokens are taken; the first one is that of this server",
        take: |to, value| set(&mut to.jwt_iss, issuers(value)),
        show: |of| list(&of.jwt_iss),
    },
    Key {
        name: "access_ttl",
        meaning: "seconds that a token is good for",
        take: |to, value| set(&mut to.access_ttl, integer(value, 60, 31_536_000)),
        show: |of| of.access_ttl.to_string(),
    },
    Key {
        name: "ring_timeout",
        meaning: "seconds that a call rings, 10 to 120",
        take: |to, value| set(&mut to.ring_timeout, integer(value, 10, 120)),
        show: |of| of.ring_timeout.to_string(),
    },
    Key {
        name: "resume_grace",
        meaning: "seconds that a call waits for a side whose connection broke",
        take: |to, value| set(&mut to.resume_grace, integer(value, 1, 600)),
        show: |of| of.resume_grace.to_string(),
    },
    Key {
        name: "call_policy",
        meaning: "who may call somebody: \"anyone\", or \"contacts\" of theirs",
        take: |to, value| set(&mut to.call_policy, call_policy(value)),
        show: |of| {
            quoted(match of.call_policy {
                CallPolicy::Anyone => "anyone",
                CallPolicy::Contacts => "contacts",
            })
        },
    },
    Key {
        name: "turn",
        meaning: "where the relay listens, with UDP and TCP; \"off\" is without one",
        take: |to, value| set(&mut to.turn, turn_address(value)),
        show: |of| of.turn.map_or_else(|| quoted("off"), quoted),
    },
    Key {
        name: "external_ip",
        meaning: "the address that clients reach the relay under; \"\" is the one it listens on",
        take: |to, value| set(&mut to.external_ip, optional(value, "an IP address")),
        show: |of| of.external_ip.map_or_else(|| quoted(""), quoted),
    },
    Key {
        name: "turn_secret",
        meaning: "the key of the relay's credentials; \"\" makes one, which the database keeps",
        take: |to, value| set(&mut to.turn_secret, optional(value, "a text")),
        show: |of| quoted(of.turn_secret.as_deref().unwrap_or_default()),
    },
    Key {
        name: "turn_quota",
        meaning: "allocations of one user at a time",
        take: |to, value| set(&mut to.turn_quota, integer(value, 1, 10_000)),
        show: |of| of.turn_quota.to_string(),
    },
    Key {
        name: "turn_allow",
        meaning: "networks that may be relayed to although they are private, as [\"10.0.0.0/8\"]",
        take: |to, value| set(&mut to.turn_allow, networks(value)),
        show: |of| list(&of.turn_allow),
    },
    Key {
        name: "bus",
        meaning: "where the nodes of one server meet, as \"nats://10.0.0.1:4222\", with accounts, jwt_secret and turn_secret alike; \"\" is a server of one node",
        take: |to, value| set(&mut to.bus, bus_url(value)),
        show: |of| quoted(of.bus.as_deref().unwrap_or_default()),
    },
    Key {
        name: "metrics",
        meaning: "where /metrics is told to Prometheus; \"\" is nowhere",
        take: |to, value| set(&mut to.metrics, optional(value, "an address with a port")),
        show: |of| of.metrics.map_or_else(|| quoted(""), quoted),
    },
    Key {
        name: "room_secret",
        meaning: "what everybody has to tell to have a room; empty lets everybody have one",
        take: |to, value| set(&mut to.room_secret, optional(value, "a text")),
        show: |of| quoted(of.room_secret.as_deref().unwrap_or_default()),
    },
];

/// Every key with its default and meaning, as a file that changes nothing.
pub fn defaults() -> String {
    let settings = Settings::default();
    let mut text = String::new();
    for Key {
        name, meaning, show, ..
    } in KEYS
    {
        let value = show(&settings);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {meaning}\n{name} = {value}\n");
    }
    text
}

/// Reads a file over the settings. The error is one line that names file, line and key.
pub fn read(path: &Path, settings: &mut Settings) -> Result<(), String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    apply(&text, settings).map_err(|(at, error)| {
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        format!("{shown}:{line}: {error}")
    })
}

/// The error has the byte at which it is.
fn apply(text: &str, settings: &mut Settings) -> Result<(), (usize, String)> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (at, error.message().replace('\n', ", "))
    })?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in entries {
        let at = name.span().start;
        let key = KEYS
            .iter()
            .find(|key| key.name == name.get_ref().as_ref())
            .ok_or_else(|| (at, format!("{}: there is no such key", name.get_ref())))?;
        (key.take)(settings, Spanned::get_ref(value))
            .map_err(|error| (at, format!("{}: {error}", key.name)))?;
    }
    Ok(())
}

fn set<T>(to: &mut T, value: Result<T, String>) -> Result<(), String> {
    *to = value?;
    Ok(())
}

fn not(what: &str) -> String {
    format!("it is not {what}")
}

fn text<'a>(value: &'a DeValue<'_>, what: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| not(&format!("{what} in quotes")))
}

fn parsed<T: FromStr>(value: &DeValue<'_>, what: &str) -> Result<T, String> {
    text(value, what)?.parse().map_err(|_| not(what))
}

/// The empty text is nothing.
fn optional<T: FromStr>(value: &DeValue<'_>, what: &str) -> Result<Option<T>, String> {
    match text(value, what)? {
        "" => Ok(None),
        _ => parsed(value, what).map(Some),
    }
}

fn integer<T: TryFrom<i64>>(value: &DeValue<'_>, least: i64, most: i64) -> Result<T, String> {
    let wrong = || format!("it is not a whole number from {least} to {most}");
    let number = value
        .as_integer()
        .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(wrong)?;
    T::try_from(number).map_err(|_| wrong())
}

fn texts(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let wrong = || not("a list of texts in quotes");
    let each = value.as_array().ok_or_else(wrong)?.iter();
    each.map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(wrong))
        .collect()
}

fn tls(value: &DeValue<'_>) -> Result<Option<TlsFiles>, String> {
    match texts(value)?.as_slice() {
        [] => Ok(None),
        [certificates, key] => Ok(Some(TlsFiles {
            certificates: PathBuf::from(certificates),
            key: PathBuf::from(key),
        })),
        _ => Err(not("a certificate and a key")),
    }
}

fn users(value: &DeValue<'_>) -> Result<Vec<UserEntry>, String> {
    texts(value)?.iter().map(|text| account(text)).collect()
}

fn jwt_secret(value: &DeValue<'_>) -> Result<Option<String>, String> {
    let secret: Option<String> = optional(value, "a text")?;
    match &secret {
        Some(secret) if JwtSecret::new(secret.as_bytes()).is_none() => {
            Err(format!("it has fewer than {} bytes", JwtSecret::MIN_BYTES))
        }
        Some(_) | None => Ok(secret),
    }
}

/// One issuer may stand without a list.
fn issuers(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let issuers = match value.as_str() {
        Some(one) => vec![one.to_owned()],
        None => texts(value)?,
    };
    if issuers.is_empty() || issuers.iter().any(String::is_empty) {
        return Err("it names no issuer".to_owned());
    }
    Ok(issuers)
}

fn call_policy(value: &DeValue<'_>) -> Result<CallPolicy, String> {
    let what = "\"anyone\" or \"contacts\"";
    match text(value, what) {
        Ok("anyone") => Ok(CallPolicy::Anyone),
        Ok("contacts") => Ok(CallPolicy::Contacts),
        Ok(_) | Err(_) => Err(not(what)),
    }
}

fn turn_address(value: &DeValue<'_>) -> Result<Option<std::net::SocketAddr>, String> {
    Ok(match turn(text(value, "an address with a port, or \"off\",")?)? {
        TurnChoice::Off => None,
        TurnChoice::On(address) => Some(address),
    })
}

fn bus_url(value: &DeValue<'_>) -> Result<Option<String>, String> {
    match text(value, "a URL")? {
        "" => Ok(None),
        url => bus(url).map(Some),
    }
}

fn networks(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let networks = texts(value)?;
    for network in &networks {
        network.parse::<Network>().map_err(|error| error.to_string())?;
    }
    Ok(networks)
}

/// A text as TOML has it.
fn quoted(value: impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}

fn list(values: impl IntoIterator<Item = impl ToString>) -> String {
    let values: Vec<_> = values.into_iter().map(quoted).collect();
    format!("[{}]", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        let error = apply(text, &mut Settings::default()).map_err(|(at, error)| {
            let line = text[..at].matches('\n').count() + 1;
            format!("{line}: {error}")
        });
        error.expect_err(text)
    }

    #[test]
    fn the_printed_defaults_are_a_file_that_changes_nothing() {
        let mut read = Settings {
            http_rate: 7,
            ..Settings::default()
        };
        // Everything that could differ.
        read.jwt_iss.clear();
        read.turn = "127.0.0.1:1".parse().ok();
        read.data = Some("elsewhere".into());
        let text = defaults();
        apply(&text, &mut read).expect("it is a good file");
        assert!(read == Settings::default(), "{text}");
        for key in KEYS {
            assert!(text.contains(&format!("\n{} = ", key.name)), "{}", key.name);
            assert!(!key.meaning.is_empty());
        }
    }

    #[test]
    fn every_key_of_the_contract_is_there() {
        let contract = "listen turn user data tls external_ip bus jwt_secret jwt_iss access_ttl ring_timeout \
                        resume_grace turn_secret turn_quota turn_allow origins insecure_ws metrics room_secret call_policy";
        for name in contract.split_whitespace() {
            assert!(KEYS.iter().any(|key| key.name == name), "{name}");
        }
    }

    #[test]
    fn a_file_is_read_in_full() {
        let text = r#"
            listen = "0.0.0.0:8443"
            turn = "0.0.0.0:3478"
            user = ["1:Ada:pass:word"]
            tls = ["c.pem", "k.pem"]
            external_ip = "203.0.113.7"
            jwt_iss = "one"
            turn_allow = ["10.0.0.0/8"]
            call_policy = "contacts"
            turn_quota = 3
        "#;
        let mut settings = Settings::default();
        apply(text, &mut settings).expect("it is a good file");
        assert_eq!(settings.listen.port(), 8443);
        assert_eq!(settings.turn.map(|address| address.port()), Some(3478));
        assert_eq!(settings.user[0].password, "pass:word");
        assert_eq!(
            settings.tls.as_ref().map(|tls| tls.key.clone()),
            Some("k.pem".into())
        );
        assert_eq!(settings.jwt_iss, ["one"]);
        assert_eq!(settings.call_policy, CallPolicy::Contacts);
        let config = settings.server_config().expect("it can be started");
        assert_eq!(config.turn.map(|turn| turn.quota), Some(3));
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_key() {
        for (text, named) in [
            ("listen = \"127.0.0.1:0\"\ncolour = 1", "2: colour: "),
            ("\n\nlisten = \"nowhere\"", "3: listen: "),
            ("listen = 80", "1: listen: "),
            (
                "ring_timeout = 9",
                "1: ring_timeout: it is not a whole number from 10 to 120",
            ),
            ("ring_timeout = \"30\"", "1: ring_timeout: "),
            (
                "jwt_secret = \"short\"",
                "1: jwt_secret: it has fewer than 32 bytes",
            ),
            ("jwt_iss = []", "1: jwt_iss: "),
            ("tls = [\"cert.pem\"]", "1: tls: "),
            ("turn = \"on\"", "1: turn: "),
            ("turn_allow = [\"10.0.0.0/99\"]", "1: turn_allow: "),
            ("call_policy = \"nobody\"", "1: call_policy: "),
            ("metrics = \"9100\"", "1: metrics: "),
            ("bus = \"10.0.0.1\"", "1: bus: "),
            ("insecure_ws = 1", "1: insecure_ws: "),
            ("a = 1\nlisten = ", "2: "),
            ("[turn]\nlisten = 1", "1: turn: "),
        ] {
            let error = wrong(text);
            assert!(error.starts_with(named), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_wrong_user_does_not_show_the_password() {
        assert!(!wrong("user = [\"x:Ada:secret\"]").contains("secret"));
        assert!(!wrong("user = [\"secret\"]").contains("secret"));
    }
}
