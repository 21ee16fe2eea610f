//! The node that Braid is compared with, as its authors publish it.

use super::LoadError;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The package, pinned.
const PACKAGE: &str = "@foundry-rs/anvil-linux-amd64@1.7.1";
/// The program inside the package.
const PROGRAM: &str = "package/bin/anvil";

/// The program, fetched with npm when it is not there yet. No script of the package is run.
pub fn fetch() -> Result<PathBuf, LoadError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-anvil");
    let program = folder.join(PROGRAM);
    if program.is_file() {
        return Ok(program);
    }
    eprintln!("fetching {PACKAGE} ...");
    let scratch = folder.join(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    run(Command::new("npm").args(["pack", "--silent", PACKAGE]).current_dir(&scratch))?;
    let mut archives = fs::read_dir(&scratch)?.filter_map(|entry| Some(entry.ok()?.path()));
    let archive = archives.find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    run(Command::new("tar").arg("xzf").arg(archive.unwrap_or_default()).arg(PROGRAM).current_dir(&scratch))?;
    fs::create_dir_all(program.parent().unwrap_or(&folder))?;
    fs::rename(scratch.join(PROGRAM), &program)?;
    fs::remove_dir_all(&scratch)?;
    Ok(program)
}

fn run(command: &mut Command) -> Result<(), LoadError> {
    let program = PathBuf::from(command.get_program());
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.map_err(|source| LoadError::Start { program, source })?;
    if status.success() { Ok(()) } else { Err(LoadError::Fetch { status }) }
}
