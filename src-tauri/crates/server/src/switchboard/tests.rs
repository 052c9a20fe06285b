//! The switchboard through its public interface, one cell of the tables at a time.

mod active;
mod bench;
mod conformance;
mod history;
mod hostile;
mod permission;
mod rates;
mod reports;
mod resume;
mod rules;
mod setup;
mod table;
