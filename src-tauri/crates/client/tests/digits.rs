//! Keys pressed as soon as a call is up arrive through a network that loses two packets of five.

#[path = "shared/settings.rs"]
mod settings;

use ahoy_call::{CallState, Party, UserId};
use ahoy_client::{Client, ClientEvent, ClientHandle, Command, Credentials, Settings};
use ahoy_media::synthetic::devices::SyntheticDevices;
use ahoy_server::{Account, Server, ServerConfig};
use ahoy_signaling::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Every wait ends here at the latest; two shared cores are slow.
const LIMIT: Duration = Duration::from_secs(30);
const CALLS: usize = 4;

fn user(number: u64) -> UserId {
    UserId::new(number).expect("a legal id")
}

struct Person {
    client: ClientHandle,
    events: mpsc::Receiver<ClientEvent>,
}

impl Person {
    async fn sign_in(server: &Server, number: u64) -> Self {
        let token = Credentials::Token(Secret::new(server.token_for(user(number))));
        let settings = Settings {
            auto_answer: true,
            ..settings::settings(server.ws_url(), token)
        };
        let (client, events) = Client::start(settings, Arc::new(SyntheticDevices::new()));
        let mut this = Self { client, events };
        this.event("sign-in", |event| {
            matches!(event, ClientEvent::SignedIn { .. }).then_some(())
        })
        .await;
        this
    }

    async fn event<T>(&mut self, what: &str, fits: impl Fn(ClientEvent) -> Option<T>) -> T {
        let found = async {
            while let Some(event) = self.events.recv().await {
                if let Some(found) = fits(event) {
                    return found;
                }
            }
            panic!("the client ended without {what}");
        };
        let found = tokio::time::timeout(LIMIT, found).await;
        found.unwrap_or_else(|_| panic!("no {what} within {LIMIT:?}"))
    }

    async fn command(&self, command: Command) {
        self.client.command(command).await.expect("accepted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_pressed_at_once_arrive_through_heavy_loss_call_after_call() {
    let users = vec![
        Account::new(user(1), "Ada", "secret"),
        Account::new(user(2), "Ben", "secret"),
    ];
    let config = ServerConfig {
        users,
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.expect("a free port");
    let mut ada = Person::sign_in(&server, 1).await;
    let mut ben = Person::sign_in(&server, 2).await;
    for call in 0..CALLS {
        let place = Command::PlaceCall {
            to: Party::User(user(2)),
            video: false,
            stream: None,
        };
        ada.command(place).await;
        ada.event("the call", |event| {
            let connected = matches!(
                event,
                ClientEvent::State {
                    state: CallState::Connected,
                    ..
                }
            );
            connected.then_some(())
        })
        .await;
        ada.command(Command::SetVoiceLoss(40)).await;
        let keys = "5#".parse().expect("these are keys");
        ada.command(Command::SendDigits(keys)).await;
        for key in ['5', '#'] {
            let heard = ben
                .event("a key", |event| match event {
                    ClientEvent::Digit(heard) => Some(heard),
                    _ => None,
                })
                .await;
            assert_eq!(heard, key, "in call {call}");
        }
        ada.command(Command::HangUp).await;
        for person in [&mut ada, &mut ben] {
            person
                .event("the end", |event| {
                    matches!(event, ClientEvent::Ended(_)).then_some(())
                })
                .await;
        }
    }
    ada.client.stop().await;
    ben.client.stop().await;
    server.shutdown().await;
}
