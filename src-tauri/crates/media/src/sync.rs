//! The standard library's primitives under a name of ours: `tests/loom` puts those of a model checker in their place.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
