//! The little this crate reads and changes in descriptions itself (RFC 8866 lines). Pure; the library does the rest.

use crate::event::MediaKind;

/// Largest description taken, in bytes; Chromium with every codec and forty candidates makes some 12 kB.
pub(crate) const LARGEST: usize = 64 * 1024;

/// `a=setup` of RFC 4145 §4, as one side has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// This side is the DTLS client.
    Active,
    /// This side is the DTLS server.
    Passive,
}

impl Setup {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Setup::Active => Setup::Passive,
            Setup::Passive => Setup::Active,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
        }
    }
}

/// One `m=` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: MediaKind,
    /// Port 0: refused or stopped (RFC 3264 §6).
    pub(crate) rejected: bool,
    /// The describing side takes media here.
    pub(crate) receives: bool,
}

/// The sound and picture sections in their order.
pub(crate) fn sections(sdp: &str) -> Vec<Section> {
    let mut direction = Direction::default();
    let mut sections: Vec<Section> = Vec::new();
    // Lines after a section of another kind belong to none of ours.
    let mut in_ours = true;
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = match words.next() {
                Some("audio") => Some(MediaKind::Audio),
                Some("video") => Some(MediaKind::Video),
                _ => None,
            };
            in_ours = kind.is_some();
            if let Some(kind) = kind {
                sections.push(Section {
                    kind,
                    rejected: words.next().is_some_and(|port| port.trim() == "0"),
                    receives: direction.receives,
                });
            }
        } else if let Some(receives) = Direction::of(line) {
            match sections.last_mut() {
                Some(section) if in_ours => section.receives = receives.receives,
                Some(_) => {}
                None => direction = receives,
            }
        }
    }
    sections
}

/// The section of a kind that the describing side takes part in.
pub(crate) fn live(sections: &[Section], kind: MediaKind) -> Option<Section> {
    sections
        .iter()
        .copied()
        .find(|section| section.kind == kind && !section.rejected)
}

#[derive(Debug, Clone, Copy)]
struct Direction {
    receives: bool,
}

impl Default for Direction {
    fn default() -> Self {
        Self { receives: true }
    }
}

impl Direction {
    fn of(line: &str) -> Option<Self> {
        match line.trim_end() {
            "a=sendrecv" | "a=recvonly" => Some(Self { receives: true }),
            "a=sendonly" | "a=inactive" => Some(Self { receives: false }),
            _ => None,
        }
    }
}

/// The role the describing side has taken; `None` for `actpass` and when it says nothing.
pub(crate) fn setup(sdp: &str) -> Option<Setup> {
    sdp.lines().find_map(|line| match line.trim_end() {
        "a=setup:active" => Some(Setup::Active),
        "a=setup:passive" => Some(Setup::Passive),
        _ => None,
    })
}

/// The description with every `a=setup` saying `role`.
pub(crate) fn with_setup(sdp: &str, role: Setup) -> String {
    sdp.split_inclusive('\n')
        .map(|line| match line.strip_prefix("a=setup:") {
            Some(_) => format!("a=setup:{}\r\n", role.as_str()),
            None => line.to_owned(),
        })
        .collect()
}

/// The first `a=ice-ufrag` (RFC 8839 §5.4); sections of a bundle share it.
pub(crate) fn ice_ufrag(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=inactive\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=setup:active\r\na=sendrecv\r\n\
        a=ice-ufrag:abcd\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=recvonly\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=setup:active\r\n";

    #[test]
    fn sections_know_refusal_and_direction() {
        let audio = Section {
            kind: MediaKind::Audio,
            rejected: false,
            receives: true,
        };
        let video = Section {
            kind: MediaKind::Video,
            rejected: true,
            receives: false,
        };
        assert_eq!(sections(ANSWER), [audio, video]);
        assert_eq!(live(&sections(ANSWER), MediaKind::Audio), Some(audio));
        assert_eq!(live(&sections(ANSWER), MediaKind::Video), None);
    }

    #[test]
    fn the_role_is_read_and_rewritten_everywhere() {
        assert_eq!(setup(ANSWER), Some(Setup::Active));
        let rewritten = with_setup(ANSWER, Setup::Passive);
        assert_eq!(rewritten.matches("a=setup:passive\r\n").count(), 2);
        assert_eq!(rewritten.matches("a=setup").count(), 2);
        assert_eq!(rewritten.len(), ANSWER.len() + 2);
        assert_eq!(setup("a=setup:actpass\r\n"), None);
    }

    #[test]
    fn the_user_fragment_is_found() {
        assert_eq!(ice_ufrag(ANSWER), Some("abcd"));
        assert_eq!(ice_ufrag("v=0"), None);
    }
}
