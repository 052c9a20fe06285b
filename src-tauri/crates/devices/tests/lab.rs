//! Real drivers on virtual hardware: PulseAudio through the ALSA plugin, and a camera by a preloaded library.
//!
//! `AHOY_LAB` names the folder with `sound.sh` and `fakecam/fakecam.c`; without it these tests only say that they were
//! skipped. The camera needs root once, for `/dev/video0`. Each test starts this program again with the environment of
//! its devices, because the drivers read it once at their start.

#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stdout,
    reason = "a skipped test says so, and measurements are printed"
)]

use ahoy_devices::audio::{Microphone, Speaker};
use ahoy_devices::camera::Camera;
use ahoy_devices::list;
use ahoy_media::device::{AudioSink, AudioSource, DeviceError, DeviceKind, VideoRequest, VideoSource};
use ahoy_media::units::Resolution;
use ahoy_media::video::I420;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HD: VideoRequest = VideoRequest {
    resolution: Resolution::new(1280, 720),
    frame_rate: 30,
};

fn lab() -> Option<PathBuf> {
    let lab = std::env::var_os("AHOY_LAB").map(PathBuf::from);
    if lab.is_none() {
        println!("skipped: AHOY_LAB does not name the folder of the virtual devices");
    }
    lab
}

/// Runs one of the ignored tests below in a process of its own.
fn rerun(test: &str, env: &[(String, String)]) {
    let this = std::env::current_exe().expect("this program");
    let status = Command::new(this)
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .envs(env.iter().cloned())
        .status()
        .expect("this program starts");
    assert!(status.success(), "{test} failed");
}

#[test]
fn a_tone_goes_through_a_real_speaker_and_microphone() {
    let Some(lab) = lab() else { return };
    let rig = SoundRig::up(&lab);
    rerun("tone_through_the_default_devices", &rig.env());
}

#[test]
fn a_sound_server_that_dies_is_a_lost_device() {
    let Some(lab) = lab() else { return };
    let rig = SoundRig::up(&lab);
    rerun("sound_server_dies", &rig.env());
}

#[test]
fn pictures_come_from_a_real_camera() {
    let Some(lab) = lab() else { return };
    rerun("pictures_of_the_lab_camera", &camera_env(&lab, None));
}

#[test]
fn a_busy_camera_is_said_to_be_busy() {
    let Some(lab) = lab() else { return };
    rerun("busy_camera", &camera_env(&lab, Some("busy")));
}

#[test]
fn an_unplugged_camera_is_lost() {
    let Some(lab) = lab() else { return };
    rerun("unplugged_camera", &camera_env(&lab, Some("unplug@2")));
}

#[test]
fn a_camera_that_hangs_does_not_hold_its_owner() {
    let Some(lab) = lab() else { return };
    rerun("hanging_camera", &camera_env(&lab, Some("stall@1:60")));
}

/// A PulseAudio of its own in a temporary folder.
struct SoundRig {
    script: PathBuf,
    run: PathBuf,
}

impl SoundRig {
    fn up(lab: &Path) -> Self {
        let unique = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_nanos();
        let run = std::env::temp_dir().join(format!("ahoy-sound-{unique}"));
        std::fs::create_dir_all(&run).expect("a temporary folder");
        let rig = Self {
            script: lab.join("sound.sh"),
            run,
        };
        assert!(
            rig.script("up")
                .stdout(Stdio::null())
                .status()
                .expect("sh")
                .success(),
            "sound.sh up"
        );
        rig
    }

    fn script(&self, word: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg(&self.script).arg(word).env("RUN", &self.run);
        command
    }

    /// The devices of client A, with the microphone hearing the speaker.
    fn env(&self) -> Vec<(String, String)> {
        let output = self.script("env").arg("A").output().expect("sh");
        let line = String::from_utf8(output.stdout).expect("text");
        let words = line.split_whitespace().filter_map(|word| word.split_once('='));
        let mut env: Vec<_> = words
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        env.retain(|(name, _)| name != "PULSE_SOURCE");
        env.push(("PULSE_SOURCE".into(), "spk_a.monitor".into()));
        env.push((
            "AHOY_LAB_SOUND_PID".into(),
            self.run.join("pulse/pid").display().to_string(),
        ));
        env
    }
}

impl Drop for SoundRig {
    fn drop(&mut self) {
        // The server may have ended already; then there is nothing to stop.
        let _ = self
            .script("down")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let _ = std::fs::remove_dir_all(&self.run);
    }
}

