//! YUV4MPEG2 (`.y4m`): uncompressed pictures in a file, as a looped camera and as a screen that records.

use crate::device::{DeviceError, DeviceKind, VideoSink, VideoSource};
use crate::units::Resolution;
use crate::video::pace::{Pace, wait_until_due};
use crate::video::scale::{Region, Scaler};
use crate::video::{I420, PicturePool, VideoFrame};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest header line; the format sets no limit.
const MAX_LINE: u64 = 1024;
/// Largest side in pixels, that of VP8.
const MAX_SIDE: u32 = 16_383;

/// Plays a file as a camera, at the rate that it names, from its beginning again after its end.
#[derive(Debug)]
pub struct Y4mSource {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the first picture begins.
    first: u64,
    resolution: Resolution,
    pace: Pace,
    pool: PicturePool,
}

impl Y4mSource {
    /// Errors when there is no such file, or when it is not Y4M in 8-bit 4:2:0 with at least one picture.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => DeviceError::NotFound {
                kind: DeviceKind::Camera,
                name: path.display().to_string(),
            },
            _ => unusable(DeviceKind::Camera, path, &error),
        })?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let line = read_line(&mut file).map_err(|error| unusable(DeviceKind::Camera, path, &error))?;
        let header = Header::parse(&line).map_err(|why| unusable(DeviceKind::Camera, path, &why))?;
        let first = file
            .stream_position()
            .map_err(|error| unusable(DeviceKind::Camera, path, &error))?;
        let mut source = Self {
            path: path.to_owned(),
            file,
            first,
            resolution: header.resolution,
            pace: Pace::new(header.frames, header.per),
            pool: PicturePool::default(),
        };
        source
            .read_picture()?
            .ok_or_else(|| unusable(DeviceKind::Camera, path, &"it has no whole picture"))?;
        source.rewind()?;
        Ok(source)
    }

    pub fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// The next picture; `None` at the end, or where the file is cut off.
    fn read_picture(&mut self) -> Result<Option<Arc<I420>>, DeviceError> {
        let line = match read_line(&mut self.file) {
            Ok(line) => line,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(unusable(DeviceKind::Camera, &self.path, &error)),
        };
        if line != "FRAME" && !line.starts_with("FRAME ") {
            return Err(unusable(
                DeviceKind::Camera,
                &self.path,
                &"a picture does not begin with FRAME",
            ));
        }
        let file = &mut self.file;
        let read = self
            .pool
            .try_draw(self.resolution, |picture| file.read_exact(picture.as_bytes_mut()));
        match read {
            Ok(picture) => Ok(Some(picture)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(unusable(DeviceKind::Camera, &self.path, &error)),
        }
    }

    fn rewind(&mut self) -> Result<(), DeviceError> {
        match self.file.seek(SeekFrom::Start(self.first)) {
            Ok(_) => Ok(()),
            Err(error) => Err(unusable(DeviceKind::Camera, &self.path, &error)),
        }
    }
}

impl VideoSource for Y4mSource {
    fn next_frame(&mut self, timeout: Duration) -> Result<Option<VideoFrame>, DeviceError> {
        if !wait_until_due(&mut self.pace, timeout) {
            return Ok(None);
        }
        self.pace.advance();
        let picture = match self.read_picture()? {
            Some(picture) => Some(picture),
            None => {
                self.rewind()?;
                self.read_picture()?
            }
        };
        let Some(picture) = picture else {
            return Err(DeviceError::Lost(DeviceKind::Camera));
        };
        Ok(Some(VideoFrame {
            picture,
            captured_at: Instant::now(),
        }))
    }
}

/// Records pictures; the file takes the size of the first one, and later ones are scaled to it.
///
/// A Y4M file has one rate: 30 pictures per second are claimed and every picture is written once, as it comes.
#[derive(Debug)]
pub struct Y4mSink {
    path: PathBuf,
    /// Gone after an error, which is logged once.
    file: Option<BufWriter<File>>,
    resolution: Option<Resolution>,
    scaler: Scaler,
    pool: PicturePool,
}

impl Y4mSink {
    /// Makes the file, or empties it. Errors when that fails.
    pub fn create(path: &Path) -> Result<Self, DeviceError> {
        let file = File::create(path).map_err(|error| unusable(DeviceKind::Screen, path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file: Some(BufWriter::with_capacity(1 << 16, file)),
            resolution: None,
            scaler: Scaler::default(),
            pool: PicturePool::default(),
        })
    }

