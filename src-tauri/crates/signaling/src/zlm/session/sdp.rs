//! The little that signaling reads of a description (RFC 8866 lines). Pure.

use crate::Secret;

/// ICE credentials of one side (RFC 8839 §5.4).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IceCredentials {
    pub(super) ufrag: String,
    pub(super) pwd: Secret,
}

/// The first credentials of a description; everything is in one bundle.
pub(super) fn credentials(sdp: &str) -> Option<IceCredentials> {
    let value = |name: &str| sdp.lines().find_map(|line| line.trim_end().strip_prefix(name));
    Some(IceCredentials {
        ufrag: value("a=ice-ufrag:")?.to_owned(),
        pwd: Secret::new(value("a=ice-pwd:")?),
    })
}

/// Whether a description has pictures in it.
pub(super) fn has_video(sdp: &str) -> bool {
    sdp.lines()
        .filter_map(|line| line.strip_prefix("m=video "))
        .any(|media| media.split(' ').next() != Some("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_pictures_are_found() {
        let sdp =
            "v=0\r\na=ice-ufrag:Ck0AAUZQRlA/1\r\na=ice-pwd:secret\r\nm=audio 9 X 0\r\nm=video 9 X 96\r\n";
        let found = credentials(sdp).expect("credentials");
        assert_eq!(
            (found.ufrag.as_str(), found.pwd.expose()),
            ("Ck0AAUZQRlA/1", "secret")
        );
        assert!(has_video(sdp));
        assert!(!has_video("v=0\r\nm=video 0 X 96\r\nm=audio 9 X 0\r\n"));
        assert_eq!(credentials("v=0\r\na=ice-ufrag:u\r\n"), None);
    }
}
