//! The archives of the small suites, if they lie beside the repository.

use braid_fixtures::suites::visit;
use std::{ops::ControlFlow, path::Path};

/// Calls `run` with the name and the content of every file of an archive. Says so if it is not there.
pub(crate) fn for_each_file(archive: &str, mut run: impl FnMut(&str, &[u8])) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/conformance").join(format!("{archive}.tar.zst"));
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let mut files = 0;
    let visited = visit(&path, &mut |file| {
        files += 1;
        run(&file.name, &file.content);
        ControlFlow::Continue(())
    });
    assert!(visited.expect("the archive can be read").is_continue());
    assert!(files > 0, "{} holds no files", path.display());
}

/// The cases of a file that is an object of cases.
pub(crate) fn cases<T: serde::de::DeserializeOwned>(file: &str, content: &[u8]) -> Vec<(String, T)> {
    let cases: std::collections::BTreeMap<String, T> =
        serde_json::from_slice(content).unwrap_or_else(|error| panic!("{file}: {error}"));
    cases.into_iter().collect()
}
