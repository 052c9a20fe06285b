//! The connections of the call that goes on: one, or the two of a two-way call with a media server.

use crate::live::{Live, Media};
use crate::media_session::MediaSession;
use ahoy_call::CallId;
use ahoy_media::device::DeviceKind;
use std::time::Instant;

/// In the order in which they were made; hardly ever more than one.
#[derive(Default)]
pub(crate) struct Legs(Vec<Live>);

impl Legs {
    pub(crate) fn add(&mut self, live: Live) {
        self.0.push(live);
    }

    pub(crate) fn remove(&mut self, call: &CallId) {
        self.0.retain(|live| live.call != *call);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn get(&self, call: &CallId) -> Option<&Live> {
        self.0.iter().find(|live| live.call == *call)
    }

    pub(crate) fn get_mut(&mut self, call: &CallId) -> Option<&mut Live> {
        self.0.iter_mut().find(|live| live.call == *call)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Live> {
        self.0.iter_mut()
    }

    pub(crate) fn ids(&self) -> Vec<CallId> {
        self.0.iter().map(|live| live.call.clone()).collect()
    }

    /// What the own microphone and camera go through.
    pub(crate) fn sending(&self) -> Option<&Live> {
        self.0.get(self.place_of(|live| live.way.sends()))
    }

    pub(crate) fn sending_mut(&mut self) -> Option<&mut Live> {
        let place = self.place_of(|live| live.way.sends());
        self.0.get_mut(place)
    }

    /// What the other side is heard and seen through.
    pub(crate) fn receiving(&self) -> Option<&Live> {
        self.0.get(self.place_of(|live| live.way.receives()))
    }

    /// The one that a device belongs to.
    pub(crate) fn with_device_mut(&mut self, kind: DeviceKind) -> Option<&mut Live> {
        let place = match kind {
            DeviceKind::Microphone | DeviceKind::Camera => self.place_of(|live| live.way.sends()),
            DeviceKind::Speaker | DeviceKind::Screen => self.place_of(|live| live.way.receives()),
        };
        self.0.get_mut(place)
    }

    /// Where the one is that goes this way; a call has one at least, and one that goes elsewhere serves.
    fn place_of(&self, goes: impl Fn(&Live) -> bool) -> usize {
        self.0.iter().position(goes).unwrap_or(0)
    }

    /// The two that go one way each.
    pub(crate) fn both_ways(&self) -> Option<(&Live, &Live)> {
        let (sending, receiving) = (self.sending()?, self.receiving()?);
        (sending.call != receiving.call).then_some((sending, receiving))
    }

    /// The media of the two that go one way each, once both run.
    pub(crate) fn both_sessions(&self) -> Option<(&MediaSession, &MediaSession)> {
        match self.both_ways()? {
            (
                Live {
                    media: Media::Running(sending),
                    ..
                },
                Live {
                    media: Media::Running(receiving),
                    ..
                },
            ) => Some((sending, receiving)),
            _ => None,
        }
    }

    /// The one whose figures are told, joined with those of the other.
    pub(crate) fn telling(&self) -> Option<&Live> {
        let is_up = |live: &&Live| live.connected_at.is_some();
        self.sending().filter(is_up).or_else(|| self.receiving())
    }

    /// Whether another one than that of `call` has been up.
    pub(crate) fn other_was_up(&self, call: &CallId) -> bool {
        self.0
            .iter()
            .any(|live| live.call != *call && live.connected_at.is_some())
    }

    pub(crate) fn rings(&self) -> bool {
        self.0.iter().any(|live| live.ringer.is_some())
    }

    pub(crate) fn silence(&mut self) {
        self.0.iter_mut().for_each(Live::silence);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.0.iter().filter_map(Live::poll_timeout).min()
    }
}
