//! Numbers as tools send them: hex strings, decimal strings or JSON numbers.

use alloy_primitives::U256;
use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// A whole number. Test helpers of client libraries send `"0x10"`, `"16"` and `16` for the same thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) U256);

impl Number {
    /// As 64 bits; the largest there is if it is larger.
    pub(crate) fn saturating_u64(self) -> u64 {
        self.0.saturating_to()
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, as a hex string, a decimal string or a number")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(U256::from(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        let value = u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
        self.visit_u64(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        // JavaScript writes large whole numbers as 1e21.
        if value < 0.0 || value.fract() != 0.0 {
            return Err(E::invalid_value(de::Unexpected::Float(value), &self));
        }
        format!("{value:.0}").parse().map(Number).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
        let digits = value.strip_prefix("0x");
        let parsed = match digits {
            Some("") => Ok(U256::ZERO),
            Some(digits) => U256::from_str_radix(digits, 16),
            None => U256::from_str_radix(value, 10),
        };
        match parsed {
            Ok(number) if !value.is_empty() => Ok(Number(number)),
            _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        for text in ["16", "\"16\"", "\"0x10\"", "\"0x0010\"", "16.0"] {
            assert_eq!(serde_json::from_str::<Number>(text).unwrap(), Number(U256::from(16)), "{text}");
        }
        assert_eq!(serde_json::from_str::<Number>("1e21").unwrap().0, U256::from(10).pow(U256::from(21)));
        for text in ["-1", "1.5", "\"\"", "\"x\"", "\"0xg\"", "true", "[]"] {
            assert!(serde_json::from_str::<Number>(text).is_err(), "{text}");
        }
    }
}
