//! A dApp's page in a real browser: requests from another origin, with preflights, and a WebSocket.

use super::{
    driver::Driver,
    node::RunningNode,
    packages::{DRIVERS, artifacts, exists, skip},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

/// The system's browser, installed from its packages where that is allowed. `None`, said aloud, if there is none.
pub(super) fn chromium() -> Option<PathBuf> {
    let name = installed()?;
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.exists());
    Some(path.expect("it has answered"))
}

fn installed() -> Option<&'static str> {
    let found = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| exists(name));
    // One test process at a time.
    let lock = File::create(DRIVERS.folder().join(".browser")).expect("the target folder can be written");
    lock.lock().expect("files can be locked");
    if let Some(name) = found() {
        return Some(name);
    }
    let here = Path::new("/");
    let apt = |words: &[&str]| {
        let driver = Driver::new("apt-get", here, Duration::from_secs(300)).args(words);
        exists("apt-get") && driver.env("DEBIAN_FRONTEND", "noninteractive").run().code == Some(0)
    };
    let installed = apt(&["update", "-q"]) && apt(&["install", "-q", "-y", "--no-install-recommends", "chromium"]);
    if !installed {
        return skip("browser", "there is no Chromium, and it could not be installed");
    }
    found()
}

#[test]
fn a_page_uses_the_node_from_another_origin() {
    let (Some(artifacts), Some(chromium)) = (artifacts(), chromium()) else { return };
    let node = RunningNode::start::<&str>([]);
    let driver = Driver::new("node", &DRIVERS.folder(), Duration::from_secs(180)).arg("browser.mjs").arg(chromium);
    driver.against(&node).env("ARTIFACTS", artifacts).succeed();
}
