//! Which media belong together: those of one stream of the other side (RFC 8830 §2).

/// What is named where there is no stream (RFC 8830 §2).
const NO_STREAM: &str = "-";

/// Whether sound and pictures of the describing side are to be played in time with each other. A side that does not say what
/// its streams are, of sound or of pictures, has one.
pub(crate) fn in_sync(sdp: &str) -> bool {
    let sound = streams(sdp, "audio");
    let pictures = streams(sdp, "video");
    sound.is_empty() || pictures.is_empty() || sound.iter().any(|stream| pictures.contains(stream))
}

/// The names of the streams to which media of a kind belong, by `a=msid` or as older descriptions have it, by the SSRC.
fn streams<'a>(sdp: &'a str, kind: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            inside = words.next() == Some(kind) && words.next() != Some("0");
            continue;
        }
        let named = line.strip_prefix("a=msid:").or_else(|| {
            let (_, attribute) = line.strip_prefix("a=ssrc:")?.split_once(' ')?;
            attribute.strip_prefix("msid:")
        });
        let stream = named.and_then(|named| named.split_whitespace().next());
        found.extend(stream.filter(|stream| inside && *stream != NO_STREAM));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(sound: &str, pictures: &str) -> String {
        format!("v=0\r\na=msid-semantic: WMS\r\nm=audio 9 X 111\r\n{sound}m=video 9 X 96\r\n{pictures}")
    }

    #[test]
    fn media_of_one_stream_are_in_time() {
        let one = description("a=msid:s one\r\n", "a=msid:s two\r\n");
        assert!(in_sync(&one));
        let older = description(
            "a=ssrc:1 cname:c\r\na=ssrc:1 msid:s one\r\n",
            "a=ssrc:2 msid:s two\r\n",
        );
        assert!(in_sync(&older));
    }

    #[test]
    fn media_of_different_streams_are_not() {
        assert!(!in_sync(&description(
            "a=msid:voice one\r\n",
            "a=msid:screen two\r\n"
        )));
    }

    #[test]
    fn who_says_nothing_has_one_stream() {
        assert!(in_sync(&description("", "a=msid:s two\r\n")));
        assert!(in_sync(&description("a=msid:- one\r\n", "a=msid:s two\r\n")));
        assert!(in_sync(""));
        assert!(in_sync(
            "a=msid:\r\nm=audio\r\na=msid:\r\na=ssrc:\r\na=ssrc:1 msid:\r\n"
        ));
    }

    #[test]
    fn a_section_that_is_refused_names_no_stream() {
        let refused = "m=video 0 X 96\r\na=msid:screen two\r\n";
        assert!(in_sync(&format!(
            "m=audio 9 X 111\r\na=msid:voice one\r\n{refused}"
        )));
    }
}
