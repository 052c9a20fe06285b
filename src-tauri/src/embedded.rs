//! The server inside the window, for a start without any configuration: loopback only, this user, Echo, and with
//! `--host-pair` a second user for a second window.

use ahoy_call::UserId;
use ahoy_client::{ClientHandle, echo};
use ahoy_server::{Account, Server, ServerConfig, ServerError};
use ahoy_signaling::Secret;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The user of this window.
const ME: u64 = 1;
/// The user of the second window.
const PARTNER: u64 = 2;
/// The contact that sends back what it receives.
const ECHO: u64 = 9000;
const PARTNER_NAME: &str = "Second window";
const ECHO_NAME: &str = "Echo";

/// The tokens end with the server, which ends with the window; nobody leaves that open for a year.
const TOKENS_LAST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The running server with Echo signed in on it.
pub struct Embedded {
    server: Server,
    echo: ClientHandle,
}

impl Embedded {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(my_name: &str, with_partner: bool) -> Result<Self, ServerError> {
        let account = |id: u64, name: &str| Account::without_password(user(id), name);
        let mut users = vec![account(ME, &own_name(my_name)), account(ECHO, ECHO_NAME)];
        if with_partner {
            users.push(account(PARTNER, PARTNER_NAME));
        }
        let config = ServerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            users,
            access_ttl: TOKENS_LAST,
            ..ServerConfig::default()
        };
        let server = Server::bind(config).await?;
        let echo = echo::start(server.ws_url(), Secret::new(server.token_for(user(ECHO))));
        Ok(Self { server, echo })
    }

    pub fn url(&self) -> String {
        self.server.ws_url()
    }

    /// Signs this window's user in.
    pub fn my_token(&self) -> Secret {
        Secret::new(self.server.token_for(user(ME)))
    }

    /// What the second window is told: `pair URL TOKEN`.
    pub fn invitation(&self) -> String {
        format!(
            "pair {} {}",
            self.server.ws_url(),
            self.server.token_for(user(PARTNER))
        )
    }

    /// Signs Echo out, tells live calls, closes the port.
    pub async fn stop(self) {
        self.echo.stop().await;
        self.server.shutdown().await;
    }
}

/// Which user of the embedded server is Echo.
pub fn echo_id() -> UserId {
    user(ECHO)
}

/// The user's name, told apart from the others of this server: names are unique there in any case of letters.
fn own_name(wanted: &str) -> String {
    let taken = [ECHO_NAME, PARTNER_NAME]
        .iter()
        .any(|name| name.to_lowercase() == wanted.to_lowercase());
    if taken {
        format!("{wanted} ({ME})")
    } else {
        wanted.to_owned()
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).expect("the numbers above are valid ids")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_with_the_name_of_echo_has_a_server_too() {
        for name in ["ECHO", "second window", "Ada"] {
            let embedded = Embedded::start(name, true).await.expect("it starts");
            embedded.stop().await;
        }
    }
}
