//! Real processes of emm, as pods are: each on a port of its own, asked whether it is ready, stopped by a signal, killed, started
//! again.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use emm::rpc::Role;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::process::{EMM, Running, eventually};

/// A process of emm; killed when it is dropped.
pub(crate) struct Pod {
    home: PathBuf,
    roles: Vec<Role>,
    pub(crate) port: u16,
    process: Running,
}

impl Pod {
    /// Starts a process for these roles with this configuration, and a home of its own in `root`.
    pub(crate) fn start(root: &Path, name: &str, roles: &[Role], flags: &Value, port: u16) -> Pod {
        let home = root.join(format!("home-{name}"));
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("emm.toml"), toml(flags)).unwrap();
        let process = run(&home, roles, port);
        Pod { home, roles: roles.to_vec(), port, process }
    }

    /// Waits until it says that it is ready.
    pub(crate) fn ready(&mut self) {
        eventually(&format!("{:?} is ready: {}", self.roles, self.home.display()), || {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                let log = fs::read_to_string(self.home.join("log")).unwrap();
                panic!("{:?} ended with {status}: {log}", self.roles);
            }
            get(self.port, "/readyz").filter(|answer| answer.contains(" 200 "))
        });
    }

    /// Whether it has ended.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.process.0.try_wait().unwrap().is_some()
    }

    /// What it logged in all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.join("log")).unwrap()
    }

    /// Ends it at once, as a node that lost its power does.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again over what it left.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        self.process = run(&self.home, &self.roles, self.port);
    }

    /// Asks it to leave, as a cluster does; it must do so in time and say that all is well.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = eventually("it leaves", || self.process.0.try_wait().unwrap());
        assert!(status.success(), "{:?} ended with {status}: {}", self.roles, self.log());
    }

    /// Ends it at once, and starts it again with a clock that is off by this much: `-11h`, `+40d`.
    pub(crate) fn set_clock(&mut self, off: &str) {
        fs::write(self.home.join(CLOCK), off).unwrap();
        self.start_again();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
    }
}

/// What says, in a home, how far the clock of its process is off.
const CLOCK: &str = "clock";

/// Lets a command see another time: by a preloaded library of Debian's package `faketime`.
fn off_by(command: &mut Command, clock: &str) {
    let places =
        ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|it| format!("/usr/lib/{it}/faketime/libfaketimeMT.so.1"));
    let library = places.iter().find(|library| Path::new(library).exists());
    command.env("LD_PRELOAD", library.expect("no libfaketime: install Debian's package faketime"));
    // When a file was written stays true.
    command.env("FAKETIME", clock).env("NO_FAKE_STAT", "1");
}

fn run(home: &Path, roles: &[Role], port: u16) -> Running {
    let log = fs::OpenOptions::new().create(true).append(true).open(home.join("log")).unwrap();
    let mut command = Command::new(EMM);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("EMM_")) {
        command.env_remove(name);
    }
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    command.arg("--home").arg(home).arg("--config").arg(home.join("emm.toml"));
    command.args(["--role", &roles.join(","), "--listen", &format!("127.0.0.1:{port}")]);
    if let Ok(clock) = fs::read_to_string(home.join(CLOCK)) {
        off_by(&mut command, &clock);
    }
    let (out, err) = (log.try_clone().unwrap(), log);
    Running(command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap())
}

/// A configuration as a file has it: JSON writes its values as TOML does.
pub(crate) fn toml(flags: &Value) -> String {
    fn walk(path: &str, value: &Value, lines: &mut String) {
        match value {
            Value::Object(values) => {
                for (key, value) in values {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(&format!("{path}{dot}{key:?}"), value, lines);
                }
            }
            value => *lines += &format!("{path} = {value}\n"),
        }
    }
    let mut lines = String::new();
    walk("", flags, &mut lines);
    lines
}

/// A port that nobody listens at. It lies below those that the system gives to others by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port =
            20_000 + (NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id() as u16 % 97 * 100)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What a node answers to a GET, with its head.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
