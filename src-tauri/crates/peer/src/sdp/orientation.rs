//! The header extension in which a camera says how it is held (3GPP TS 26.114 §7.4.5, RFC 8285).

/// Its name.
pub(crate) const ORIENTATION: &str = "urn:3gpp:video-orientation";

/// The number under which the pictures of a description have it; `None` where they have none. Both sides use one number
/// (RFC 8285 §6).
pub(crate) fn orientation(sdp: &str) -> Option<u8> {
    let mut inside = false;
    sdp.lines().find_map(|line| {
        if let Some(media) = line.strip_prefix("m=") {
            inside = media.starts_with("video ");
        }
        let mut words = line
            .strip_prefix("a=extmap:")
            .filter(|_| inside)?
            .split_whitespace();
        let (number, name) = (words.next()?, words.next()?);
        // The number may have a direction behind it.
        let number = number.split('/').next()?.parse().ok()?;
        (name == ORIENTATION && number != 0).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_the_pictures() {
        let sdp = "v=0\r\nm=audio 9 X 111\r\na=extmap:1 urn:3gpp:video-orientation\r\nm=video 9 X 96\r\n\
            a=extmap:2 urn:ietf:params:rtp-hdrext:toffset\r\na=extmap:13/recvonly urn:3gpp:video-orientation\r\n";
        assert_eq!(orientation(sdp), Some(13));
        assert_eq!(orientation(&sdp.replace("orientation", "other")), None);
    }

    #[test]
    fn nonsense_is_no_number() {
        for extmap in [
            "",
            " ",
            "x urn:3gpp:video-orientation",
            "0 urn:3gpp:video-orientation",
            "4",
            "/ urn:3gpp:video-orientation",
            "300 urn:3gpp:video-orientation",
            "-1 urn:3gpp:video-orientation",
        ] {
            let sdp = format!("m=video 9 X 96\r\na=extmap:{extmap}\r\n");
            assert_eq!(orientation(&sdp), None, "{extmap:?}");
        }
    }
}
