//! Relays for two peers on loopback: ours, and coturn's.

use ahoy_peer::{Credential, IceServer, PeerConfig};
use ahoy_turn::{TurnConfig, TurnSecret, TurnServer, credentials};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECRET: &str = "north";
/// The name in the certificates.
pub const HOST: &str = "localhost";

/// A certificate for [`HOST`] that nobody else trusts.
pub struct Certificate {
    pub der: Vec<u8>,
    pub pem: String,
    pub key_pem: String,
    key_der: Vec<u8>,
}

impl Certificate {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
        Self {
            der: made.cert.der().to_vec(),
            pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
            key_der: made.signing_key.serialize_der(),
        }
    }

    fn server_config(&self) -> Arc<rustls::ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::try_from(self.key_der.clone()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has all versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone().into()], key)
            .expect("the key fits");
        Arc::new(config)
    }
}

/// Our relay, with TLS, for peers on loopback.
pub async fn ours(certificate: &Certificate) -> TurnServer {
    let mut config = TurnConfig::new(
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        TurnSecret::new(SECRET),
    );
    config.host = Some(HOST.to_owned());
    config.tls = Some(certificate.server_config());
    TurnServer::bind(config).await.expect("loopback has free ports")
}

/// A peer that may use these servers and nothing else.
pub fn relay_only(urls: &[String], certificate: &Certificate) -> PeerConfig {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let issued = credentials::issue(
        &TurnSecret::new(SECRET),
        "7",
        now.as_secs(),
        Duration::from_secs(3600),
    );
    PeerConfig {
        ice_servers: vec![IceServer {
            urls: urls.to_vec(),
            username: issued.username,
            credential: Credential::new(issued.credential),
        }],
        extra_roots: vec![certificate.der.clone()],
        relay_only: true,
        ..super::loopback()
    }
}

/// Carries TCP connections to a server, until they are cut; new ones are carried again.
pub struct Wire {
    pub address: SocketAddr,
    cuts: tokio::sync::broadcast::Sender<()>,
}

impl Wire {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let (cuts, _) = tokio::sync::broadcast::channel(1);
        let each = cuts.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = each.subscribe();
                tokio::spawn(async move {
                    let mut far = tokio::net::TcpStream::connect(server).await.expect("the server");
                    tokio::select! {
                        // Either side may close.
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    /// Ends the connections that there are.
    pub fn cut(&self) {
        self.cuts.send(()).expect("there are connections");
    }
}

/// coturn as its own program, until dropped.
pub struct Coturn {
    child: Child,
    folder: PathBuf,
    port: u16,
    tls_port: u16,
}

impl Coturn {
    /// `None`, said aloud, where it is not installed; where tests must be complete (`CI` is set) it has to be.
    pub async fn start(certificate: &Certificate) -> Option<Self> {
        if Command::new("turnserver").arg("-h").output().is_err() {
            assert!(
                std::env::var_os("CI").is_none(),
                "turnserver is missing: install coturn"
            );
            eprintln!("SKIPPED: turnserver is missing (Debian package coturn)");
            return None;
        }
        let (port, tls_port) = (free_port(), free_port());
        let folder = std::env::temp_dir().join(format!("ahoy-coturn-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for coturn");
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file for coturn");
            path
        };
        let child = Command::new("turnserver")
            .args(["-n", "--no-cli", "--no-dtls", "--allow-loopback-peers"])
            .args(["-L", "127.0.0.1", "-E", "127.0.0.1", "-r", "coturn.test"])
            .args([
                "-p",
                &port.to_string(),
                "--tls-listening-port",
                &tls_port.to_string(),
            ])
            .args(["--use-auth-secret", "--static-auth-secret", SECRET])
            .args(["--log-file", "stdout"])
            .arg("--cert")
            .arg(file("cert.pem", &certificate.pem))
            .arg("--pkey")
            .arg(file("key.pem", &certificate.key_pem))
            .arg("--pidfile")
            .arg(folder.join("pid"))
            .arg("--userdb")
            .arg(folder.join("db"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("coturn starts");
        let coturn = Self {
            child,
            folder,
            port,
            tls_port,
        };
        for port in [port, tls_port] {
            let listens = async {
                // It tells nobody when it is ready; it is when it takes a connection.
                while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .await
                    .is_err()
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(super::DEADLINE, listens)
                .await
                .expect("coturn listens");
        }
        Some(coturn)
    }

    pub fn udp(&self) -> String {
        format!("turn:127.0.0.1:{}?transport=udp", self.port)
    }

    pub fn tcp(&self) -> String {
        format!("turn:127.0.0.1:{}?transport=tcp", self.port)
    }

    pub fn tls(&self) -> String {
        format!("turns:{HOST}:{}?transport=tcp", self.tls_port)
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}
