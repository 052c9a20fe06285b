//! Whether a call has pictures and which way they go: what each side wants, and what was negotiated.
//!
//! Nobody's camera is switched on by a message (IM-Suite §9): only [`Pictures::camera`] of the own user makes this side
//! send, and what the other side wants only makes this side receive.

use crate::Direction;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pictures {
    /// A video call from its first offer on: both sides may send at any time without another negotiation.
    from_the_start: bool,
    /// The own user wants the camera.
    pub(crate) camera: bool,
    /// The other side sends, or asked to.
    pub(crate) other_sends: bool,
    /// The other side says that its camera is off although it could send.
    pub(crate) other_paused: bool,
    pub(crate) negotiated: Direction,
}

impl Pictures {
    pub(crate) fn of_call(video: bool) -> Self {
        Self {
            from_the_start: video,
            camera: false,
            other_sends: video,
            other_paused: false,
            negotiated: if video {
                Direction::SendRecv
            } else {
                Direction::Inactive
            },
        }
    }

    /// This side wants to be able to send.
    pub(crate) fn sends(&self) -> bool {
        self.camera || self.from_the_start
    }

    /// What an offer of this side asks for. Who sends also receives: the other side may answer with less.
    pub(crate) fn wanted(&self) -> Direction {
        Direction::of(self.sends(), self.sends() || self.other_sends)
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
        let mut pictures = Pictures::of_call(false);
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
        let mut pictures = Pictures::of_call(true);
        pictures.other_paused = true;
        assert_eq!(pictures.wanted(), Direction::SendRecv);
        assert!(!pictures.are_pointless());
    }
}
