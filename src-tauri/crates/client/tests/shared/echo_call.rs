//! Somebody who is signed in on a server of their own, where Echo answers, and what every call with it waits for.

#[path = "settings.rs"]
mod settings;

use ahoy_call::{Party, UserId};
use ahoy_client::{Client, ClientEvent, ClientHandle, Command, Credentials, Settings, Snapshot, echo};
use ahoy_media::device::Devices;
use ahoy_server::{Account, Server, ServerConfig};
use ahoy_signaling::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Every wait ends here at the latest; two shared cores are slow.
pub const LIMIT: Duration = Duration::from_secs(30);

const ADA: u64 = 1;
const ECHO: u64 = 9000;

pub struct WithEcho {
    pub client: ClientHandle,
    events: mpsc::Receiver<ClientEvent>,
    echo: ClientHandle,
    server: Server,
}

impl WithEcho {
    /// Signs both in and waits until Echo is listed. `adapt` turns the usual settings into those of the test.
    pub async fn sign_in(devices: Arc<dyn Devices>, adapt: impl FnOnce(Settings) -> Settings) -> Self {
        let users = vec![
            Account::new(user(ADA), "Ada", "secret"),
            Account::new(user(ECHO), "Echo", "secret"),
        ];
        let config = ServerConfig {
            users,
            ..ServerConfig::default()
        };
        let server = Server::bind(config).await.expect("a free port");
        let token = |number| Secret::new(server.token_for(user(number)));
        let echo = echo::start(server.ws_url(), token(ECHO));
        let usual = Settings {
            stats_interval: Duration::from_millis(200),
            ..settings::settings(server.ws_url(), Credentials::Token(token(ADA)))
        };
        let (client, events) = Client::start(adapt(usual), devices);
        let mut this = Self {
            client,
            events,
            echo,
            server,
        };
        let signed_in = |event: &ClientEvent| matches!(event, ClientEvent::SignedIn { .. });
        this.wait_for("sign-in", signed_in).await;
        this.shows("Echo", |snapshot| {
            snapshot.people.iter().any(|person| person.id == user(ECHO))
        })
        .await;
        this
    }

    pub async fn call(&self, video: bool) {
        self.command(Command::PlaceCall {
            to: Party::User(user(ECHO)),
            video,
            stream: None,
        })
        .await;
    }

    pub async fn command(&self, command: Command) {
        self.client.command(command).await.expect("accepted");
    }

    /// Waits for such an event; the sign-in must not be lost meanwhile.
    pub async fn wait_for(&mut self, what: &str, fits: impl Fn(&ClientEvent) -> bool) {
        let found = async {
            while let Some(event) = self.events.recv().await {
                if matches!(
                    event,
                    ClientEvent::ServerLost { .. } | ClientEvent::SignInFailed { .. }
                ) {
                    panic!("{event:?} instead of {what}");
                }
                if fits(&event) {
                    return;
                }
            }
            panic!("the client ended without {what}");
        };
        let found = tokio::time::timeout(LIMIT, found).await;
        found.unwrap_or_else(|_| panic!("no {what} within {LIMIT:?}"));
    }

    /// Waits until the client shows it.
    pub async fn shows(&self, what: &str, fits: impl Fn(&Snapshot) -> bool) {
        let mut snapshots = self.client.snapshots();
        let shown = snapshots.wait_for(|snapshot| fits(snapshot));
        let shown = tokio::time::timeout(LIMIT, shown).await.map(|_| ());
        assert!(shown.is_ok(), "{what} is not shown");
    }

    pub async fn hang_up(&mut self) {
        self.command(Command::HangUp).await;
        let ended = |event: &ClientEvent| matches!(event, ClientEvent::Ended(_));
        self.wait_for("the end", ended).await;
    }

    pub async fn end(self) {
        self.client.stop().await;
        self.echo.stop().await;
        self.server.shutdown().await;
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).expect("a legal id")
}
