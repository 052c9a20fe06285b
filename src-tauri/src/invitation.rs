//! Links that invite to a room: `ahoy:room?server=wss://HOST/signaling&room=NAME`. Pure.
//!
//! A link is a stranger's text. What it says is shown to the person before anything connects, so whatever could show
//! something else than it does is refused: names with invisible letters, addresses with a user in front of the host.

use ahoy_call::RoomId;
use ahoy_signaling::ProtocolKind;
use tauri::Url;

/// Longer than any real one: bytes of the longest room (256, tripled by its escapes) and a generous address.
const MOST: usize = 2048;

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    server: Url,
    room: RoomId,
}

/// Why a text is no invitation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    #[error("an invitation begins with ahoy:room?")]
    NotOne,
    #[error("an invitation has at most {MOST} bytes")]
    TooLong,
    #[error("the invitation says no {0}")]
    Lacks(&'static str),
    #[error("the invitation says more than one {0}")]
    Twice(&'static str),
    #[error("the server of an invitation is ws(s)://HOST/…/signaling and nothing more")]
    Server,
    #[error("the room of the invitation cannot be one: {0}")]
    Room(&'static str),
}

impl InvitationError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            InvitationError::NotOne | InvitationError::TooLong => "invitation_unreadable",
            InvitationError::Lacks(_) | InvitationError::Twice(_) => "invitation_incomplete",
            InvitationError::Server => "invitation_server",
            InvitationError::Room(_) => "invitation_room",
        }
    }
}

impl Invitation {
    /// Reads a link as it was pasted or handed over by the system.
    pub fn parse(text: &str) -> Result<Self, InvitationError> {
        let text = text.trim();
        if text.len() > MOST {
            return Err(InvitationError::TooLong);
        }
        // A parser of addresses would leave these out in silence.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(InvitationError::NotOne);
        }
        let link = Url::parse(text).map_err(|_| InvitationError::NotOne)?;
        // Some systems hand `ahoy:room` on as `ahoy://room/`.
        let names_room = match link.host_str() {
            None => link.path() == "room",
            Some(host) => host == "room" && matches!(link.path(), "" | "/"),
        };
        let plain = link.username().is_empty() && link.port().is_none() && link.fragment().is_none();
        if link.scheme() != "ahoy" || !names_room || !plain {
            return Err(InvitationError::NotOne);
        }
        let room = room(&only(&link, "room")?)?;
        let server = server(&only(&link, "server")?)?;
        Ok(Self { server, room })
    }

    /// The link to a room, if there can be one.
    pub fn link(server: &str, room: &str) -> Option<String> {
        let mut link = Url::parse("ahoy:room").expect("it is a valid address");
        link.query_pairs_mut()
            .append_pair("server", server)
            .append_pair("room", room);
        let link = String::from(link);
        Self::parse(&link).is_ok().then_some(link)
    }

    /// `ws(s)://HOST/…/signaling`, with the host in ASCII.
    pub fn server(&self) -> &str {
        self.server.as_str()
    }

    /// The host, with its port if it has an unusual one.
    pub fn host(&self) -> String {
        let host = self.server.host_str().unwrap_or_default();
        match self.server.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Nobody on the way can listen to what is said to the server.
    pub fn is_encrypted(&self) -> bool {
        self.server.scheme() == "wss"
    }

    pub fn room(&self) -> &RoomId {
        &self.room
    }

    /// Whether the invitation leads to the server of this address.
    pub fn leads_to(&self, server: &str) -> bool {
        Url::parse(server).is_ok_and(|server| server == self.server)
    }
}

/// The only value of a field; fields that this version does not know are left alone.
fn only(link: &Url, field: &'static str) -> Result<String, InvitationError> {
    let mut values = link.query_pairs().filter(|(name, _)| name == field);
    match (values.next(), values.next()) {
        (None, _) => Err(InvitationError::Lacks(field)),
        (Some((_, value)), None) => Ok(value.into_owned()),
        (Some(_), Some(_)) => Err(InvitationError::Twice(field)),
    }
}

fn server(text: &str) -> Result<Url, InvitationError> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    let url = Url::parse(text).map_err(|_| InvitationError::Server)?;
    let whole = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host();
    let rooms =
        matches!(url.scheme(), "ws" | "wss") && ProtocolKind::of_url(url.as_str()) == ProtocolKind::Zlm;
    if text.contains(odd) || !whole || !rooms {
        return Err(InvitationError::Server);
    }
    Ok(url)
}

fn room(text: &str) -> Result<RoomId, InvitationError> {
    if text.trim() != text {
        return Err(InvitationError::Room("it begins or ends with a space"));
    }
    if text.chars().any(is_unseen) {
        return Err(InvitationError::Room("it has letters that cannot be seen"));
    }
    // What a name decodes to where its bytes were no text: nobody meant it.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(InvitationError::Room("it is no text"));
    }
    RoomId::new(text).map_err(|_| InvitationError::Room("it is empty, too long or has control characters"))
}

/// Letters that take no place or turn the order of others, so that two different names look the same.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
