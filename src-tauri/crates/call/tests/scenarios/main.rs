//! Each way in which a call begins and ends, seen from one endpoint; the name of a test is the rule.

mod callee;
mod caller;
mod connection;
mod glare;
mod recovery;
mod renegotiation;
mod rig;
mod stray;
mod streams;
mod tables;
