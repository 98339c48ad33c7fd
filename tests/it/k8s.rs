//! The manifests: rendered by kubectl, checked strictly by kubernetes-validate, and held against the program that they start.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{process::Place, redis_server::RedisServer};

/// What is applied as it stands; everything else is a part of it.
const APPLIED: [&str; 2] = ["k8s/dev", "k8s/shell"];
/// The version of Kubernetes that the manifests are for.
const VERSION: &str = "1.32.0";
/// What `k8s/dev` may ask of its node: thousandths of a CPU, and bytes.
const REQUESTS_MAX: (u64, u64) = (1_500, 3 << 30);
/// How long a node may take beside delay and limit of its drain, in seconds: to end work by force, and to close.
const FORCED_SECONDS: u64 = 5 + 5;

pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn tool(name: &str) -> Command {
    let path = file("target/servers/bin").join(name);
    assert!(path.is_file(), "{} is needed: .ci/test installs it", path.display());
    Command::new(path)
}

/// The objects of a folder, as `kubectl apply -k` sends them.
pub(crate) fn rendered(folder: &str) -> Vec<Value> {
    let output = tool("kubectl").arg("kustomize").arg(file(folder)).output().unwrap();
    assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
    serde_saphyr::from_multiple(std::str::from_utf8(&output.stdout).unwrap()).unwrap()
}

fn applied() -> Vec<Value> {
    APPLIED.into_iter().flat_map(rendered).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

pub(crate) fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// What a pod is made from, of each object that makes pods.
fn pods(objects: &[Value]) -> Vec<(String, Value)> {
    let pod = |object: &Value| match object["kind"].as_str().unwrap() {
        "Pod" => Some(object.clone()),
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => Some(object["spec"]["template"].clone()),
        _ => None,
    };
    objects.iter().filter_map(|object| Some((text(&object["metadata"]["name"]), pod(object)?))).collect()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["spec"]["initContainers"]).iter().chain(list(&pod["spec"]["containers"]))
}