fn camera_env(lab: &Path, fault: Option<&str>) -> Vec<(String, String)> {
    let library = std::env::temp_dir().join(format!("ahoy-fakecam-{}.so", std::process::id()));
    if !library.exists() {
        let building = library.with_extension(format!("{:?}", std::thread::current().id()));
        let status = Command::new("cc")
            .args(["-O3", "-ffast-math", "-shared", "-fPIC", "-o"])
            .arg(&building)
            .arg(lab.join("fakecam/fakecam.c"))
            .args(["-ldl", "-lpthread", "-lm"])
            .status();
        assert!(status.expect("cc").success());
        std::fs::rename(&building, &library).expect("the same folder");
    }
    if !Path::new("/dev/video0").exists() {
        let made = Command::new("mknod")
            .args(["/dev/video0", "c", "81", "0"])
            .status();
        assert!(made.expect("mknod").success(), "root makes /dev/video0");
    }
    let mut env = vec![("LD_PRELOAD".to_owned(), library.display().to_string())];
    env.extend(fault.map(|fault| ("FAKECAM_FAULT".to_owned(), fault.to_owned())));
    env
}

/// Keeps a tone of 440 Hz playing and gives what the microphone hears, mono, until `until` says enough.
fn play_and_hear(
    speaker: &mut Speaker,
    microphone: &mut Microphone,
    mut until: impl FnMut(&[f32]) -> bool,
) -> Result<Vec<f32>, DeviceError> {
    const TICK: Duration = Duration::from_millis(5);
    let (out, input) = (speaker.format(), microphone.format());
    let target = out.rate.samples_in(Duration::from_millis(60));
    let (mut heard, mut chunk, mut played) = (Vec::new(), Vec::new(), 0_u64);
    let mut due = Instant::now();
    while !until(&heard) {
        let now = Instant::now();
        let mut tone = Vec::new();
        for _ in speaker.queued(now)?..target {
            let phase = played as f64 * 440.0 / f64::from(out.rate.as_hz()) * std::f64::consts::TAU;
            tone.extend(std::iter::repeat_n(
                phase.sin() as f32 * 0.25,
                usize::from(out.channels),
            ));
            played += 1;
        }
        speaker.write(now, &tone)?;
        chunk.clear();
        microphone.read(now, &mut chunk)?;
        heard.extend(
            chunk
                .chunks_exact(usize::from(input.channels))
                .map(|frame| frame[0]),
        );
        due += TICK;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(heard)
}

/// Decibels of a sine of 440 Hz over everything else in a window.
fn tone_snr(window: &[f32], rate: f64) -> f64 {
    let angle = |index: usize| index as f64 * 440.0 / rate * std::f64::consts::TAU;
    let part = |wave: fn(f64) -> f64| {
        let products = window
            .iter()
            .enumerate()
            .map(|(i, sample)| f64::from(*sample) * wave(angle(i)));
        2.0 * products.sum::<f64>() / window.len() as f64
    };
    let (sine, cosine) = (part(f64::sin), part(f64::cos));
    let fitted = |i: usize| sine * angle(i).sin() + cosine * angle(i).cos();
    let noise: f64 = window
        .iter()
        .enumerate()
        .map(|(i, sample)| (f64::from(*sample) - fitted(i)).powi(2))
        .sum();
    let tone = (sine * sine + cosine * cosine) / 2.0 * window.len() as f64;
    10.0 * (tone / noise.max(1e-12)).log10()
}

#[test]
#[ignore = "started by a_tone_goes_through_a_real_speaker_and_microphone"]
fn tone_through_the_default_devices() {
    let listed = list();
    for kind in [DeviceKind::Microphone, DeviceKind::Speaker] {
        assert!(
            listed
                .iter()
                .any(|device| device.kind == kind && device.is_default),
            "{listed:#?}"
        );
    }
    let mut microphone = Microphone::open(None).expect("a microphone");
    let mut speaker = Speaker::open(None).expect("a speaker");
    let (input, output) = (microphone.format(), speaker.format());
    let rate = input.rate.as_hz();
    let wanted = rate as usize * 4;
    let begun = Instant::now();
    let mut first_sound = None;
    let heard = play_and_hear(&mut speaker, &mut microphone, |heard| {
        if first_sound.is_none() && heard.iter().any(|sample| sample.abs() > 0.1) {
            first_sound = Some(begun.elapsed());
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "4 s of sound take their time only"
        );
        heard.len() >= wanted
    })
    .expect("both devices live");
    // The last 2 s: the start of a sound server is no measure.
    let window = rate as usize / 10;
    let mut ratios: Vec<f64> = heard[heard.len() - rate as usize * 2..]
        .chunks_exact(window)
        .map(|w| tone_snr(w, rate.into()))
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "in {input:?} out {output:?}: first sound after {first_sound:?}, SNR median {:.1} dB, lowest {:.1} dB, \
         underruns {}, overruns {}, dropped {}",
        ratios[ratios.len() / 2],
        ratios[0],
        speaker.underruns(),
        microphone.overruns(),
        speaker.dropped(),
    );
    // A busy machine starves the sound server, which is not what is tested: some windows must be clean, and very.
    assert!(
        ratios.iter().filter(|ratio| **ratio > 60.0).count() >= 3,
        "{ratios:?}"
    );
    let begun = Instant::now();
    drop((microphone, speaker));
    assert!(begun.elapsed() < Duration::from_secs(1), "released in time");
}

