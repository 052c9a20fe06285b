//! Whether a call has pictures and which way they go: what each side wants, and what was negotiated.
//!
//! Nobody's camera is switched on by a message (IM-Suite §9): only [`Pictures::camera`] of the own user makes this side
//! send, and what the other side wants only makes this side receive.

use crate::Direction;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pictures {
    /// A video call from its first offer on: both sides may send at any time without another negotiation.
    from_the_start: bool,
    /// What the purpose of the call allows.
    pub(crate) way: Direction,
    /// The own user wants the camera.
    pub(crate) camera: bool,
    /// The other side sends, or asked to.
    pub(crate) other_sends: bool,
    /// The other side says that its camera is off although it could send.
    pub(crate) other_paused: bool,
    pub(crate) negotiated: Direction,
}

impl Pictures {
    pub(crate) fn of_call(video: bool, way: Direction) -> Self {
        Self {
            from_the_start: video,
            way,
            camera: false,
            other_sends: video && way.receives(),
            other_paused: false,
            negotiated: if video { way } else { Direction::Inactive },
        }
    }

    /// This side wants to be able to send.
    pub(crate) fn sends(&self) -> bool {
        (self.camera || self.from_the_start) && self.way.sends()
    }

    /// What an offer of this side asks for. Who sends also receives: the other side may answer with less.
    pub(crate) fn wanted(&self) -> Direction {
        let receives = self.sends() || self.other_sends;
        Direction::of(self.sends(), receives && self.way.receives())
    }

    /// Nobody is seen any more, in a call that had no pictures at first.
    pub(crate) fn are_pointless(&self) -> bool {
        let other_seen = self.other_sends && !self.other_paused;
        !self.from_the_start && !self.camera && !other_seen && self.negotiated != Direction::Inactive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_user_makes_this_side_send() {
        let mut pictures = Pictures::of_call(false, Direction::SendRecv);
        assert_eq!(pictures.wanted(), Direction::Inactive);
        pictures.other_sends = true;
        assert_eq!(pictures.wanted(), Direction::RecvOnly);
        pictures.camera = true;
        assert_eq!(pictures.wanted(), Direction::SendRecv);
        pictures.other_sends = false;
        assert_eq!(pictures.wanted(), Direction::SendRecv, "the other side may join");
    }

    #[test]
    fn a_video_call_keeps_both_ways_with_both_cameras_off() {
        let mut pictures = Pictures::of_call(true, Direction::SendRecv);
        pictures.other_paused = true;
        assert_eq!(pictures.wanted(), Direction::SendRecv);
        assert!(!pictures.are_pointless());
    }

    #[test]
    fn who_plays_sends_nothing_and_who_pushes_receives_nothing() {
        let mut playing = Pictures::of_call(true, Direction::RecvOnly);
        playing.camera = true;
        assert_eq!(playing.wanted(), Direction::RecvOnly);
        let pushing = Pictures::of_call(true, Direction::SendOnly);
        assert_eq!(pushing.wanted(), Direction::SendOnly);
        assert!(!pushing.are_pointless());
    }
}
