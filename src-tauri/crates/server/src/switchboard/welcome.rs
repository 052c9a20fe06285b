//! The first frame of a connection (IM-Suite §1.7).

use super::call::Phase;
use super::devices::DeviceKey;
use super::message::time_text;
use super::{MESSAGE_LIMIT, Moment, Switchboard};
use serde_json::{Value, json};

/// What this server can do beyond basic mode; the last two are the subprotocols of IM-Suite §12.
const FEATURES: [&str; 6] = [
    "status_relay",
    "renegotiate",
    "resume",
    "multi_device",
    "cbor",
    "z",
];

impl Switchboard {
    pub(super) fn welcome(&self, now: Moment, key: &DeviceKey) -> String {
        let live = self.calls.of(key.user).and_then(|call| {
            let role = call.role(key.user)?;
            let mut live = json!({
                "call_id": call.id.as_str(),
                "role": role.as_str(),
                "peer": call.user(role.other()).as_u64(),
                "call_type": if call.video { "video" } else { "audio" },
                "state": "ringing",
                "bound_here": call.is_bound(key),
            });
            if let Phase::Active(active) = &call.phase {
                live["state"] = "active".into();
                live["answered_at"] = time_text(active.answered.wall).into();
            }
            Some(live)
        });
        let time = time_text(now.wall);
        json!({
            "type": "welcome",
            "user_id": key.user.as_u64(),
            "time": now.wall.as_second(),
            "timestamp": time,
            "payload": {
                "user_id": key.user.as_u64(),
                "username": self.people.name(key.user),
                "device_id": key.device.as_str(),
                "server_time": time,
                "features": FEATURES,
                "ring_timeout": self.rules.timing.ring_timeout.as_secs(),
                "resume_grace": self.rules.timing.resume_grace.as_secs(),
                "heartbeat": self.rules.timing.heartbeat.as_secs(),
                "max_message": MESSAGE_LIMIT,
                "calls": live.into_iter().collect::<Vec<Value>>(),
            },
        })
        .to_string()
    }
}
