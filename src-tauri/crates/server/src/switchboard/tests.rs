//! The switchboard through its public interface, one cell of the tables at a time.

mod active;
mod bench;
mod hostile;
mod resume;
mod rules;
mod setup;
