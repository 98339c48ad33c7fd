//! The pods of `k8s/dev` as processes: what a kubelet would mount lies in a folder, what it would set is set, and nothing else.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    k8s::{file, list, named, rendered, text},
    process::{EMM, Running, eventually},
    redis_server::RedisServer,
    world::files,
};

const NAMESPACE: &str = "agentic-ai";
const ROLES: [&str; 4] = ["file-system-agent", "content-classifier", "jd-classifier", "file-system"];

/// One pod of a role: the first, or the one that takes its place.
#[derive(Clone, Copy)]
struct Pod {
    role: &'static str,
    turn: usize,
}

/// What the manifests ask for, carried out on this machine.
struct Kubelet {
    root: tempfile::TempDir,
    objects: Vec<Value>,
    redis: RedisServer,
    ports: BTreeMap<&'static str, [u16; 2]>,
}

impl Kubelet {
    fn new() -> Kubelet {
        let held = [(); 2 * ROLES.len()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held.map(|listener| listener.local_addr().unwrap().port());
        let kubelet = Kubelet {
            root: tempfile::tempdir().unwrap(),
            objects: rendered("k8s/dev"),
            redis: RedisServer::start(),
            ports: ROLES.into_iter().zip(ports.chunks(2).map(|pair| [pair[0], pair[1]])).collect(),
        };
        let jd = text(&named(&kubelet.objects, "ConfigMap", "jd-structure")["data"]["jd.yaml"]);
        kubelet.project("jd-structure", "jd.yaml", &jd);
        // The token that Kubernetes puts into the Secret.
        kubelet.project("emm-token", "token", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJlbW0ifQ.c2lnbmF0dXJl");
        kubelet
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.root.path().join(inner)
    }

    /// A file of a ConfigMap or Secret as a kubelet shows it: a link through a link, the inner one replaced by an update.
    fn project(&self, object: &str, name: &str, content: &str) {
        let folder = self.path(object);
        let version = format!("..{}", uuid::Uuid::new_v4().simple());
        fs::create_dir_all(folder.join(&version)).unwrap();
        fs::write(folder.join(&version).join(name), content).unwrap();
        symlink(&version, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        if !folder.join(name).is_symlink() {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
    }

    /// The folder of a volume; those of a pod begin empty.
    fn volume(&self, Pod { role, turn }: Pod, volume: &Value) -> PathBuf {
        let name = text(&volume["name"]);
        let folder = match volume.as_object().unwrap().iter().find(|(key, _)| *key != "name").unwrap() {
            (kind, claim) if kind == "persistentVolumeClaim" => format!("claim-{}", text(&claim["claimName"])),
            (kind, map) if kind == "configMap" => text(&map["name"]),
            (kind, secret) if kind == "secret" => text(&secret["secretName"]),
            (kind, _) if kind == "emptyDir" => format!("pod-{role}-{turn}-{name}"),
            (kind, _) => panic!("{kind}"),
        };
        let folder = self.path(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A container of a pod, not started: `arguments` beside its own entry point.
    fn container(&self, which: Pod, container: &Value, arguments: &[String]) -> Command {
        let pod = &named(&self.objects, "Deployment", which.role)["spec"]["template"];
        let mut mounts = Vec::new();
        for mount in list(&container["volumeMounts"]) {
            let volume = list(&pod["spec"]["volumes"]).iter().find(|it| it["name"] == mount["name"]).unwrap();
            let mut folder = self.volume(which, volume);
            if let Some(inner) = mount["subPath"].as_str() {
                folder.push(inner);
                fs::create_dir_all(&folder).unwrap();
            }
            mounts.push((text(&mount["mountPath"]), folder));
        }
        let mounted = |value: &str| {
            let within = mounts.iter().find_map(|(at, folder)| Some((folder, value.strip_prefix(at.as_str())?)));
            within
                .filter(|(_, rest)| rest.starts_with('/'))
                .map_or(value.to_owned(), |(folder, rest)| format!("{}{rest}", folder.display()))
        };
        // What the image sets.
        let image = fs::read_to_string(file("Dockerfile")).unwrap();
        let home = image.lines().find_map(|line| line.strip_prefix("ENV EMM_HOME=")).unwrap();
        let mut variables = vec![("EMM_HOME".to_owned(), home.to_owned())];
        for variable in list(&container["env"]) {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.namespace") => NAMESPACE.to_owned(),
                Some("metadata.labels['app.kubernetes.io/name']") => {
                    text(&pod["metadata"]["labels"]["app.kubernetes.io/name"])
                }
                Some(other) => panic!("{other}"),
                None => expanded(&text(&variable["value"]), &variables),
            };
            variables.push((text(&variable["name"]), value));
        }
        let mut command = Command::new(EMM);
        command.args(arguments.iter().map(|argument| expanded(argument, &variables)));
        command.env_clear().envs(variables.iter().map(|(name, value)| (name, mounted(value))));
        command.stdin(Stdio::null());
        self.adjust(&mut command, which);
        command
    }

    /// One machine instead of a cluster: ports instead of names, and a test that does not wait.
    fn adjust(&self, command: &mut Command, Pod { role, turn }: Pod) {
        let addresses = self.ports.iter().map(|(role, ports)| {
            format!("{role} = [{}]", ports.map(|port| format!("\"http://127.0.0.1:{port}\"")).join(", "))
        });
        command.env("EMM_PEERS__ADDRESSES", format!("{{{}}}", addresses.collect::<Vec<_>>().join(", ")));
        command.env("EMM_NODE__LISTEN", format!("127.0.0.1:{}", self.ports[role][turn]));
        command.env("EMM_NODE__DRAIN_DELAY_MS", "10");
        command.env("EMM_INBOX__SETTLE_SECONDS", "0");
        command.env("REDIS_HOST", "127.0.0.1").env("REDIS_PORT", self.redis.port.to_string());
    }

    /// A pod that is ready: what runs before it has run, and then it.
    fn start(&self, pod: Pod) -> Running {
        let Pod { role, turn } = pod;
        let spec = &named(&self.objects, "Deployment", role)["spec"]["template"]["spec"];
        for first in list(&spec["initContainers"]) {
            let output = self.container(pod, first, &arguments(first)).output().unwrap();
            assert!(output.status.success(), "{role}: {output:?}");
        }
        let container = &spec["containers"][0];
        let mut command = self.container(pod, container, &arguments(container));
        let log = fs::File::create(self.path(&format!("{role}-{turn}.log"))).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = Running(command.spawn().unwrap());
        eventually(&format!("{role} is ready"), || {
            assert!(process.0.try_wait().unwrap().is_none(), "{role} ended: {}", self.log(pod));
            self.status(pod, "127.0.0.1", "/readyz").filter(|status| *status == 200)
        });
        process
    }

    /// Asks a pod to leave; it must do so in order.
    fn end(&self, pod: Pod, mut process: Running) {
        kill_process(Pid::from_child(&process.0), Signal::TERM).unwrap();
        assert_eq!(process.0.wait().unwrap().code(), Some(0), "{}: {}", pod.role, self.log(pod));
    }

    /// `kubectl exec POD -- /emm ...`
    fn exec(&self, pod: Pod, words: &[&str]) -> Output {
        let container = &named(&self.objects, "Deployment", pod.role)["spec"]["template"]["spec"]["containers"][0];
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.container(pod, container, &words).output().unwrap()
    }

    /// As `exec`, for a command that must succeed.
    fn said(&self, pod: Pod, words: &[&str]) -> String {
        let output = self.exec(pod, words);
        assert!(output.status.success(), "{} {words:?}: {output:?}", pod.role);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The status of one page, asked for by this name.
    fn status(&self, Pod { role, turn }: Pod, host: &str, page: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[role][turn])).ok()?;
        write!(stream, "GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split_whitespace().nth(1)?.parse().ok()
    }

    fn log(&self, Pod { role, turn }: Pod) -> String {
        fs::read_to_string(self.path(&format!("{role}-{turn}.log"))).unwrap()
    }
}

fn arguments(container: &Value) -> Vec<String> {
    list(&container["args"]).iter().map(text).collect()
}

/// `$(NAME)` of a variable that stands before.
fn expanded(value: &str, variables: &[(String, String)]) -> String {
    variables.iter().fold(value.to_owned(), |value, (name, with)| value.replace(&format!("$({name})"), with))
}

/// The pods of all roles of one turn.
fn pods(turn: usize) -> [Pod; 4] {
    ROLES.map(|role| Pod { role, turn })
}

/// How many notes there are of documents whose names begin so.
fn notes(kubelet: &Kubelet, begin: &str) -> usize {
    let vault = files(&kubelet.path("claim-vault-pvc/vault"));
    vault.keys().filter(|path| path.ends_with(".md") && path.rsplit('/').next().unwrap().starts_with(begin)).count()
}

fn drop_documents(kubelet: &Kubelet, names: impl Iterator<Item = String>) {
    let inbox = kubelet.path("claim-vault-pvc/UNSORTED/11.16");
    fs::create_dir_all(&inbox).unwrap();
    for name in names {
        fs::write(inbox.join(format!("{name}.txt")), format!("What Miso eats, {name}.")).unwrap();
    }
}

#[test]
fn every_role_starts_as_its_manifest_says_and_files() {
    let kubelet = Kubelet::new();
    let running = pods(0).map(|pod| kubelet.start(pod));
    for pod in pods(0) {
        // By every name that a cluster has for it, and by no other.
        let service = format!("{}-service", pod.role);
        for (host, status) in [
            (service.clone(), 200),
            (format!("{service}.{NAMESPACE}"), 200),
            (format!("{service}.{NAMESPACE}.svc.cluster.local:8080"), 200),
            (format!("{service}.elsewhere"), 403),
        ] {
            assert_eq!(kubelet.status(pod, &host, "/health"), Some(status), "{host}");
        }
    }

    // A command in the pod of one role reaches those of the others.
    let [_, _, jd_classifier, file_system] = pods(0);
    let letter = kubelet.path("letter.txt");
    fs::write(&letter, "Income tax assessment 2023 of the tax office: the tax return was assessed, refund of 120 EUR.")
        .unwrap();
    let swept = kubelet.exec(file_system, &["--json", "file", letter.to_str().unwrap()]);
    assert!(matches!(swept.status.code(), Some(0 | 3)), "{swept:?}");
    drop_documents(&kubelet, ["dropped".to_owned()].into_iter());
    eventually("what was dropped is filed", || (notes(&kubelet, "dropped") == 1).then_some(()));
    assert!(kubelet.said(file_system, &["verify"]).starts_with("2 seen = 2 accounted for"));

    // An edit of the ConfigMap arrives without a restart.
    let jd = text(&named(&kubelet.objects, "ConfigMap", "jd-structure")["data"]["jd.yaml"]);
    assert!(jd.contains("Life admin"));
    kubelet.project("jd-structure", "jd.yaml", &jd.replace("Life admin", "All of my life"));
    eventually("the new structure is in force", || {
        kubelet.said(jd_classifier, &["jd", "tree"]).contains("All of my life").then_some(())
    });

    // A rollout: each new pod is ready beside the old one, which then leaves, and the inbox is filed all the while.
    drop_documents(&kubelet, (0..40).map(|number| format!("during {number:02}")));
    let running: Vec<Running> = pods(0)
        .into_iter()
        .zip(running)
        .map(|(old, process)| {
            let new = kubelet.start(Pod { turn: 1, ..old });
            kubelet.end(old, process);
            new
        })
        .collect();
    eventually("all that was dropped is filed", || (notes(&kubelet, "during") == 40).then_some(()));
    let file_system = Pod { turn: 1, ..file_system };
    assert!(kubelet.said(file_system, &["verify"]).starts_with("42 seen = 42 accounted for"));
    for (pod, process) in pods(1).into_iter().zip(running) {
        kubelet.end(pod, process);
    }
}
