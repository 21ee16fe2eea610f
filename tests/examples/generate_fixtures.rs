//! Writes the blocks of our own making to `fixtures/generated`.

use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/generated");
    std::fs::create_dir_all(&folder)?;
    for (name, bundle) in braid_tests::shipped::bundles() {
        let path = folder.join(name).with_extension(braid_chain::bundle::EXTENSION);
        bundle.write_to(&path)?;
        let (transactions, gas) = (bundle.block.body.transactions.len(), bundle.block.header.gas_used);
        println!("{name}: {transactions} transactions, {gas} gas, {} bytes", std::fs::metadata(&path)?.len());
    }
    Ok(())
}
