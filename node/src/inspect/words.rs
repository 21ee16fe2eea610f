//! Words of the EVM as people read them.

use super::origin::is_address;
use alloy_primitives::{Address, B256, U256, hex};

/// Longest number in decimal; longer ones are read more easily in hex.
const DECIMAL: usize = 20;

/// All bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    hex::encode_prefixed(bytes)
}

/// The last twenty bytes as an address, with its checksum (EIP-55).
pub(super) fn address(word: &[u8; 32]) -> String {
    Address::from_word(B256::from(*word)).to_string()
}

/// Decimal if it is short, else hex.
pub(super) fn number(number: U256) -> String {
    let decimal = number.to_string();
    if decimal.len() <= DECIMAL { decimal } else { format!("{number:#x}") }
}

/// A word of which no type is known.
pub(super) fn guess(word: &[u8; 32]) -> String {
    if is_address(word) {
        return address(word);
    }
    match U256::from_be_bytes(*word) {
        small if small < U256::from(1_u64 << 48) => small.to_string(),
        _ => hex(word),
    }
}

/// The text with long hex numbers cut in the middle.
pub(super) fn short(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("0x") {
        let digits = rest[start + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let (before, number) = rest.split_at(start);
        let (number, after) = number.split_at(2 + digits);
        result.push_str(before);
        match digits {
            0..=12 => result.push_str(number),
            _ => result.extend([&number[..6], "…", &number[number.len() - 4..]]),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_cut() {
        assert_eq!(short("a[0x0123456789abcdef0123][0x12].b"), "a[0x0123…0123][0x12].b");
        assert_eq!(short("0x é 0xg"), "0x é 0xg");
    }

    #[test]
    fn words_are_guessed() {
        let word = |number: U256| guess(&number.to_be_bytes());
        assert_eq!(word(U256::from(17)), "17");
        assert_eq!(word(U256::MAX), format!("0x{}", "f".repeat(64)));
        let someone = Address::repeat_byte(0xab);
        assert_eq!(guess(&someone.into_word().0), someone.to_string());
        assert_eq!(number(U256::from(u64::MAX)), "18446744073709551615");
        assert!(number(U256::from(u128::MAX)).starts_with("0xff"));
    }
}
