//! Calls for a stream in a room (ZLMediaKit): which devices and codecs they take, and when a stream has gone silent. Pure.

use crate::settings::DeviceChoice;
use ahoy_call::{Direction, Purpose, StreamCall};
use ahoy_media::codec::{PictureCodec, SoundCodec};
use ahoy_media::spec::DeviceSpec;
use std::time::Duration;

/// The code of the notice that a played stream has ended or stands still.
pub(crate) const STREAM_SILENT: &str = "stream_silent";
/// The code of the notice that a played stream brings pictures alone. A MediaServer transcodes nothing: it answers the
/// sound of a stream that has AAC, as those of most cameras, as inactive.
pub(crate) const STREAM_WITHOUT_SOUND: &str = "stream_without_sound";
/// How long a played stream may bring nothing before that is said. A media server says nothing when a stream ends, and
/// ICE notices only after seven seconds; statistics come once a second, so this is said within five.
const SILENT: Duration = Duration::from_millis(3500);

/// The devices that a call of this direction takes: nobody opens a microphone to watch.
pub(crate) fn devices(choice: &DeviceChoice, way: Direction) -> DeviceChoice {
    let mut choice = choice.clone();
    if !way.sends() {
        choice.microphone = DeviceSpec::Null;
        choice.camera = DeviceSpec::Null;
    }
    if !way.receives() {
        choice.speaker = DeviceSpec::Null;
        choice.screen = DeviceSpec::Null;
    }
    choice
}

/// The sound codecs to offer. A MediaServer takes G.711 from whoever sends it both, so a pushed stream offers Opus alone if
/// it may.
pub(crate) fn audio_codecs(stream: Option<&StreamCall>, ours: &[SoundCodec]) -> Vec<SoundCodec> {
    let pushes = stream.is_some_and(|stream| stream.purpose == Purpose::Push);
    if pushes && ours.contains(&SoundCodec::Opus) {
        vec![SoundCodec::Opus]
    } else {
        ours.to_vec()
    }
}

/// The picture codecs to offer: H.264 first for a stream, which is what a MediaServer prefers and others can play.
pub(crate) fn video_codecs(stream: Option<&StreamCall>, ours: &[PictureCodec]) -> Vec<PictureCodec> {
    let mut codecs = ours.to_vec();
    if stream.is_some() {
        codecs.sort_by_key(|codec| *codec != PictureCodec::H264);
    }
    codecs
}

/// Whether a played stream has gone silent; `None` before it has brought anything, and for other calls. A lost path is
/// silence too: a media server that ends a stream answers no checks of it any more.
pub(crate) fn is_silent(way: Direction, media_in_age: Option<Duration>) -> Option<bool> {
    let age = media_in_age.filter(|_| way == Direction::RecvOnly)?;
    Some(age >= SILENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(purpose: Purpose) -> StreamCall {
        StreamCall {
            purpose,
            vhost: "v".to_owned(),
            app: "live".to_owned(),
            stream: "harbor".to_owned(),
        }
    }

    #[test]
    fn a_pushed_stream_offers_opus_alone_where_it_may() {
        let ours = [SoundCodec::Pcma, SoundCodec::Opus];
        let push = stream(Purpose::Push);
        assert_eq!(audio_codecs(Some(&push), &ours), [SoundCodec::Opus]);
        assert_eq!(
            audio_codecs(Some(&push), &ours[..1]),
            [SoundCodec::Pcma],
            "as the user wants"
        );
        assert_eq!(audio_codecs(Some(&stream(Purpose::Play)), &ours), ours);
        assert_eq!(audio_codecs(None, &ours), ours);
    }

    #[test]
    fn h264_goes_first_for_a_stream_and_the_rest_stays_in_order() {
        use PictureCodec::{H264, Vp8, Vp9};
        let play = stream(Purpose::Play);
        assert_eq!(video_codecs(Some(&play), &[Vp8, Vp9, H264]), [H264, Vp8, Vp9]);
        assert_eq!(video_codecs(Some(&play), &[Vp9]), [Vp9], "as the user wants");
        assert_eq!(video_codecs(None, &[Vp8, H264]), [Vp8, H264]);
    }

    #[test]
    fn only_a_played_stream_that_has_begun_goes_silent() {
        let age = |ms| Some(Duration::from_millis(ms));
        assert_eq!(is_silent(Direction::RecvOnly, age(3400)), Some(false));
        assert_eq!(is_silent(Direction::RecvOnly, age(3600)), Some(true));
        assert_eq!(is_silent(Direction::SendRecv, age(9000)), None);
        assert_eq!(is_silent(Direction::RecvOnly, None), None);
    }
}
