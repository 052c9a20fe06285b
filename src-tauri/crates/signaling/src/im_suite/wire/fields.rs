//! Reading a JSON object field by field, so that an error can say which one and what is not read is kept.

use ahoy_call::{CallId, UserId};
use serde::Serializer;
use serde_json::{Number, Value};

/// A JSON object.
pub type Map = serde_json::Map<String, Value>;

/// Why a message cannot be read. Nested fields are named by their path, as in `sdp.type` (§16.12).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("nested deeper than 16")]
    TooDeep,
    #[error("field {0} is missing")]
    Missing(String),
    #[error("field {field} is not {expected}")]
    Mistyped { field: String, expected: &'static str },
}

impl WireError {
    /// The path of the field at fault, if one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            WireError::NotJson(_) | WireError::TooDeep => None,
            WireError::Missing(field) | WireError::Mistyped { field, .. } => Some(field),
        }
    }
}

/// A payload that reads itself from the fields of an object.
pub(super) trait FromFields: Sized {
    fn from_fields(fields: &mut Fields) -> Result<Self, WireError>;
}

/// A single value of a message; `path` is its name in errors.
pub(super) trait FromJson: Sized {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError>;
}

/// The fields of one object that were not read yet.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    map: Map,
    /// Empty, or the path of this object with a final dot.
    prefix: String,
}

impl Fields {
    pub(super) fn root(value: Value) -> Result<Self, WireError> {
        Self::object(value, "message", String::new())
    }

    /// The object under `payload`, whose fields are named without it.
    pub(super) fn payload(value: Value) -> Result<Self, WireError> {
        Self::object(value, "payload", String::new())
    }

    fn object(value: Value, path: &str, prefix: String) -> Result<Self, WireError> {
        match value {
            Value::Object(map) => Ok(Self { map, prefix }),
            _ => Err(mistyped(path, "an object")),
        }
    }

    /// Takes a field whatever it is.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name)
    }

    /// Takes a field that may be missing or null.
    pub(super) fn optional<T: FromJson>(&mut self, name: &str) -> Result<Option<T>, WireError> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::from_json(value, &self.path(name)).map(Some),
        }
    }

    /// Takes a field under its name, else under the name lenient readers accept (§13).
    pub(super) fn optional_or<T: FromJson>(
        &mut self,
        name: &str,
        other: &str,
    ) -> Result<Option<T>, WireError> {
        match self.optional(name)? {
            Some(value) => Ok(Some(value)),
            None => self.optional(other),
        }
    }

    pub(super) fn required<T: FromJson>(&mut self, name: &str) -> Result<T, WireError> {
        self.optional(name)?
            .ok_or_else(|| WireError::Missing(self.path(name)))
    }

    /// Takes a field that is worth nothing when malformed; it then stays among the unread ones.
    pub(super) fn lenient<T: FromJson>(&mut self, name: &str) -> Option<T> {
        let value = self.map.get(name)?.clone();
        let read = T::from_json(value, name).ok()?;
        self.map.remove(name);
        Some(read)
    }

    /// What nobody took.
    pub(super) fn rest(&mut self) -> Map {
        std::mem::take(&mut self.map)
    }

    pub(super) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

pub(super) fn mistyped(field: &str, expected: &'static str) -> WireError {
    WireError::Mistyped {
        field: field.to_owned(),
        expected,
    }
}

impl<T: FromFields> FromJson for T {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        T::from_fields(&mut Fields::object(value, path, format!("{path}."))?)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        let Value::Array(items) = value else {
            return Err(mistyped(path, "an array"));
        };
        let read = |(index, item)| T::from_json(item, &format!("{path}.{index}"));
        items.into_iter().enumerate().map(read).collect()
    }
}

impl FromJson for String {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(mistyped(path, "a string")),
        }
    }
}

impl FromJson for bool {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        value.as_bool().ok_or_else(|| mistyped(path, "true or false"))
    }
}

impl FromJson for Number {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        match value {
            Value::Number(number) => Ok(number),
            _ => Err(mistyped(path, "a number")),
        }
    }
}

impl FromJson for u64 {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        value
            .as_u64()
            .ok_or_else(|| mistyped(path, "a whole number from 0"))
    }
}

impl FromJson for u32 {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| mistyped(path, "a whole number from 0 to 4294967295"))
    }
}

impl FromJson for u16 {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| mistyped(path, "a whole number from 0 to 65535"))
    }
}

impl FromJson for UserId {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        let user = value.as_u64().and_then(|number| UserId::new(number).ok());
        user.ok_or_else(|| mistyped(path, "a user id (integer from 1)"))
    }
}

impl FromJson for CallId {
    fn from_json(value: Value, path: &str) -> Result<Self, WireError> {
        let call = value.as_str().and_then(|text| CallId::new(text).ok());
        call.ok_or_else(|| mistyped(path, "a call id ([A-Za-z0-9_.:-]{1,100})"))
    }
}

/// Writes a call id as text.
pub(super) fn call_id<S: Serializer>(id: &CallId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

/// Writes an optional call id as text.
pub(super) fn some_call_id<S: Serializer>(id: &Option<CallId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.serialize_str(id.as_str()),
        None => serializer.serialize_none(),
    }
}

/// Writes a user id as an integer.
pub(super) fn user_id<S: Serializer>(id: &UserId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(id.as_u64())
}

/// Writes an optional user id as an integer.
pub(super) fn some_user_id<S: Serializer>(id: &Option<UserId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.serialize_u64(id.as_u64()),
        None => serializer.serialize_none(),
    }
}
