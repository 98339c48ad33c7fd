//! Logs on standard error, and the metrics that `/metrics` shows.

use std::{io::IsTerminal, sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{Log, LogFormat},
    life::Shutdown,
};

// The recorder of a process is one by the nature of the `metrics` crate.
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// The watcher of files reports each folder that left as an error of its own; whoever asks for it by name still gets it.
const NOISE: &str = "notify=error";

/// Buckets for how long something takes, in seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0];

/// How long single measurements are kept at most.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Installs the log and the metrics of this process; later calls change nothing.
pub fn install(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(format!("{NOISE},{}", log.level))
        .map_err(|error| format!("log.level {:?}: {error}", log.level))?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    // A second subscriber is refused, which is what ten nodes in one test process want.
    let _ = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS);
    if let Ok(handle) = recorder.and_then(PrometheusBuilder::install_recorder) {
        let _ = METRICS.set(handle);
    }
    Ok(())
}

/// Folds what was measured into the histograms until shutdown. The recorder keeps every single value until then, and who
/// is never scraped would keep them for ever.
pub(super) async fn upkeep(stop: Shutdown) {
    let Some(metrics) = METRICS.get() else { return };
    while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
        metrics.run_upkeep();
    }
}

/// All metrics in the text format of Prometheus.
pub(super) fn render() -> String {
    METRICS.get().map(PrometheusHandle::render).unwrap_or_default()
}
