//! Names that this side makes up: of transactions, and of guests, which are its calls.
//!
//! Whoever knows a guest id can end the call, because the server checks no sender: guest ids carry the 128 random bits of
//! the call's own id. Transactions only have to differ, so they come from a small generator with a seed.

use ahoy_call::CallId;

/// Letters and digits of a transaction id, as a MediaServer makes them.
const TRANSACTION: usize = 32;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// What [`CallId::from_random`] puts before the random digits.
const CALL: &str = "call_";
/// Hexadecimal digits of 128 random bits.
const RANDOM: usize = 32;

/// Makes transaction ids (SplitMix64).
#[derive(Debug)]
pub(super) struct Transactions(u64);

impl Transactions {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn make(&mut self) -> String {
        let letter = |number: u64| char::from(ALPHABET[(number % ALPHABET.len() as u64) as usize]);
        (0..TRANSACTION).map(|_| letter(self.next())).collect()
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The guest id of a call that leaves from `room`: the room and the random part of the call's id.
pub(super) fn guest_id(room: &str, call: &CallId) -> String {
    let random = call.as_str().strip_prefix(CALL).unwrap_or(call.as_str());
    format!("{room}_{random}")
}

/// The call that a guest id stands for, so that two copies of Ahoy name it alike; `None` for one that cannot be a name of
/// a call.
pub(super) fn call_id(guest_id: &str) -> Option<CallId> {
    let random = guest_id.rsplit('_').next().unwrap_or_default();
    let ours = random.len() == RANDOM && random.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let name = if ours {
        format!("{CALL}{random}")
    } else {
        guest_id.to_owned()
    };
    CallId::new(name).ok()
}

/// The room a guest says to be of: what stands before the last `_`.
pub(super) fn room_of(guest_id: &str) -> &str {
    guest_id.rsplit_once('_').map_or(guest_id, |(room, _)| room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn both_sides_name_a_call_alike_whatever_the_room() {
        let call = CallId::from_random([0xa7; 16]);
        for room in ["bob", "room_1", "蜂鸟 7"] {
            let guest = guest_id(room, &call);
            assert_eq!(call_id(&guest), Some(call.clone()), "{guest}");
            assert_eq!(room_of(&guest), room);
        }
    }

    #[test]
    fn guests_of_others_are_calls_by_their_own_name() {
        let guest = "ringing_XXXXXXXXXXXXXXXX_YYYYYYYYYYYYYYYY";
        assert_eq!(call_id(guest).expect("a name").as_str(), guest);
        assert_eq!(room_of(guest), "ringing_XXXXXXXXXXXXXXXX");
        assert_eq!(call_id("蜂鸟_k3J9x0Qm2LpZ7aTe"), None);
    }

    #[test]
    fn transactions_are_32_letters_and_digits_and_differ() {
        let mut transactions = Transactions::new(1);
        let made: HashSet<String> = (0..1000).map(|_| transactions.make()).collect();
        assert_eq!(made.len(), 1000);
        let legal = |id: &String| id.len() == 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        assert!(made.iter().all(legal));
    }
}