#[test]
#[ignore = "started by a_sound_server_that_dies_is_a_lost_device"]
fn sound_server_dies() {
    let mut microphone = Microphone::open(None).expect("a microphone");
    let mut speaker = Speaker::open(None).expect("a speaker");
    let heard = play_and_hear(&mut speaker, &mut microphone, |heard| heard.len() > 24_000);
    assert!(heard.is_ok());
    let file = std::env::var("AHOY_LAB_SOUND_PID").expect("set by the starting test");
    let pid = std::fs::read_to_string(file).expect("the server's pid");
    assert!(
        Command::new("kill")
            .args(["-9", pid.trim()])
            .status()
            .expect("kill")
            .success()
    );
    let died = Instant::now();
    let error = play_and_hear(&mut speaker, &mut microphone, |_| {
        died.elapsed() > Duration::from_secs(10)
    });
    println!("after {:?}: {error:?}", died.elapsed());
    assert!(matches!(error, Err(DeviceError::Lost(_))));
    assert!(died.elapsed() < Duration::from_secs(3));
    drop((microphone, speaker));
}

#[test]
#[ignore = "started by pictures_come_from_a_real_camera"]
fn pictures_of_the_lab_camera() {
    let listed = list();
    let camera = listed
        .iter()
        .find(|device| device.kind == DeviceKind::Camera)
        .expect("a camera");
    println!("{camera:?}");
    let mut camera = Camera::open(Some(&camera.name), HD).expect("opens by name");
    let mut numbers = Vec::new();
    let mut ages = Vec::new();
    let mut begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        if let Some(frame) = camera
            .next_frame(Duration::from_secs(2))
            .expect("the camera lives")
        {
            assert_eq!(frame.picture.resolution(), HD.resolution);
            let (number, age) = barcode(&frame.picture);
            if numbers.is_empty() {
                begun = Instant::now();
            }
            numbers.push(number);
            ages.push(age);
        }
    }
    ages.sort_by(f64::total_cmp);
    let fps = numbers.len() as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{fps:.1} pictures/s, age median {:.0} ms",
        ages[ages.len() / 2] * 1000.0
    );
    assert!(
        numbers
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) < 1000),
        "never backwards: {numbers:?}"
    );
    assert!(fps > 10.0, "{fps}");
    assert!(ages[ages.len() / 2] < 1.0, "{ages:?}");
    let begun = Instant::now();
    drop(camera);
    assert!(begun.elapsed() < Duration::from_secs(1), "released in time");
}

/// The number in the picture (1/30 s since 1970, 16 bits) and how old it is, in seconds.
fn barcode(picture: &I420) -> (u16, f64) {
    let width = picture.resolution().width as usize;
    let block = width / 32;
    let (y, _, _) = picture.planes();
    let is_white = |index: usize| y[block / 2 * width + index * block + block / 2] > 128;
    assert!(is_white(16) && !is_white(17), "the marks beside the number");
    let number = (0..16).fold(0, |number, bit| number | u16::from(is_white(bit)) << bit);
    let ticks = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64()
        * 30.0;
    let age = (ticks as u64 as u16).wrapping_sub(number);
    (number, f64::from(age) / 30.0)
}

#[test]
#[ignore = "started by a_busy_camera_is_said_to_be_busy"]
fn busy_camera() {
    assert_eq!(
        Camera::open(Some("0"), HD).err(),
        Some(DeviceError::Busy(DeviceKind::Camera))
    );
}

#[test]
#[ignore = "started by an_unplugged_camera_is_lost"]
fn unplugged_camera() {
    let mut camera = Camera::open(Some("0"), HD).expect("opens");
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < Duration::from_secs(15), "it is noticed");
        if let Err(error) = camera.next_frame(Duration::from_millis(500)) {
            break error;
        }
    };
    println!("after {:?}: {error}", begun.elapsed());
    assert_eq!(error, DeviceError::Lost(DeviceKind::Camera));
}

#[test]
#[ignore = "started by a_camera_that_hangs_does_not_hold_its_owner"]
fn hanging_camera() {
    let mut camera = Camera::open(Some("0"), HD).expect("opens");
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is noticed");
        if let Err(error) = camera.next_frame(Duration::from_millis(100)) {
            break error;
        }
    };
    println!("after {:?}: {error}", begun.elapsed());
    assert_eq!(error, DeviceError::Lost(DeviceKind::Camera));
    let begun = Instant::now();
    drop(camera);
    assert!(begun.elapsed() < Duration::from_secs(2));
}
