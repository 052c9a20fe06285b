//! One client against servers of every kind, each played by a test: good, basic, echoing, hostile, forgetful.

mod basic;
mod calls;
mod hostile;
mod real;
mod script;
#[path = "../shared/settings.rs"]
mod settings;
mod signed_in;
mod sound;
