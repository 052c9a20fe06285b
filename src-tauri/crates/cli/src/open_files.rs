//! How many sockets this process may have open.

/// Raises the limit of this process to what the system allows it; returns the limit, where there is one.
pub fn raise() -> Option<u64> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => Some(hard),
            Err(error) => {
                // macOS names a hard limit that it does not grant.
                tracing::debug!(%error, soft, "the limit of open files stays");
                Some(soft)
            }
        }
    }
    #[cfg(not(unix))]
    None
}
