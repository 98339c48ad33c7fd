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

/// What the manifests ask for, carried out on this machine.
struct Kubelet {
    root: tempfile::TempDir,
    objects: Vec<Value>,
    redis: RedisServer,
    ports: BTreeMap<&'static str, u16>,
}

impl Kubelet {
    fn new() -> Kubelet {
        let ports = free_ports(ROLES.len());
        let kubelet = Kubelet {
            root: tempfile::tempdir().unwrap(),
            objects: rendered("k8s/dev"),
            redis: RedisServer::start(),
            ports: ROLES.into_iter().zip(ports).collect(),
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
    fn volume(&self, role: &str, volume: &Value) -> PathBuf {
        let name = text(&volume["name"]);
        let folder = match volume.as_object().unwrap().iter().find(|(key, _)| *key != "name").unwrap() {
            (kind, claim) if kind == "persistentVolumeClaim" => format!("claim-{}", text(&claim["claimName"])),
            (kind, map) if kind == "configMap" => text(&map["name"]),
            (kind, secret) if kind == "secret" => text(&secret["secretName"]),
            (kind, _) if kind == "emptyDir" => format!("pod-{role}-{name}"),
            (kind, _) => panic!("{kind}"),
        };
        let folder = self.path(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A container of the pod of a role, not started: `arguments` beside its own entry point.
    fn container(&self, role: &str, container: &Value, arguments: &[String]) -> Command {
        let pod = &named(&self.objects, "Deployment", role)["spec"]["template"];
        let mut mounts = Vec::new();
        for mount in list(&container["volumeMounts"]) {
            let volume = list(&pod["spec"]["volumes"]).iter().find(|it| it["name"] == mount["name"]).unwrap();
            let mut folder = self.volume(role, volume);
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
        self.adjust(&mut command, role);
        command
    }

    /// One machine instead of a cluster: ports instead of names, and a test that does not wait.
    fn adjust(&self, command: &mut Command, role: &str) {
        let addresses = self.ports.iter().map(|(role, port)| format!("{role} = \"http://127.0.0.1:{port}\""));
        command.env("EMM_PEERS__ADDRESSES", format!("{{{}}}", addresses.collect::<Vec<_>>().join(", ")));
        command.env("EMM_NODE__LISTEN", format!("127.0.0.1:{}", self.ports[role]));
        command.env("EMM_NODE__DRAIN_DELAY_MS", "10");
        command.env("EMM_INBOX__SETTLE_SECONDS", "0");
        command.env("REDIS_HOST", "127.0.0.1").env("REDIS_PORT", self.redis.port.to_string());
    }

    /// The pod of a role: what runs before it has run, and then it.
    fn start(&self, role: &str) -> Running {
        let spec = &named(&self.objects, "Deployment", role)["spec"]["template"]["spec"];
        for first in list(&spec["initContainers"]) {
            let output = self.container(role, first, &arguments(first)).output().unwrap();
            assert!(output.status.success(), "{role}: {output:?}");
        }
        let container = &spec["containers"][0];
        let mut command = self.container(role, container, &arguments(container));
        let log = fs::File::create(self.path(&format!("{role}.log"))).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Running(command.spawn().unwrap())
    }

    /// `kubectl exec deploy/{role} -- /emm ...`
    fn exec(&self, role: &str, words: &[&str]) -> Output {
        let container = &named(&self.objects, "Deployment", role)["spec"]["template"]["spec"]["containers"][0];
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.container(role, container, &words).output().unwrap()
    }

    /// As `exec`, for a command that must succeed.
    fn said(&self, role: &str, words: &[&str]) -> String {
        let output = self.exec(role, words);
        assert!(output.status.success(), "{role} {words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The status of one page, asked for by this name.
    fn status(&self, role: &str, host: &str, page: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[role])).ok()?;
        write!(stream, "GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split_whitespace().nth(1)?.parse().ok()
    }

    fn log(&self, role: &str) -> String {
        fs::read_to_string(self.path(&format!("{role}.log"))).unwrap()
    }
}

fn arguments(container: &Value) -> Vec<String> {
    list(&container["args"]).iter().map(text).collect()
}

/// `$(NAME)` of a variable that stands before.
fn expanded(value: &str, variables: &[(String, String)]) -> String {
    variables.iter().fold(value.to_owned(), |value, (name, with)| value.replace(&format!("$({name})"), with))
}

fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

#[test]
fn every_role_starts_as_its_manifest_says_and_files() {
    let kubelet = Kubelet::new();
    let mut pods = BTreeMap::new();
    for role in ROLES {
        pods.insert(role, kubelet.start(role));
    }
    for (role, pod) in &mut pods {
        eventually(&format!("{role} is ready"), || {
            let ended = pod.0.try_wait().unwrap();
            assert!(ended.is_none(), "{role} ended: {}", kubelet.log(role));
            kubelet.status(role, "127.0.0.1", "/readyz").filter(|status| *status == 200)
        });
        // By every name that a cluster has for it, and by no other.
        let service = format!("{role}-service");
        for (host, status) in [
            (service.clone(), 200),
            (format!("{service}.{NAMESPACE}"), 200),
            (format!("{service}.{NAMESPACE}.svc.cluster.local:8080"), 200),
            (format!("{service}.elsewhere"), 403),
        ] {
            assert_eq!(kubelet.status(role, &host, "/health"), Some(status), "{host}");
        }
    }

    // A command in the pod of one role reaches those of the others.
    let letter = kubelet.path("letter.txt");
    fs::write(&letter, "Income tax assessment 2023 of the tax office: the tax return was assessed, refund of 120 EUR.")
        .unwrap();
    let inbox = kubelet.path("claim-vault-pvc/UNSORTED/11.16");
    fs::create_dir_all(&inbox).unwrap();
    fs::write(inbox.join("dropped.txt"), "What Miso eats.").unwrap();
    let swept = kubelet.exec("file-system", &["--json", "file", letter.to_str().unwrap()]);
    assert!(matches!(swept.status.code(), Some(0 | 3)), "{swept:?}");
    let vault = kubelet.path("claim-vault-pvc/vault");
    eventually("what was dropped is filed", || files(&vault).into_keys().find(|path| path.ends_with("dropped.md")));
    assert!(kubelet.said("file-system", &["verify"]).starts_with("2 seen = 2 accounted for"));

    // An edit of the ConfigMap arrives without a restart.
    let jd = text(&named(&kubelet.objects, "ConfigMap", "jd-structure")["data"]["jd.yaml"]);
    assert!(jd.contains("Life admin"));
    kubelet.project("jd-structure", "jd.yaml", &jd.replace("Life admin", "All of my life"));
    eventually("the new structure is in force", || {
        kubelet.said("jd-classifier", &["jd", "tree"]).contains("All of my life").then_some(())
    });

    for (role, pod) in &mut pods {
        kill_process(Pid::from_child(&pod.0), Signal::TERM).unwrap();
        assert_eq!(pod.0.wait().unwrap().code(), Some(0), "{role}: {}", kubelet.log(role));
    }
}