/// Whether kubernetes-validate takes these; else what it says.
fn validated(objects: &[Value]) -> Result<(), String> {
    let text: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    let mut given = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::io::Write::write_all(&mut given, text.as_bytes()).unwrap();
    let output =
        tool("kubernetes-validate").args(["--strict", "--quiet", "-k", VERSION]).arg(given.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn every_folder_renders_and_is_valid() {
    let parts = ["account", "base", "redis"].map(|name| format!("k8s/{name}")).into_iter();
    let roles = fs::read_dir(file("k8s/roles")).unwrap();
    let roles = roles.map(|entry| format!("k8s/roles/{}", entry.unwrap().file_name().to_str().unwrap()));
    let folders: Vec<String> = APPLIED.map(str::to_owned).into_iter().chain(parts).chain(roles).collect();
    let mut objects: Vec<Value> = folders.iter().flat_map(|folder| rendered(folder)).collect();
    validated(&objects).unwrap_or_else(|said| panic!("{said}"));

    let deployment = objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    deployment["spec"]["replica"] = json!(1);
    let said = validated(&objects).expect_err("a key that Kubernetes does not know");
    assert!(said.contains("replica"), "{said}");
}

/// What differs between the roles of the program and those of `k8s/`.
fn role_differences(table: &Value, objects: &[Value]) -> Vec<String> {
    let known: BTreeSet<String> = list(table).iter().map(|row| text(&row["role"])).collect();
    let deployed = of_kind(objects, "Deployment").map(|object| text(&object["metadata"]["name"])).collect();
    let mut found: Vec<String> =
        known.symmetric_difference(&deployed).map(|name| format!("{name}: in one only")).collect();
    for role in known.intersection(&deployed) {
        let deployment = named(objects, "Deployment", role);
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let service = objects.iter().find(|it| it["metadata"]["name"] == format!("{role}-service"));
        let service = service.map_or(Value::Null, |it| it["spec"].clone());
        let selects = |selector: &Value| selects(selector, labels) && selector["app.kubernetes.io/name"] == **role;
        if !selects(&deployment["spec"]["selector"]["matchLabels"]) || !selects(&service["selector"]) {
            found.push(format!("{role}: deployment or service select something else"));
        }
        if service["ports"][0]["port"] != 8080 {
            found.push(format!("{role}: {role}-service has not the port 8080"));
        }
    }
    found
}

/// Whether a selector of labels matches.
fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
}

#[test]
fn the_roles_are_those_of_the_table() {
    let table = Place::new().json(&["roles"]);
    let mut objects = rendered("k8s/dev");
    assert_eq!(role_differences(&table, &objects), [""; 0]);
    for row in list(&table) {
        let source = fs::read_to_string(file(&format!("k8s/roles/{}/kustomization.yaml", text(&row["role"])))).unwrap();
        let (about, about_there) = (text(&row["about"]), source.lines().next().unwrap().to_lowercase());
        assert_eq!(about_there, format!("# {about}.").to_lowercase(), "the first line of its kustomization.yaml");
    }
    let folders = fs::read_dir(file("k8s/roles")).unwrap();
    let folders: BTreeSet<String> = folders.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, list(&table).iter().map(|row| text(&row["role"])).collect());

    for object in &mut objects {
        match object["metadata"]["name"].as_str().unwrap() {
            "jd-classifier" => object["metadata"]["name"] = json!("jd"),
            "file-system" => object["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = json!("role"),
            "content-classifier-service" => object["spec"]["ports"][0]["port"] = json!(80),
            _ => {}
        }
    }
    assert_eq!(role_differences(&table, &objects).len(), 4);
}

/// What the level "restricted" of Pod Security forbids, and what the house forbids beside it.
/// https://kubernetes.io/docs/concepts/security/pod-security-standards/
fn unsafe_pods(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, pod) in pods(objects) {
        let spec = &pod["spec"];
        let mut wrong = |what: &str| found.push(format!("{name}: {what}"));
        let volumes = [
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        ];
        for volume in list(&spec["volumes"]) {
            if volume.as_object().unwrap().keys().any(|key| key != "name" && !volumes.contains(&key.as_str())) {
                wrong("a kind of volume");
            }
        }
        if ["hostNetwork", "hostPID", "hostIPC"].iter().any(|key| spec[*key] == true) {
            wrong("a namespace of the host");
        }
        if spec["automountServiceAccountToken"] != false {
            wrong("a token of its account");
        }
        let all = &spec["securityContext"];
        for container in containers(&pod) {
            let own = &container["securityContext"];
            let one = |key: &str| if own[key].is_null() { all[key].clone() } else { own[key].clone() };
            let rules = [
                ("allowPrivilegeEscalation", own["allowPrivilegeEscalation"] == false),
                ("privileged", own["privileged"] != true),
                ("capabilities", own["capabilities"] == json!({ "drop": ["ALL"] })),
                ("runAsNonRoot", one("runAsNonRoot") == true),
                ("runAsUser", one("runAsUser").as_u64().is_some_and(|user| user > 0)),
                ("seccompProfile", one("seccompProfile")["type"] == "RuntimeDefault"),
                ("readOnlyRootFilesystem", own["readOnlyRootFilesystem"] == true),
                ("imagePullPolicy", container["imagePullPolicy"] == "IfNotPresent"),
                ("hostPort", list(&container["ports"]).iter().all(|port| port["hostPort"].is_null())),
                ("image", text(&container["image"]).contains(':')),
            ];
            for (rule, _) in rules.iter().filter(|(_, kept)| !kept) {
                wrong(rule);
            }
            for kind in ["requests", "limits"] {
                if ["cpu", "memory"].iter().any(|key| container["resources"][kind][*key].is_null()) {
                    wrong(kind);
                }
            }
        }
    }
    found
}

#[test]
fn pods_pass_the_restricted_level() {
    let mut objects = applied();
    assert_eq!(unsafe_pods(&objects), [""; 0]);
    assert!(pods(&objects).len() > 5, "pods are found");
    let namespace = &named(&objects, "Namespace", "agentic-ai")["metadata"]["labels"];
    assert_eq!(namespace["pod-security.kubernetes.io/enforce"], "restricted");

    let pod = &mut objects.iter_mut().find(|it| it["kind"] == "Deployment").unwrap()["spec"]["template"]["spec"];
    pod["hostPID"] = json!(true);
    pod["automountServiceAccountToken"] = json!(true);
    pod["volumes"] = json!([{ "name": "host", "hostPath": { "path": "/" } }]);
    pod["securityContext"] = json!({ "runAsUser": 0 });
    pod["containers"][0]["securityContext"] =
        json!({ "privileged": true, "capabilities": { "drop": ["ALL"], "add": ["NET_RAW"] } });
    pod["containers"][0]["imagePullPolicy"] = json!("Always");
    pod["containers"][0]["image"] = json!("emm");
    pod["containers"][0]["ports"][0]["hostPort"] = json!(80);
    pod["containers"][0]["resources"] = json!({});
    assert_eq!(unsafe_pods(&objects).len(), 3 + 10 + 2, "{:?}", unsafe_pods(&objects));
}

