//! Which system this is and how it installs packages.

use crate::invocation::{Invocation, on_path};

/// How programs and libraries are installed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    /// Debian, Ubuntu and their kin.
    Apt,
    /// Fedora.
    Dnf,
    /// Arch.
    Pacman,
    /// macOS.
    Brew,
    /// By hand, as the printed lines say.
    Windows,
}

/// Which packages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To build and run the window.
    Build,
    /// To test the window without a screen, the relay with the programs of another one, and several servers
    /// on one bus.
    Test,
    /// To call a browser.
    Browser,
    /// To draw the pictures of the screens.
    Pictures,
    /// To measure calls on emulated networks with virtual sound cards, which Debian's packages alone were tried for.
    Laboratory,
}

impl Installer {
    /// The one of this machine; `None` on a Linux that none of them knows.
    pub fn detect() -> Option<Self> {
        if cfg!(windows) {
            return Some(Self::Windows);
        }
        if cfg!(target_os = "macos") {
            return Some(Self::Brew);
        }
        [
            ("apt-get", Self::Apt),
            ("dnf", Self::Dnf),
            ("pacman", Self::Pacman),
        ]
        .into_iter()
        .find_map(|(program, installer)| on_path(program).then_some(installer))
    }

    /// Names of the packages, as this system calls them.
    pub fn packages(self, purpose: Purpose) -> &'static [&'static str] {
        match (self, purpose) {
            (Self::Apt, Purpose::Build) => &[
                "build-essential",
                "cmake",
                "libasound2-dev",
                "libclang-dev",
                "libdbus-1-dev",
                "libpulse-dev",
                "libvpx-dev",
                "libwebkit2gtk-4.1-dev",
                "pkg-config",
            ],
            (Self::Apt, Purpose::Test) => &["coturn", "dbus", "nats-server", "webkit2gtk-driver", "xvfb"],
            (Self::Apt, Purpose::Browser) => &["chromium", "chromium-driver"],
            (Self::Apt, Purpose::Pictures) => &["chromium", "fonts-noto-cjk"],
            (Self::Apt, Purpose::Laboratory) => &[
                "alsa-utils",
                "espeak-ng",
                "iproute2",
                "libasound2-plugins",
                "nftables",
                "pulseaudio",
                "pulseaudio-utils",
                "python3-venv",
                "sox",
            ],
            (_, Purpose::Laboratory) => &[],
            (Self::Dnf, Purpose::Build) => &[
                "alsa-lib-devel",
                "clang-devel",
                "cmake",
                "dbus-devel",
                "gcc",
                "gcc-c++",
                "pulseaudio-libs-devel",
                "libvpx-devel",
                "make",
                "pkgconf-pkg-config",
                "webkit2gtk4.1-devel",
            ],
            // The package with the driver has had several names; dnf finds it by its file.
            (Self::Dnf, Purpose::Test) => &[
                "/usr/bin/WebKitWebDriver",
                "/usr/bin/dbus-daemon",
                "coturn",
                "xorg-x11-server-Xvfb",
            ],
            (Self::Dnf, Purpose::Browser) => &["chromedriver", "chromium"],
            (Self::Dnf, Purpose::Pictures) => &["chromium", "google-noto-sans-cjk-fonts"],
            (Self::Pacman, Purpose::Build) => &[
                "alsa-lib",
                "base-devel",
                "clang",
                "cmake",
                "dbus",
                "libpulse",
                "libvpx",
                "pkgconf",
                "webkit2gtk-4.1",
            ],
            (Self::Pacman, Purpose::Test) => &["coturn", "xorg-server-xvfb"],
            // With its driver.
            (Self::Pacman, Purpose::Browser) => &["chromium"],
            (Self::Pacman, Purpose::Pictures) => &["chromium", "noto-fonts-cjk"],
            (Self::Brew, Purpose::Build) => &["cmake", "libvpx", "pkgconf"],
            (Self::Windows, Purpose::Build) => &["cmake", "libvpx"],
            // WebKit's driver exists on Linux only.
            (Self::Brew | Self::Windows, Purpose::Test) => &[],
            // The browser that is there is named by CHROMIUM, as its script says when it finds none.
            (Self::Brew | Self::Windows, Purpose::Browser | Purpose::Pictures) => &[],
        }
    }

    /// Those of `packages` that are not installed.
    pub fn missing(self, packages: &[&'static str]) -> Vec<&'static str> {
        packages
            .iter()
            .copied()
            .filter(|package| !self.has(package))
            .collect()
    }

    fn has(self, package: &str) -> bool {
        match self {
            Self::Apt => Invocation::new("dpkg-query")
                .args(["-W", "-f", "${db:Status-Status}", package])
                .output()
                .is_some_and(|status| status.trim() == "installed"),
            Self::Dnf => Invocation::new("rpm")
                .args(["-q", "--whatprovides", package])
                .succeeds(),
            // -T also understands groups and replacements.
            Self::Pacman => Invocation::new("pacman").args(["-T", package]).succeeds(),
            Self::Brew => Invocation::new("brew")
                .args(["list", "--versions", package])
                .succeeds(),
            Self::Windows => match package {
                "libvpx" => std::env::var_os("VPX_LIB_DIR").is_some(),
                program => on_path(program),
            },
        }
    }

    /// The programs that install `packages`, in order; `None` where a person has to.
    pub fn install(self, packages: &[&str], root: bool, no_questions: bool) -> Option<Vec<Invocation>> {
        let privileged = |program: &str| {
            if root {
                Invocation::new(program)
            } else {
                Invocation::new("sudo").arg(program)
            }
        };
        let yes = |answer: &'static str| no_questions.then_some(answer);
        Some(match self {
            Self::Apt => vec![
                privileged("apt-get").arg("update"),
                privileged("apt-get")
                    .args(["install", "--no-install-recommends"])
                    .args(yes("-y"))
                    .args(packages),
            ],
            Self::Dnf => vec![privileged("dnf").arg("install").args(yes("-y")).args(packages)],
            Self::Pacman => {
                vec![
                    privileged("pacman")
                        .args(["-S", "--needed"])
                        .args(yes("--noconfirm"))
                        .args(packages),
                ]
            }
            Self::Brew => vec![Invocation::new("brew").arg("install").args(packages)],
            Self::Windows => return None,
        })
    }
}

/// Whether this process may install without `sudo`.
pub fn is_root() -> bool {
    !cfg!(windows)
        && Invocation::new("id")
            .arg("-u")
            .output()
            .is_some_and(|id| id.trim() == "0")
}

/// What a person does on Windows.
pub const WINDOWS_STEPS: &str = "\
Ahoy needs the Visual Studio build tools, CMake and libvpx. In PowerShell:
  winget install Microsoft.VisualStudio.2022.BuildTools --override \"--wait --passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended\"
  winget install Kitware.CMake
  git clone https://github.com/microsoft/vcpkg $HOME\\vcpkg
  & $HOME\\vcpkg\\bootstrap-vcpkg.bat
  & $HOME\\vcpkg\\vcpkg install libvpx:x64-windows-static-md
  [Environment]::SetEnvironmentVariable('VPX_LIB_DIR', \"$HOME\\vcpkg\\installed\\x64-windows-static-md\\lib\", 'User')
  [Environment]::SetEnvironmentVariable('VPX_INCLUDE_DIR', \"$HOME\\vcpkg\\installed\\x64-windows-static-md\\include\", 'User')
  [Environment]::SetEnvironmentVariable('VPX_VERSION', (& $HOME\\vcpkg\\vcpkg list libvpx | Select-String -Pattern '\\d+\\.\\d+\\.\\d+').Matches[0].Value, 'User')
  [Environment]::SetEnvironmentVariable('VPX_STATIC', '1', 'User')
Then open a new terminal and run the same command again.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_the_package_manager_is_started_by_sudo_and_asks_unless_told_not_to() {
        let lines = |root, no_questions| -> Vec<String> {
            let invocations = Installer::Apt
                .install(&["cmake"], root, no_questions)
                .expect("apt installs");
            invocations.iter().map(|line| line.shown().to_owned()).collect()
        };
        let user = lines(false, false);
        assert_eq!(
            user,
            [
                "sudo apt-get update",
                "sudo apt-get install --no-install-recommends cmake"
            ]
        );
        let root = lines(true, true);
        assert_eq!(root[1], "apt-get install --no-install-recommends -y cmake");
    }

    #[test]
    fn every_system_knows_what_a_build_needs() {
        use Installer::{Apt, Brew, Dnf, Pacman, Windows};
        for installer in [Apt, Dnf, Pacman, Brew, Windows] {
            let packages = installer.packages(Purpose::Build);
            assert!(packages.contains(&"cmake"), "{installer:?}");
            assert!(packages.iter().any(|name| name.contains("vpx")), "{installer:?}");
        }
    }
}
