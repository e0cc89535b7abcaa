//! Figures of the instance in the OpenMetrics format. Labels come from closed sets, so that no
//! client can make their number grow.

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::listen::ListenMetrics;

/// Every figure, each registered once.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Those of the listeners.
    pub listen: ListenMetrics,
    requests: Family<Labels, Counter>,
    seconds: Family<KindLabel, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    kind: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// Upper bounds in seconds: a cached manifest takes microseconds, a layer minutes.
const BUCKETS: [f64; 12] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0,
];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("naru");
        let listen = ListenMetrics::default();
        listen.register(&mut registry);
        let requests = Family::default();
        let seconds =
            Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register(
            "http_answers",
            "Answers by kind of request",
            requests.clone(),
        );
        registry.register(
            "http_answer_seconds",
            "Seconds until the head of the answer",
            seconds.clone(),
        );
        Self {
            registry,
            listen,
            requests,
            seconds,
        }
    }
}

impl Metrics {
    pub(crate) fn answered(
        &self,
        kind: &'static str,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let labels = Labels {
            kind,
            method: word(method),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.seconds
            .get_or_create(&KindLabel { kind })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail; an empty answer would show it if it ever did.
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