/// A quantity of Kubernetes: thousandths of a CPU, or bytes.
fn quantity(value: &Value, whole: u64) -> u64 {
    let text = text(value);
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let times = match unit {
        "" => whole,
        "m" => 1,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        unit => panic!("a unit that this test does not know: {unit}"),
    };
    number.parse::<u64>().unwrap() * times
}

/// What all pods together ask for: thousandths of a CPU, and bytes.
fn requests(objects: &[Value]) -> (u64, u64) {
    let replicas = |name: &str| {
        let object = objects.iter().find(|it| it["metadata"]["name"] == name && !it["spec"]["replicas"].is_null());
        object.map_or(1, |it| it["spec"]["replicas"].as_u64().unwrap())
    };
    let of = |pod: &Value, key: &str, whole: u64| -> u64 {
        let one = |container: &Value| quantity(&container["resources"]["requests"][key], whole);
        let first = list(&pod["spec"]["initContainers"]).iter().map(one).max().unwrap_or_default();
        first.max(list(&pod["spec"]["containers"]).iter().map(one).sum())
    };
    let all = pods(objects);
    let sum = |key: &str, whole: u64| all.iter().map(|(name, pod)| replicas(name) * of(pod, key, whole)).sum();
    (sum("cpu", 1_000), sum("memory", 1))
}

#[test]
fn the_requests_fit_a_small_node() {
    let mut objects = applied();
    let within = |(cpu, memory): (u64, u64)| cpu <= REQUESTS_MAX.0 && memory <= REQUESTS_MAX.1;
    let asked = requests(&objects);
    assert!(within(asked) && asked.0 > 500, "{asked:?}");
    let file_system = objects.iter_mut().find(|it| it["metadata"]["name"] == "file-system").unwrap();
    file_system["spec"]["replicas"] = json!(6);
    assert!(!within(requests(&objects)));
}

