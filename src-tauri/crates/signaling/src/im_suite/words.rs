//! What other protocols carry in IM-Suite's own words: constraints and reports. Pure.

use super::translate;
use super::wire::{Constraints, Envelope, Message};
use ahoy_call::{CallId, Report, Signal};
use serde_json::{Value, json};

pub(crate) use translate::with_final_line_end;

/// Constraints as an offer has them (§5).
pub(crate) fn constraints(wish: &ahoy_call::Constraints) -> Value {
    serde_json::to_value(translate::constraints::write(wish)).expect("texts and numbers make JSON")
}

/// What cannot be read wishes for nothing special.
pub(crate) fn constraints_of(value: Value) -> ahoy_call::Constraints {
    let wish = Constraints::from_value(value);
    wish.map(|wish| translate::constraints::read(&wish))
        .unwrap_or_default()
}

/// A report as `call.status` has it (§4.5).
pub(crate) fn report(call: CallId, report: Report) -> Value {
    let status = translate::report::write(call, report, None, None);
    serde_json::to_value(status).expect("texts and numbers make JSON")
}

/// The report about a call, if it is one about this call.
pub(crate) fn report_of(call: &CallId, value: Value) -> Option<Signal> {
    let envelope = Envelope::from_value(json!({ "type": "call.status", "payload": value })).ok()?;
    let Message::Status(status) = envelope.message else {
        return None;
    };
    translate::report::read(status).filter(|signal| signal.call() == Some(call))
}
