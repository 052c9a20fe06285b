//! The sequence parameters of a stream (ITU-T H.264 §7.3.2.1), as far as the decoder's need of memory.

/// Pixels of one picture at most (4096x2304, as of the other codecs).
const MAX_PIXELS: u64 = 4096 * 2304;

/// Pixels of all pictures that a decoder keeps at most: a 720p stream with sixteen, a 1080p stream with seventeen.
const MAX_KEPT_PIXELS: u64 = 4 * MAX_PIXELS;

/// Size and number of the pictures of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) reference_frames: u64,
}

impl Sequence {
    /// Reads one parameter set, from its unit's header on.
    pub(super) fn parse(unit: &[u8]) -> Result<Self, String> {
        let cut_off = || "the parameters are cut off".to_owned();
        let mut bits = Bits::new(unit.get(1..).unwrap_or_default());
        let profile = bits.read(8).ok_or_else(cut_off)?;
        Self::read(profile, &mut bits).ok_or_else(cut_off)?
    }

    /// Whether pictures like these are decoded here.
    pub(super) fn check(self) -> Result<(), String> {
        let pixels = self.width.saturating_mul(self.height);
        if pixels > MAX_PIXELS {
            return Err(format!(
                "a picture of {}x{} is too large",
                self.width, self.height
            ));
        }
        if pixels.saturating_mul(self.reference_frames) > MAX_KEPT_PIXELS {
            return Err(format!(
                "{} pictures of {}x{} are too many to keep",
                self.reference_frames, self.width, self.height
            ));
        }
        Ok(())
    }

    /// `None` where the bits end.
    fn read(profile: u64, bits: &mut Bits<'_>) -> Option<Result<Self, String>> {
        // Constraint flags and level.
        bits.read(16)?;
        bits.exp_golomb()?;
        match profile {
            66 | 77 | 88 => {}
            100 => {
                let chroma = bits.exp_golomb()?;
                let depths = (bits.exp_golomb()?, bits.exp_golomb()?);
                if chroma != 1 || depths != (0, 0) {
                    return Some(Err("only 4:2:0 of 8 bits is decoded".to_owned()));
                }
                bits.read(1)?;
                if bits.read(1)? == 1 {
                    skip_scaling_lists(bits)?;
                }
            }
            other => return Some(Err(format!("profile {other} is not decoded"))),
        }
        // log2_max_frame_num
        bits.exp_golomb()?;
        match bits.exp_golomb()? {
            0 => {
                bits.exp_golomb()?;
            }
            1 => {
                bits.read(1)?;
                bits.exp_golomb()?;
                bits.exp_golomb()?;
                for _ in 0..bits.exp_golomb()? {
                    bits.exp_golomb()?;
                }
            }
            _ => {}
        }
        let reference_frames = bits.exp_golomb()?;
        bits.read(1)?;
        let width = (bits.exp_golomb()? + 1) * 16;
        let height = (bits.exp_golomb()? + 1) * 16;
        let frames_only = bits.read(1)?;
        Some(Ok(Self {
            width,
            height: height * (2 - frames_only),
            reference_frames: reference_frames.max(1),
        }))
    }
}

/// ITU-T H.264 §7.3.2.1.1.1: eight lists in 4:2:0.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for list in 0..8 {
        if bits.read(1)? == 0 {
            continue;
        }
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + signed(bits.exp_golomb()?)).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

/// ITU-T H.264 §9.1.1.
fn signed(code: u64) -> i64 {
    let half = code.div_ceil(2) as i64;
    if code % 2 == 1 { half } else { -half }
}

/// Bits of a unit without the bytes that keep start codes out of it (§7.4.1).
struct Bits<'a> {
    bytes: std::slice::Iter<'a, u8>,
    zeros: u32,
    current: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            zeros: 0,
            current: 0,
            left: 0,
        }
    }

    fn bit(&mut self) -> Option<u64> {
        if self.left == 0 {
            let mut byte = *self.bytes.next()?;
            if self.zeros >= 2 && byte == 3 {
                self.zeros = 0;
                byte = *self.bytes.next()?;
            }
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            (self.current, self.left) = (byte, 8);
        }
        self.left -= 1;
        Some(u64::from(self.current >> self.left & 1))
    }

    fn read(&mut self, count: u32) -> Option<u64> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    /// §9.1; `None` also for codes of more than 32 bits, which nothing here has.
    fn exp_golomb(&mut self) -> Option<u64> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes parameters as an encoder does, with no care for start codes.
    fn parameters(profile: u8, width: u64, height: u64, references: u64) -> Vec<u8> {
        let mut bits = String::new();
        let mut code = |value: u64| {
            let binary = format!("{:b}", value + 1);
            bits += &"0".repeat(binary.len() - 1);
            bits += &binary;
        };
        // Identifier, frame numbers, order of output 2.
        for value in [0, 0, 2, references] {
            code(value);
        }
        bits += "0";
        let mut code = |value: u64| {
            let binary = format!("{:b}", value + 1);
            bits += &"0".repeat(binary.len() - 1);
            bits += &binary;
        };
        code(width / 16 - 1);
        code(height / 16 - 1);
        bits += "1";
        bits += &"0".repeat(8 - bits.len() % 8);
        let mut unit = vec![0x67, profile, 0xc0, 31];
        unit.extend(
            bits.as_bytes()
                .chunks(8)
                .map(|byte| byte.iter().fold(0, |value, bit| value << 1 | (bit - b'0'))),
        );
        unit
    }

    #[test]
    fn the_size_is_read_and_what_would_take_too_much_memory_is_refused() {
        let usual = Sequence::parse(&parameters(66, 1280, 720, 1)).expect("valid");
        assert_eq!(
            usual,
            Sequence {
                width: 1280,
                height: 720,
                reference_frames: 1
            }
        );
        assert_eq!(usual.check(), Ok(()));
        let check = |width, height, references| {
            let parsed = Sequence::parse(&parameters(66, width, height, references));
            parsed.and_then(Sequence::check).expect_err("too much")
        };
        assert_eq!(check(16_384, 16_384, 1), "a picture of 16384x16384 is too large");
        assert_eq!(
            check(4096, 2304, 16),
            "16 pictures of 4096x2304 are too many to keep"
        );
        assert_eq!(
            Sequence::parse(&parameters(244, 64, 64, 1)),
            Err("profile 244 is not decoded".to_owned())
        );
        assert!(Sequence::parse(&[0x67, 66, 0xc0]).is_err());
        assert!(Sequence::parse(&[0x67]).is_err());
    }

    #[test]
    fn bytes_that_keep_start_codes_out_are_skipped() {
        let mut bits = Bits::new(&[0, 0, 3, 1, 0x80]);
        assert_eq!(bits.read(24), Some(1));
        assert_eq!((bits.exp_golomb(), signed(3), signed(4)), (Some(0), 2, -2));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(unit in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(sequence) = Sequence::parse(&unit) {
                sequence.check().ok();
            }
        }
    }
}
