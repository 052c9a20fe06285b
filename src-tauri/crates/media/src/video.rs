//! Pictures and their two pipelines: camera to encoded frames ([`send`]), packets to screen ([`receive`]).

pub mod assembly;
pub mod convert;
pub mod frame;
pub mod freeze;
pub mod h264;
pub mod latest;
pub mod pace;
pub mod receive;
pub mod rotation;
pub mod scale;
pub mod screen;
pub mod send;
pub mod vp8;
pub mod vp9;

pub use frame::{I420, PicturePool, VideoFrame};
pub use rotation::Rotation;
