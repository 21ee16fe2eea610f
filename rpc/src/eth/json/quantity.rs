//! Numbers as JSON-RPC wants them: hexadecimal, without leading zeros.

use serde::{Serialize, Serializer};

/// A number that is written as `0x1f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(pub(crate) u128);

impl From<u64> for Quantity {
    fn from(value: u64) -> Self {
        Self(value.into())
    }
}

impl From<usize> for Quantity {
    fn from(value: usize) -> Self {
        Self(value as u128)
    }
}

impl From<u128> for Quantity {
    fn from(value: u128) -> Self {
        Self(value)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // Answers have many of these: written backwards on the stack, without an allocation.
        let mut text = [0; 34];
        let mut start = text.len();
        let mut rest = self.0;
        loop {
            start -= 1;
            text[start] = DIGITS[(rest & 15) as usize];
            rest >>= 4;
            if rest == 0 {
                break;
            }
        }
        text[start - 1] = b'x';
        text[start - 2] = b'0';
        let text = std::str::from_utf8(&text[start - 2..]).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_leading_zeros() {
        for (number, text) in [
            (0_u128, "\"0x0\""),
            (1, "\"0x1\""),
            (0x1f0, "\"0x1f0\""),
            (u128::MAX, "\"0xffffffffffffffffffffffffffffffff\""),
        ] {
            assert_eq!(serde_json::to_string(&Quantity(number)).unwrap(), text);
        }
    }
}
