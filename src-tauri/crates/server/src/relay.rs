//! The relay in this process, and what signed-in users are told to use it (IM-Suite §11).

use crate::rooms::Issued;
use crate::start::ServerError;
use crate::switchboard::ConnId;
use ahoy_call::UserId;
use ahoy_turn::{TurnConfig, TurnSecret, TurnServer, TurnStats, credentials};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// How long credentials are good for (IM-Suite §11).
pub const TURN_TTL: Duration = Duration::from_secs(3600);

/// STUN or TURN, as W3C `RTCIceServer` and `/api/webrtc/config` have it.
#[derive(Clone, Serialize)]
pub struct IceServer {
    pub urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

/// TURN beside the signaling; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Relay {
    turn: TurnServer,
    secret: TurnSecret,
}

impl Relay {
    pub(crate) async fn start(config: TurnConfig) -> Result<Self, ServerError> {
        let secret = config.secret.clone();
        let turn = TurnServer::bind(config).await?;
        Ok(Self { turn, secret })
    }

    pub(crate) fn url(&self) -> String {
        self.turn.turn_url()
    }

    pub(crate) fn stats(&self) -> TurnStats {
        self.turn.stats()
    }

    /// What the owner of a room is given at `now` in unix seconds: TURN over UDP first, which is all that others know.
    pub(crate) fn issue_to_room(&self, conn: ConnId, now: u64) -> Issued {
        let mut urls = self.turn.urls();
        urls.retain(|url| url.starts_with("turn"));
        urls.sort_by_key(|url| !url.starts_with("turn:") || url.ends_with("transport=tcp"));
        let issued = credentials::issue(&self.secret, &format!("room-{}", conn.0), now, TURN_TTL);
        Issued {
            urls,
            username: issued.username,
            credential: issued.credential,
            ttl: TURN_TTL,
        }
    }

    /// What a user is given at `now` in unix seconds.
    pub(crate) fn ice_servers(&self, user: UserId, now: u64) -> Vec<IceServer> {
        let (stun, turn) = self
            .turn
            .urls()
            .into_iter()
            .partition(|url| url.starts_with("stun"));
        let issued = credentials::issue(&self.secret, &user.to_string(), now, TURN_TTL);
        vec![
            IceServer {
                urls: stun,
                username: None,
                credential: None,
            },
            IceServer {
                urls: turn,
                username: Some(issued.username),
                credential: Some(issued.credential),
            },
        ]
    }
}
