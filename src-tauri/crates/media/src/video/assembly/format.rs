//! What a codec's RTP payload format tells of a packet, and what follows from it for the order of frames.

use crate::video::vp8::PictureId;
use bytes::Bytes;

/// Reads the start of one codec's RTP payload.
pub trait PayloadFormat: Send {
    /// Says what one payload is, and what it adds to its frame; `None` when it is malformed.
    fn parse(&self, payload: &Bytes) -> Option<(Fragment, Bytes)>;
}

/// What one packet holds of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fragment {
    /// Whether a frame may begin here; packets of one time are one frame, wherever else in it that may be.
    pub starts_frame: bool,
    /// Only with `starts_frame`: the frame needs no other.
    pub keyframe: bool,
    pub order: FrameOrder,
}

/// A frame's place among the frames, as far as its codec tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameOrder {
    pub picture_id: Option<PictureId>,
    pub layer: Option<Layer>,
}

/// A frame's place in temporal layers (RFC 7741 §4.2: TL0PICIDX, TID, Y).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Running number of frames of the base layer, of the last one up to this frame.
    pub base_index: u8,
    /// 0 is the base layer.
    pub id: u8,
    /// Refers to the base layer only.
    pub sync: bool,
}

impl FrameOrder {
    /// Whether no frame was between `last` and this one.
    pub(super) fn follows(&self, last: &FrameOrder) -> bool {
        matches!((self.picture_id, last.picture_id), (Some(this), Some(last)) if this.follows(last))
    }

    /// Whether all that this frame refers to has been delivered up to `last`, although frames between are lost.
    pub(super) fn survives_after(&self, last: &FrameOrder) -> bool {
        let (Some(this), Some(last)) = (self.layer, last.layer) else {
            return false;
        };
        match this.id {
            0 => this.base_index == last.base_index.wrapping_add(1),
            _ => this.sync && this.base_index == last.base_index,
        }
    }
}
