//! What is counted about calls. The handles are made once per server, so a recorder has to be installed before servers start.

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use std::time::Instant;

/// Counters of one method.
pub(super) struct MethodMetrics {
    succeeded: Counter,
    failed: Counter,
    seconds: Histogram,
}

impl std::fmt::Debug for MethodMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MethodMetrics")
    }
}

impl MethodMetrics {
    /// Of a method that exists: names from outside never become labels.
    pub(super) fn new(method: &'static str) -> Self {
        let requests = |outcome| counter!("braid_rpc_requests_total", "method" => method, "outcome" => outcome);
        Self {
            succeeded: requests("success"),
            failed: requests("error"),
            seconds: histogram!("braid_rpc_request_duration_seconds", "method" => method),
        }
    }

    pub(super) fn count(&self, since: Instant, is_success: bool) {
        if is_success { &self.succeeded } else { &self.failed }.increment(1);
        self.seconds.record(since.elapsed());
    }
}

/// Counters of a server.
pub(super) struct ServerMetrics {
    in_flight: Gauge,
    connections: Gauge,
    pub(super) unknown: MethodMetrics,
    pub(super) invalid: Counter,
}

impl std::fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerMetrics")
    }
}

impl ServerMetrics {
    pub(super) fn new(transport: &'static str) -> Self {
        describe_counter!("braid_rpc_requests_total", "Calls that were answered, by method and outcome.");
        describe_histogram!(
            "braid_rpc_request_duration_seconds",
            metrics::Unit::Seconds,
            "How long calls took, by method."
        );
        describe_gauge!("braid_rpc_messages_in_flight", "Messages that are being answered, by transport.");
        describe_gauge!("braid_rpc_connections", "Open connections, by transport.");
        describe_counter!("braid_rpc_invalid_messages_total", "Messages that are no requests, by transport.");
        Self {
            in_flight: gauge!("braid_rpc_messages_in_flight", "transport" => transport),
            connections: gauge!("braid_rpc_connections", "transport" => transport),
            unknown: MethodMetrics::new("unknown"),
            invalid: counter!("braid_rpc_invalid_messages_total", "transport" => transport),
        }
    }

    /// Counts a message as long as the guard lives.
    pub(super) fn message(&self) -> GaugeGuard {
        GaugeGuard::new(&self.in_flight)
    }

    /// Counts a connection as long as the guard lives.
    pub(super) fn connection(&self) -> GaugeGuard {
        GaugeGuard::new(&self.connections)
    }
}

/// One more in a gauge, until it is dropped.
pub(super) struct GaugeGuard(Gauge);

impl GaugeGuard {
    fn new(gauge: &Gauge) -> Self {
        gauge.increment(1);
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
