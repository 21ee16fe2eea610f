//! Serial execution on stock revm and alloy-evm: what every other path is compared with.
