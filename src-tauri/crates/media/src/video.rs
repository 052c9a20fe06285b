//! Pictures and their two pipelines.

pub mod frame;

pub use frame::{I420, VideoFrame};
