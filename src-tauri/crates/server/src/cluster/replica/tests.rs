//! What one replica does, seen from outside.

use crate::switchboard::Moment;
use jiff::Timestamp;
use std::time::Duration;

pub(crate) fn moment(at: Duration) -> Moment {
    Moment {
        at,
        wall: Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(at).unwrap(),
    }
}