/// How long a pod of a role may take to leave, and how long Kubernetes waits for it, in seconds.
fn leaving(node: &Value, pod: &Value) -> (u64, u64) {
    let seconds = |key: &str| node[key].as_u64().unwrap().div_ceil(1_000);
    let before = pod["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let drain = seconds("drain_delay_ms") + seconds("drain_limit_ms");
    (before + drain + FORCED_SECONDS, pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap())
}

#[test]
fn a_pod_may_take_its_whole_drain() {
    let place = Place::new();
    let output = place.command(&["--json", "config", "show"]).env("K8S_MODE", "true").output().unwrap();
    let mut config: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = rendered("k8s/dev");
    for deployment in of_kind(&objects, "Deployment") {
        let (takes, given) = leaving(&config["node"], &deployment["spec"]["template"]);
        assert!(takes < given, "{}: {takes} s, {given} s", deployment["metadata"]["name"]);
        let update = &deployment["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(*update, json!({ "maxSurge": 1, "maxUnavailable": 0 }));
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let probes =
            ["startupProbe", "readinessProbe", "livenessProbe"].map(|it| text(&container[it]["httpGet"]["path"]));
        assert_eq!(probes, ["/livez", "/readyz", "/livez"]);
    }
    config["node"]["drain_limit_ms"] = json!(60_000);
    let (takes, given) = leaving(&config["node"], &pods(&objects)[0].1);
    assert!(takes > given);
}

/// Secrets that stand in the manifests.
fn told_secrets(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in of_kind(objects, "Secret").filter(|it| !it["data"].is_null() || !it["stringData"].is_null()) {
        found.push(format!("Secret {}", secret["metadata"]["name"]));
    }
    for (name, pod) in pods(objects) {
        for variable in containers(&pod).flat_map(|container| list(&container["env"])) {
            let (key, value) = (text(&variable["name"]), &variable["value"]);
            if ["TOKEN", "SECRET", "PASSWORD", "KEY_ID"].iter().any(|word| key.ends_with(word)) && !value.is_null() {
                found.push(format!("{name}: {key}"));
            }
        }
    }
    found
}

#[test]
fn no_secret_is_in_git() {
    let mut objects = applied();
    assert_eq!(told_secrets(&objects), [""; 0]);
    assert_eq!(of_kind(&objects, "Secret").count(), 1, "the one that Kubernetes fills");
    let secret = objects.iter_mut().find(|it| it["kind"] == "Secret").unwrap();
    secret["data"] = json!({ "token": "c2VjcmV0" });
    let pod = &mut objects.iter_mut().find(|it| it["kind"] == "StatefulSet").unwrap()["spec"]["template"]["spec"];
    pod["containers"][0]["env"] = json!([{ "name": "EMM_NODE__TOKEN", "value": "secret" }]);
    assert_eq!(told_secrets(&objects).len(), 2);
}

/// Whether the policies let `from` connect to `to`, both given by their labels, within the namespace.
fn may_connect(objects: &[Value], from: &Value, to: &Value, port: u64) -> bool {
    let may = |labels: &Value, other: &Value, kind: &str, rules: &str, peers: &str| {
        let policies = of_kind(objects, "NetworkPolicy").filter(|policy| {
            let own = policy["spec"]["podSelector"].get("matchLabels").is_none_or(|it| selects(it, labels));
            own && list(&policy["spec"]["policyTypes"]).contains(&json!(kind))
        });
        let mut rules = policies.flat_map(|policy| list(&policy["spec"][rules]));
        rules.any(|rule| {
            let meant =
                |it: &Value| it.get("namespaceSelector").is_none() && selects(&it["podSelector"]["matchLabels"], other);
            list(&rule["ports"]).iter().any(|it| it["port"] == port) && list(&rule[peers]).iter().any(meant)
        })
    };
    may(from, to, "Egress", "egress", "to") && may(to, from, "Ingress", "ingress", "from")
}

#[test]
fn the_network_is_closed_but_for_what_is_needed() {
    let mut objects = rendered("k8s/dev");
    let labels: BTreeMap<String, Value> =
        pods(&objects).into_iter().map(|(name, pod)| (name, pod["metadata"]["labels"].clone())).collect();
    let shell = rendered("k8s/shell").remove(0)["metadata"]["labels"].clone();
    let (agent, files, redis) = (&labels["file-system-agent"], &labels["file-system"], &labels["redis"]);
    let stranger = json!({ "app.kubernetes.io/name": "stranger" });
    for (from, to, port, may) in [
        (agent, files, 8080, true),
        (files, agent, 8080, true),
        (files, redis, 6379, true),
        (&shell, files, 8080, true),
        (&shell, redis, 6379, false),
        (&stranger, files, 8080, false),
        (&stranger, redis, 6379, false),
        (redis, files, 8080, false),
        (agent, files, 22, false),
    ] {
        assert_eq!(may_connect(&objects, from, to, port), may, "{from} to {to}, {port}");
    }
    let closed = json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] });
    assert_eq!(named(&objects, "NetworkPolicy", "default-deny")["spec"], closed, "what no policy selects is open");
    let dns = &named(&objects, "NetworkPolicy", "dns")["spec"];
    assert_eq!((&dns["podSelector"], &dns["egress"][0]["ports"][0]["port"]), (&json!({}), &json!(53)));
    objects.retain(|object| object["metadata"]["name"] != "redis");
    assert!(!may_connect(&objects, files, redis, 6379), "Redis says itself who may come");
}

#[test]
fn redis_keeps_what_it_has_as_its_manifest_says() {
    let objects = rendered("k8s/redis");
    let config = of_kind(&objects, "ConfigMap").next().unwrap();
    let pod = &named(&objects, "StatefulSet", "redis")["spec"];
    assert_eq!(pod["template"]["spec"]["volumes"][0]["configMap"]["name"], config["metadata"]["name"]);
    assert_eq!(
        pod["volumeClaimTemplates"][0]["metadata"]["name"],
        pod["template"]["spec"]["containers"][0]["volumeMounts"][0]["name"]
    );
    let server = RedisServer::start_with(&text(&config["data"]["redis.conf"]));
    for (key, value) in [("appendonly", "yes"), ("save", "300 1"), ("maxmemory-policy", "volatile-lru")] {
        assert_eq!(server.command::<Vec<String>>(&["CONFIG", "GET", key]), [key, value]);
    }
}
