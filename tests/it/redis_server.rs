//! A real `redis-server` of one test: on a free port, with its data in a folder that goes with it.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use emm::{backends::redis::Settings, config::Config};
use redis::{Commands, Connection, FromRedisValue};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::process::{Running, eventually};

/// A server that is ended when the test ends, however it ends.
pub(crate) struct RedisServer {
    // Ended before its folder is removed.
    process: Running,
    folder: tempfile::TempDir,
    config: String,
    pub(crate) port: u16,
}

/// What a server keeps, unless a test says otherwise.
const CONFIG: &str = "appendonly yes\nappendfsync everysec\nsave \"\"\n";

impl RedisServer {
    /// An empty server that answers.
    pub(crate) fn start() -> RedisServer {
        RedisServer::start_with(CONFIG)
    }

    /// As `start`, with this configuration; port, folder and address are the test's.
    pub(crate) fn start_with(config: &str) -> RedisServer {
        let folder = tempfile::tempdir().unwrap();
        // Somebody may take the port between our look and the server's: then the next one is tried.
        let (port, process) = (0..10)
            .find_map(|_| {
                let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                Some((port, run(folder.path(), config, port)?))
            })
            .expect("redis-server found no free port");
        RedisServer { process, folder, config: config.to_owned(), port }
    }

    /// As the defaults, but for this server and with this prefix.
    pub(crate) fn settings(&self, prefix: &str) -> Settings {
        Config::load(None, &json!({ "redis": self.flags(prefix) })).unwrap().redis
    }

    /// `[redis]` of a configuration.
    pub(crate) fn flags(&self, prefix: &str) -> Value {
        json!({ "port": self.port, "prefix": prefix, "start_ms_max": 2_000 })
    }

    /// One command, past emm.
    pub(crate) fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connect(self.port).unwrap()).unwrap()
    }

    /// All keys, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = connect(self.port).unwrap().keys("*").unwrap();
        keys.sort();
        keys
    }

    /// Ends it at once, as a node that lost its power does.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again over what it had kept.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        let port = self.port;
        self.process = eventually("its port is free again", || run(self.folder.path(), &self.config, port));
    }

    /// Starts it again with all its data lost.
    pub(crate) fn start_empty(&mut self) {
        self.kill();
        for entry in fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { fs::remove_dir_all(entry).unwrap() } else { fs::remove_file(entry).unwrap() }
        }
        self.start_again();
    }

    /// Holds it: it keeps its connections and answers nothing.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
    }
}

/// A server on this port; nothing if the port is taken.
fn run(folder: &Path, config: &str, port: u16) -> Option<Running> {
    let file = folder.join("redis.conf");
    fs::write(&file, config).unwrap();
    let mut command = Command::new("redis-server");
    command.arg(file);
    command.arg("--port").arg(port.to_string()).arg("--dir").arg(folder);
    command.args(["--bind", "127.0.0.1"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("redis-server (Debian package redis-server) is needed; .ci/test installs it");
    let mut process = Running(child);
    // Another server on that port answers as well, but as another process.
    let own = format!("process_id:{}\r\n", process.0.id());
    let answers = eventually("redis-server answers or ends", || match process.0.try_wait().unwrap() {
        Some(_) => Some(false),
        None => said(port).ok().filter(|said| said.contains(&own)).map(|_| true),
    });
    answers.then_some(process)
}

fn said(port: u16) -> redis::RedisResult<String> {
    let mut connection = connect(port)?;
    // While it reads what it had kept, it answers this, but not that.
    redis::cmd("PING").exec(&mut connection)?;
    redis::cmd("INFO").arg("server").query(&mut connection)
}

fn connect(port: u16) -> redis::RedisResult<Connection> {
    redis::Client::open(format!("redis://127.0.0.1:{port}"))?.get_connection()
}
