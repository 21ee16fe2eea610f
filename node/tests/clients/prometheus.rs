//! A real Prometheus scrapes the node, its own checker reads what the node offers, and the dashboard asks for nothing that is not there.

use super::{
    driver::Driver,
    http::{Request, send},
    node::{RunningNode, authority},
    packages::{exists, root, skip},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long Prometheus may take to start and to scrape.
const PATIENCE: Duration = Duration::from_secs(60);

/// The programs of Debian's package, unpacked without installing it. `None`, said aloud, where there are no such packages.
fn programs() -> Option<PathBuf> {
    let folder = root().join("prometheus");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    // One test process at a time.
    let lock = File::create(folder.join(".lock")).expect("the target folder can be written");
    lock.lock().expect("files can be locked");
    let programs = folder.join("usr/bin");
    if programs.join("promtool").exists() {
        return Some(programs);
    }
    if !exists("apt-get") || !exists("dpkg-deb") {
        return skip("prometheus", "there is no Debian to take it from");
    }
    let run = |program: &str, words: &[&str]| {
        Driver::new(program, &folder, Duration::from_secs(300)).args(words).run().code == Some(0)
    };
    let is_there = run("apt-get", &["download", "-q", "prometheus"])
        || run("apt-get", &["update", "-q"]) && run("apt-get", &["download", "-q", "prometheus"]);
    let mut packages = fs::read_dir(&folder).expect("it was made").flatten().map(|entry| entry.path());
    let package = packages.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let (true, Some(package)) = (is_there, package) else {
        return skip("prometheus", "its package could not be fetched");
    };
    assert!(run("dpkg-deb", &["-x", &package.to_string_lossy(), "."]), "the package can be unpacked");
    Some(programs)
}

/// A Prometheus, ended when it is dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    fn start(programs: &Path, folder: &Path, target: SocketAddr) -> Self {
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("there is a free port");
        let config = folder.join("prometheus.yml");
        // Ours, but for the address and how often it asks.
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ops/prometheus.yml");
        let shipped = fs::read_to_string(shipped).expect("the configuration is in the documents");
        let own = shipped.replace("127.0.0.1:9001", &target.to_string()).replace("5s", "200ms");
        fs::write(&config, own).expect("the folder can be written");
        Driver::new(programs.join("promtool"), folder, PATIENCE).args(["check", "config"]).arg(&config).succeed();
        let child = Command::new(programs.join("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Prometheus starts");
        Self { child, address }
    }

    /// The first value of a query, once there is one that is as it should be.
    fn wait_for(&self, query: &str, is_right: impl Fn(f64) -> bool) -> f64 {
        let begin = Instant::now();
        loop {
            let path = format!("/api/v1/query?query={query}");
            let answer = send(self.address, &Request::new("GET").path(&path)).ok();
            let answer = answer.and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
            let value = answer.as_ref().and_then(|answer| answer["data"]["result"][0]["value"][1].as_str());
            if let Some(value) = value.and_then(|value| value.parse().ok()).filter(|value| is_right(*value)) {
                return value;
            }
            assert!(begin.elapsed() < PATIENCE, "{query}: {answer:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn prometheus_scrapes_what_the_node_offers() {
    let Some(programs) = programs() else { return };
    let node = RunningNode::start(["--metrics", "127.0.0.1:0"]);
    let metrics = authority(node.address_of("metrics"));
    for _ in 0..3 {
        node.call("evm_mine", json!([]));
    }

    let text = send(metrics, &Request::new("GET").path("/metrics")).expect("metrics are served").body;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("metrics.txt");
    fs::write(&file, &text).expect("the folder can be written");
    let check = format!("'{}' check metrics < '{}'", programs.join("promtool").display(), file.display());
    Driver::new("sh", folder.path(), PATIENCE).args(["-c", &check]).succeed();

    let prometheus = Prometheus::start(&programs, folder.path(), metrics);
    assert_eq!(prometheus.wait_for("up", |value| value == 1.0), 1.0);
    prometheus.wait_for("braid_head_block", |value| value == 3.0);
    prometheus.wait_for("braid_blocks_total", |value| value == 3.0);

    // Every name in the dashboard is one that is scraped.
    let text = String::from_utf8(text).expect("it is text");
    let offered: BTreeSet<&str> = text.split([' ', '{', '\n']).filter(|word| is_name(word)).collect();
    let dashboard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ops/grafana.json");
    let dashboard: Value = serde_json::from_slice(&fs::read(dashboard).expect("it is in the documents")).expect("JSON");
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let query = target["expr"].as_str().expect("a query");
            for name in query
                .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                .filter(|word| is_name(word))
            {
                // Nothing was taken back, so nothing was counted.
                assert!(
                    offered.contains(name) || name == "braid_reorganisations_total",
                    "{name} is not offered: {query}"
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 10, "{asked}");
}

fn is_name(word: &str) -> bool {
    word.starts_with("braid_") || word.starts_with("process_")
}
