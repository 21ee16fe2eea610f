//! The secret of the Engine API: 32 bytes as 64 hex digits in a file.

use alloy_rpc_types_engine::JwtSecret;
use eyre::{WrapErr, eyre};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Reads the secret; makes one, which only its owner may read, if there is no file.
pub(crate) fn read_or_make(path: &Path) -> eyre::Result<JwtSecret> {
    match fs::read_to_string(path) {
        Ok(text) => JwtSecret::from_hex(text.trim())
            .map_err(|error| eyre!("{} does not hold a secret of 64 hex digits: {error}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = JwtSecret::random();
            let write = || {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                file.write_all(alloy_primitives::hex::encode(secret.as_bytes()).as_bytes())
            };
            write().wrap_err_with(|| format!("cannot write {}", path.display()))?;
            Ok(secret)
        }
        Err(error) => Err(error).wrap_err_with(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/jwt.hex");
        let made = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap().as_bytes(), made.as_bytes());
        fs::write(&path, "0x12").unwrap();
        assert!(read_or_make(&path).unwrap_err().to_string().contains("64 hex digits"));
    }
}
