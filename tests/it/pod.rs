//! The environment of the original system: the pod profile, and variables that mean what they meant.

use emm::config::original;
use serde_json::Value;

use crate::process::Place;

#[test]
fn the_pod_profile_lies_between_defaults_and_the_rest() {
    let place = Place::new();
    let show = |variables: &[(&str, &str)]| -> Value {
        let mut command = place.command(&["--json", "config", "show"]);
        let output = command.env_remove("K8S_MODE").envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let seen = |config: &Value| {
        let node = &config["node"];
        (node["listen"].clone(), node["drain_delay_ms"].clone(), config["log"]["format"].clone())
    };
    let laptop = ("127.0.0.1:8080".into(), 0.into(), "text".into());
    assert_eq!(seen(&show(&[])), laptop);
    assert_eq!(seen(&show(&[("K8S_MODE", "false"), ("REDIS_HOST", "redis-service")])), laptop);
    assert_eq!(seen(&show(&[("K8S_MODE", "True")])), ("0.0.0.0:8080".into(), 5_000.into(), "json".into()));
    std::fs::write(place.path("emm.toml"), "[log]\nformat = \"text\"\n").unwrap();
    let over = show(&[("K8S_MODE", "true"), ("EMM_NODE__DRAIN_DELAY_MS", "7")]);
    assert_eq!(seen(&over), ("0.0.0.0:8080".into(), 7.into(), "text".into()));

    let redis = |config: &Value| (config["redis"]["host"].clone(), config["redis"]["port"].clone());
    let backends = |config: &Value| (config["cache"]["backend"].clone(), config["state"]["backend"].clone());
    let pod = show(&[("K8S_MODE", "true")]);
    assert_eq!(
        (backends(&pod), redis(&pod)),
        (("redis".into(), "redis".into()), ("redis-service".into(), 6379.into()))
    );
    let named = show(&[("K8S_MODE", "true"), ("REDIS_HOST", "elsewhere"), ("REDIS_PORT", "6380")]);
    assert_eq!(redis(&named), ("elsewhere".into(), 6380.into()));
    assert_eq!(backends(&show(&[])), ("memory".into(), "sqlite".into()));

    let check = |mode: &str| place.command(&["config", "check"]).env("K8S_MODE", mode).output().unwrap();
    assert!(check("true").status.success());
    let wrong = check("yes please");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("K8S_MODE"), "{wrong:?}");
    let default = place.command(&["config", "default"]).output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&default).contains("# listen = \"0.0.0.0:8080\""));
}

#[test]
fn variables_of_the_original_set_the_keys_that_there_are() {
    let given = |name: &str| match name {
        "REDIS_HOST" => Some("redis-service".to_owned()),
        "REDIS_PORT" => Some("6380".to_owned()),
        _ => None,
    };
    let keys = original::keys(given, |_| true);
    let text = keys.iter().map(|(key, value)| format!("{key}={}", serde_json::to_value(value).unwrap()));
    assert_eq!(text.collect::<Vec<_>>(), ["redis.host=\"redis-service\"", "redis.port=6380"]);
    assert!(original::keys(given, |_| false).is_empty(), "a key that this build has not is no error");
    // What Kubernetes sets by itself beside a service named "redis" is no port.
    assert!(original::keys(|_| Some("tcp://10.0.0.7:6379".into()), |_| true).is_empty());
}
