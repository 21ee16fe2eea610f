//! Metrics for Prometheus, over HTTP.
//!
//! What happens (calls, blocks) is counted where it happens; what is (head, pool, memory) is read when somebody asks. Names follow Prometheus: a unit at the
//! end, `_total` for what only grows.

use braid_chain::{Chain, pool::TransactionPool};
use eyre::{WrapErr, eyre};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Duration, timeout},
};

/// Seconds: from a tenth of a millisecond to ten seconds.
const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How long somebody who asks may take to say what.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    chain: Arc<Chain>,
    pool: Arc<TransactionPool>,
}

impl Metrics {
    /// Begins to count.
    pub(crate) fn start(chain: Arc<Chain>, pool: Arc<TransactionPool>) -> eyre::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .wrap_err("cannot make buckets")?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| eyre!("cannot begin to measure: {error}"))?;
        describe();
        gauge!("braid_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        chain.watch_head(|reorganisation| {
            for block in &reorganisation.added {
                counter!("braid_blocks_total").increment(1);
                counter!("braid_transactions_total").increment(block.body.transactions.len() as u64);
                counter!("braid_gas_total").increment(block.header.gas_used);
                histogram!("braid_block_gas_ratio")
                    .record(block.header.gas_used as f64 / block.header.gas_limit.max(1) as f64);
            }
            if !reorganisation.removed.is_empty() {
                counter!("braid_reorganisations_total").increment(1);
            }
        });
        Ok(Self { handle, chain, pool })
    }

    /// Everything, in the text format of Prometheus.
    fn render(&self) -> String {
        let head = self.chain.head();
        gauge!("braid_head_block").set(head.number as f64);
        gauge!("braid_durable_block").set(self.chain.database().durable_head().number as f64);
        if let Ok(block) = self.chain.head_block() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
            gauge!("braid_head_age_seconds").set(now - block.header().timestamp as f64);
            gauge!("braid_base_fee_wei").set(block.header().base_fee_per_gas.unwrap_or_default() as f64);
            gauge!("braid_gas_limit").set(block.header().gas_limit as f64);
        }
        let status = self.pool.status();
        gauge!("braid_pool_transactions", "kind" => "pending").set(status.pending as f64);
        gauge!("braid_pool_transactions", "kind" => "queued").set(status.queued as f64);
        process();
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Answers at an address. Gives the one that the system chose, where the port is 0.
    pub(crate) async fn serve(self, address: SocketAddr) -> eyre::Result<SocketAddr> {
        let listener =
            TcpListener::bind(address).await.wrap_err_with(|| format!("cannot offer metrics on {address}"))?;
        let bound = listener.local_addr()?;
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of files, most likely.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let metrics = self.clone();
                tokio::spawn(async move {
                    // Whoever goes away before the answer has no need of it.
                    let _ = timeout(PATIENCE, metrics.answer(stream)).await;
                });
            }
        });
        Ok(bound)
    }

    /// One request, one answer.
    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            if request.len() > 8192 || stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let is_known = [&b"GET /metrics"[..], b"GET / "].iter().any(|begin| request.starts_with(begin));
        let (status, body) = if is_known {
            ("200 OK", self.render())
        } else {
            ("404 Not Found", "metrics are at /metrics\n".to_owned())
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    }
}

fn describe() {
    describe_gauge!("braid_build_info", "Always 1; the version is a label.");
    describe_counter!("braid_blocks_total", "Blocks that became canonical.");
    describe_counter!("braid_transactions_total", "Transactions in blocks that became canonical.");
    describe_counter!("braid_gas_total", "Gas used by blocks that became canonical.");
    describe_histogram!("braid_block_gas_ratio", "Gas used by a block, as a part of its limit.");
    describe_counter!("braid_reorganisations_total", "How often blocks were taken back.");
    describe_gauge!("braid_head_block", "Number of the last canonical block.");
    describe_gauge!("braid_durable_block", "Number of the last block that a loss of power cannot take back.");
    describe_gauge!("braid_head_age_seconds", "Time since the timestamp of the last block.");
    describe_gauge!("braid_base_fee_wei", "Base fee of the last block.");
    describe_gauge!("braid_gas_limit", "Gas limit of the last block.");
    describe_gauge!("braid_pool_transactions", "Transactions that wait in the pool.");
    describe_gauge!("process_resident_memory_bytes", "Resident memory size in bytes.");
    describe_gauge!("process_threads", "Threads of the process.");
}

/// What the system says about this process; nothing where there is no `/proc`.
fn process() {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        if let Some(kib) = value("VmRSS:") {
            gauge!("process_resident_memory_bytes").set(kib * 1024.0);
        }
        if let Some(threads) = value("Threads:") {
            gauge!("process_threads").set(threads);
        }
    }
}