    fn write(&mut self, picture: &Arc<I420>) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let resolution = match self.resolution {
            Some(resolution) => resolution,
            None => {
                let resolution = picture.resolution();
                let Resolution { width, height } = resolution;
                writeln!(file, "YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg")?;
                self.resolution = Some(resolution);
                resolution
            }
        };
        let scaled;
        let picture = if picture.resolution() == resolution {
            picture
        } else {
            let (scaler, whole) = (&mut self.scaler, Region::whole(picture.resolution()));
            scaled = self
                .pool
                .draw(resolution, |out| scaler.scale(picture, whole, out));
            &scaled
        };
        file.write_all(b"FRAME\n")?;
        file.write_all(picture.as_bytes())
    }

    fn give_up_on_error(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            tracing::warn!(path = %self.path.display(), %error, "recording stopped");
            self.file = None;
        }
    }
}

impl VideoSink for Y4mSink {
    fn show(&mut self, _now: Instant, frame: VideoFrame) {
        let written = self.write(&frame.picture);
        self.give_up_on_error(written);
    }
}

impl Drop for Y4mSink {
    fn drop(&mut self) {
        if let Some(file) = &mut self.file {
            let flushed = file.flush();
            self.give_up_on_error(flushed);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Header {
    resolution: Resolution,
    /// So many pictures in each span of `per`.
    frames: u32,
    per: Duration,
}

impl Header {
    fn parse(line: &str) -> Result<Self, String> {
        let mut fields = line.split(' ');
        if fields.next() != Some("YUV4MPEG2") {
            return Err("it does not begin with YUV4MPEG2".to_owned());
        }
        let (mut width, mut height) = (None, None);
        let (mut frames, mut per) = (30, 1);
        for field in fields {
            let mut letters = field.chars();
            let Some(tag) = letters.next() else { continue };
            let value = letters.as_str();
            match tag {
                'W' => width = Some(side("width", value)?),
                'H' => height = Some(side("height", value)?),
                'F' => (frames, per) = rate(value)?,
                'I' if !matches!(value, "p" | "?") => {
                    return Err(format!("interlaced pictures (I{value}) are not supported"));
                }
                'C' if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                    return Err(format!(
                        "colour format C{value} is not supported, only 8-bit C420"
                    ));
                }
                // I and C that are supported; aspect ratio and comments are of no matter.
                _ => {}
            }
        }
        let (Some(width), Some(height)) = (width, height) else {
            return Err("its header lacks width or height".to_owned());
        };
        let per = Duration::from_secs(u64::from(per));
        Ok(Self {
            resolution: Resolution::new(width, height),
            frames,
            per,
        })
    }
}

fn side(name: &str, value: &str) -> Result<u32, String> {
    match value.parse() {
        Ok(side) if (1..=MAX_SIDE).contains(&side) => Ok(side),
        Ok(_) | Err(_) => Err(format!("{name} {value} is not from 1 to {MAX_SIDE}")),
    }
}

/// Pictures, and the seconds that they take.
fn rate(value: &str) -> Result<(u32, u32), String> {
    let parts = value
        .split_once(':')
        .and_then(|(frames, per)| Some((frames.parse().ok()?, per.parse().ok()?)));
    match parts {
        // Some writers say 0:0 for an unknown rate.
        Some((0, 0)) => Ok((30, 1)),
        Some((frames @ 1.., per @ 1..)) if frames / per <= 1000 => Ok((frames, per)),
        Some(_) | None => Err(format!("frame rate {value} is not a ratio such as 30:1")),
    }
}

/// A line without its end. Errors at the end of the file, and when the line is too long or not text.
fn read_line(file: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    file.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "a header line does not end",
        ));
    }
    String::from_utf8(line).map_err(|_| io::Error::new(ErrorKind::InvalidData, "a header line is not text"))
}

fn unusable(kind: DeviceKind, path: &Path, why: &dyn std::fmt::Display) -> DeviceError {
    DeviceError::Unusable {
        kind,
        why: format!("{}: {why}", path.display()),
    }
}

#[cfg(test)]
mod tests;
