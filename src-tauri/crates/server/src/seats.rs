//! How many connections each user has (IM-Suite §1.6).

use ahoy_call::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Connections of one user (IM-Suite §1.6).
const PER_USER: u8 = 10;

/// The taken seats; clones are the same ones.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seats(Arc<Mutex<HashMap<UserId, u8>>>);

/// One of a user's connections, until dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    user: UserId,
}

impl Seats {
    /// Takes a seat; `None` when the user has no more.
    pub(crate) fn take(&self, user: UserId) -> Option<Seat> {
        let mut taken = self.lock();
        let of_user = taken.entry(user).or_default();
        if *of_user >= PER_USER {
            return None;
        }
        *of_user += 1;
        drop(taken);
        Some(Seat {
            seats: self.clone(),
            user,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, u8>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(of_user) = taken.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_ten_seats_and_who_left_is_forgotten() {
        let seats = Seats::default();
        let [ada, ben] = [1, 2].map(|id| UserId::new(id).unwrap());
        let mut held: Vec<_> = (0..10).map(|_| seats.take(ada).unwrap()).collect();
        assert!(seats.take(ada).is_none());
        assert!(seats.take(ben).is_some());
        held.pop();
        assert!(seats.take(ada).is_some());
        drop(held);
        assert!(seats.lock().is_empty());
    }
}
