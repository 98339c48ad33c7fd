//! Real S3 servers: SeaweedFS, and moto as a second opinion, each started once for all tests on free ports of loopback.
//!
//! A small shell holds each server and reads the end of a pipe of ours. However the tests end, the pipe ends with them, and
//! the shell ends the server and removes its folder.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use emm::{backends::objects::Settings, config::Config};
use serde_json::{Value, json};

use crate::process::eventually;

pub(crate) const BUCKET: &str = "tests";
pub(crate) const KEY: &str = "emm-tests";
pub(crate) const SECRET: &str = "emm-tests-secret";

/// A server that all tests share; each test takes a prefix of its own.
pub(crate) struct S3Server {
    pub(crate) port: u16,
    /// Its standard input keeps the server alive.
    _holder: Child,
}

/// What starts a server in `$folder`, ends it with our pipe, and leaves nothing.
const HOLD: &str = r#""$@" >"$folder/log" 2>&1 </dev/null & server=$!
cat >/dev/null
kill -9 $server; wait $server 2>/dev/null; rm -rf "$folder""#;

impl S3Server {
    /// The main one.
    pub(crate) fn seaweedfs() -> &'static S3Server {
        static SERVER: OnceLock<S3Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let (folder, [s3, filer]) = (folder(), ports());
            let config = json!({ "identities": [{ "name": KEY, "actions": ["Admin", "Read", "Write", "List"],
                "credentials": [{ "accessKey": KEY, "secretKey": SECRET }] }] });
            fs::write(folder.join("s3.json"), config.to_string()).unwrap();
            let mut words = vec!["server".to_owned(), "-s3".to_owned()];
            let [master, master_grpc, volume, volume_grpc, filer_grpc, s3_grpc] = ports();
            for (flag, value) in [
                ("master.port", master),
                ("master.port.grpc", master_grpc),
                ("volume.port", volume),
                ("volume.port.grpc", volume_grpc),
                ("filer.port", filer),
                ("filer.port.grpc", filer_grpc),
                ("s3.port", s3),
                ("s3.port.grpc", s3_grpc),
                // Servers of other protocols, which it would start beside S3.
                ("s3.port.iceberg", 0),
                ("s3.port.lance", 0),
                // Each bucket takes several volumes.
                ("volume.max", 200),
                ("master.volumeSizeLimitMB", 64),
            ] {
                words.push(format!("-{flag}={value}"));
            }
            // It would tell its maker about each start.
            words.extend(["-master.telemetry=false", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"].map(str::to_owned));
            for (flag, file) in
                [("dir", ""), ("s3.config", "s3.json"), ("filer.localSocket", "f"), ("s3.localSocket", "s")]
            {
                words.push(format!("-{flag}={}", folder.join(file).display()));
            }
            let server = S3Server { port: s3, _holder: hold(&folder, "weed", &words) };
            eventually("SeaweedFS answers", || http(s3, "GET", "/").filter(|answer| answer.contains(" 403 ")));
            // A folder of its file system below /buckets is a bucket.
            let made = || http(filer, "POST", &format!("/buckets/{BUCKET}/")).filter(|answer| answer.contains(" 201 "));
            eventually("SeaweedFS has a bucket", made);
            server
        })
    }

    /// The second opinion.
    pub(crate) fn moto() -> &'static S3Server {
        static SERVER: OnceLock<S3Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let (folder, [port]) = (folder(), ports());
            let words = ["-c", ONE_BY_ONE, "-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
            let server = S3Server { port, _holder: hold(&folder, "python3", &words) };
            let made = || http(port, "PUT", &format!("/{BUCKET}")).filter(|answer| answer.contains(" 200 "));
            eventually("moto has a bucket", made);
            server
        })
    }

    /// `[store]` of a configuration with this prefix.
    pub(crate) fn flags(&self, prefix: &str) -> Value {
        flags(self.port, prefix)
    }

    /// As the defaults, but for this server and with this prefix.
    pub(crate) fn settings(&self, prefix: &str) -> Settings {
        settings(self.port, prefix)
    }
}

/// moto looks and then puts, and nothing keeps two of its threads from both having looked: it takes one request at a time here.
const ONE_BY_ONE: &str = "import moto.server as m; run = m.run_simple; \
    m.run_simple = lambda *where, threaded, **more: run(*where, threaded=False, **more); m.main()";

/// `[store]` of a configuration for what listens at this port.
pub(crate) fn flags(port: u16, prefix: &str) -> Value {
    json!({ "backend": "s3", "s3": {
        "bucket": BUCKET, "prefix": prefix, "endpoint": format!("http://127.0.0.1:{port}"),
        "key_id": KEY, "secret": SECRET,
    } })
}

pub(crate) fn settings(port: u16, prefix: &str) -> Settings {
    let mut settings = Config::load(None, &json!({ "store": flags(port, prefix) })).unwrap().store.s3;
    // Shown as stars when they were made into flags again.
    assert_eq!(settings.secret.text(), SECRET);
    settings.patience_ms = 20_000;
    settings
}

fn folder() -> PathBuf {
    tempfile::Builder::new().prefix("emm-s3-").tempdir().unwrap().keep()
}

/// Ports that are free now.
fn ports<const N: usize>() -> [u16; N] {
    let held: Vec<_> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|at| held[at].local_addr().unwrap().port())
}

fn hold(folder: &Path, program: &str, words: &[String]) -> Child {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/bin").join(program);
    assert!(path.is_file(), "{} is needed: .ci/test installs it", path.display());
    let mut command = Command::new("sh");
    command.args(["-c", HOLD, "sh"]).arg(&path).args(words).env("folder", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The answer to one unsigned request, as text; nothing where nobody answers.
fn http(port: u16, method: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // What came before a cut is enough for us.
    let _ = stream.read_to_end(&mut answer);
    Some(String::from_utf8_lossy(&answer).into_owned())
}
