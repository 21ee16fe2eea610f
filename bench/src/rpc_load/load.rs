//! A load that is signed before the clock starts, and the requests made of it.

use super::{Wallet, post};
use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Keccak256, hex};
use rayon::prelude::*;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Signed transactions in the order in which they are meant to arrive: senders take turns, nonces ascend.
#[derive(Debug)]
pub struct SignedLoad {
    senders: usize,
    transactions: Vec<Vec<u8>>,
}

/// One request with many transactions.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The whole HTTP request.
    pub request: Vec<u8>,
    /// Transactions in it.
    pub transactions: usize,
}

/// Where loads are kept that were signed once; the folder can be deleted at any time.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-loads")
}

impl SignedLoad {
    /// Signs `count` transactions on all cores. `draft` makes the transaction of a number and its sender's turn: number `n` is from sender
    /// `n % senders`, at its turn `n / senders`.
    ///
    /// Signatures are taken from an earlier run where that had the same transactions.
    pub fn sign(
        senders: &[Wallet],
        count: usize,
        draft: impl Fn(usize, usize) -> TxEip1559 + Sync,
    ) -> io::Result<Self> {
        let drafts: Vec<TxEip1559> =
            (0..count).into_par_iter().map(|number| draft(number, number / senders.len())).collect();
        let mut fingerprint = Keccak256::new();
        for (number, draft) in drafts.iter().enumerate() {
            fingerprint.update(senders[number % senders.len()].address);
            fingerprint.update(draft.signature_hash());
        }
        let file = cache().join(format!("{}.bin", hex::encode(&fingerprint.finalize()[..16])));
        if let Some(transactions) = fs::read(&file).ok().and_then(|bytes| unpack(&bytes, count)) {
            return Ok(Self { senders: senders.len(), transactions });
        }
        let transactions: Vec<Vec<u8>> = drafts
            .into_par_iter()
            .enumerate()
            .map(|(number, draft)| senders[number % senders.len()].sign(draft).0)
            .collect();
        fs::create_dir_all(cache())?;
        let partial = file.with_extension(format!("partial-{}", std::process::id()));
        fs::write(&partial, pack(&transactions))?;
        fs::rename(&partial, &file)?;
        Ok(Self { senders: senders.len(), transactions })
    }

    /// Number of transactions.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The requests of each connection, each with up to `size` transactions. A sender stays with one connection, so that its transactions
    /// arrive in the order of their nonces.
    pub fn batches(&self, connections: usize, size: usize) -> Vec<Vec<Batch>> {
        let connections = connections.clamp(1, self.senders.max(1));
        (0..connections)
            .into_par_iter()
            .map(|connection| {
                let mine = self.transactions.iter().enumerate();
                let mine = mine.filter(|(number, _)| number % self.senders % connections == connection);
                let mine: Vec<&[u8]> = mine.map(|(_, transaction)| transaction.as_slice()).collect();
                mine.chunks(size.max(1)).map(batch).collect()
            })
            .collect()
    }
}

/// One `eth_sendRawTransaction` for each transaction, in one call.
pub(super) fn batch(transactions: &[&[u8]]) -> Batch {
    let mut body = String::from("[");
    for (id, transaction) in transactions.iter().enumerate() {
        let comma = if id == 0 { "" } else { "," };
        body.push_str(&format!(
            "{comma}{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"eth_sendRawTransaction\",\"params\":[\"{}\"]}}",
            hex::encode_prefixed(transaction)
        ));
    }
    body.push(']');
    Batch { request: post(body.as_bytes()), transactions: transactions.len() }
}

/// Each transaction behind its length, two bytes little-endian.
fn pack(transactions: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(transactions.iter().map(|transaction| transaction.len() + 2).sum());
    for transaction in transactions {
        let length = u16::try_from(transaction.len()).expect("transactions of a load are below 64 KiB");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(transaction);
    }
    bytes
}

/// The opposite of [`pack`]; nothing when there are not exactly `count`.
fn unpack(mut bytes: &[u8], count: usize) -> Option<Vec<Vec<u8>>> {
    let mut transactions = Vec::with_capacity(count);
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (transaction, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        transactions.push(transaction.to_vec());
        bytes = rest;
    }
    (bytes.is_empty() && transactions.len() == count).then_some(transactions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc_load::Wallets;
    use alloy_consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable};
    use alloy_eips::eip2718::Decodable2718;
    use alloy_primitives::{Address, Bytes, TxKind, U256, map::AddressMap};

    const FIRST_NONCE: u64 = 3;

    fn load(senders: usize, count: usize) -> SignedLoad {
        let wallets = Wallets::derive(senders).unwrap();
        SignedLoad::sign(&wallets.senders, count, |number, turn| {
            let to = TxKind::Call(Address::with_last_byte(number as u8));
            Wallet::draft(FIRST_NONCE + turn as u64, to, 21_000, U256::from(1), Bytes::new())
        })
        .unwrap()
    }

    /// Sender and nonce of each transaction in a batch.
    fn contents(batch: &Batch) -> Vec<(Address, u64)> {
        let text = std::str::from_utf8(&batch.request).unwrap();
        let body = &text[text.find("\r\n\r\n").unwrap() + 4..];
        let calls: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
        assert_eq!(calls.len(), batch.transactions);
        calls
            .iter()
            .map(|call| {
                assert_eq!(call["method"], "eth_sendRawTransaction");
                let encoded = hex::decode(call["params"][0].as_str().unwrap()).unwrap();
                let transaction = TxEnvelope::decode_2718_exact(&encoded).unwrap();
                (transaction.recover_signer().unwrap(), transaction.nonce())
            })
            .collect()
    }

    #[test]
    fn nonces_of_a_sender_ascend_without_gaps_on_one_connection() {
        for (senders, count, connections, size) in [(5, 23, 2, 4), (3, 9, 8, 100), (4, 2, 1, 1)] {
            let load = load(senders, count);
            let (mut next, mut home, mut seen) = (AddressMap::default(), AddressMap::default(), 0);
            for (connection, batches) in load.batches(connections, size).iter().enumerate() {
                for (sender, nonce) in batches.iter().flat_map(contents) {
                    let expected: &mut u64 = next.entry(sender).or_insert(FIRST_NONCE);
                    assert_eq!(nonce, *expected, "{sender}");
                    *expected += 1;
                    assert_eq!(*home.entry(sender).or_insert(connection), connection, "{sender}");
                    seen += 1;
                }
            }
            assert_eq!(seen, count);
        }
    }

    #[test]
    fn batches_are_full_but_the_last() {
        let load = load(4, 10);
        let sizes: Vec<Vec<usize>> =
            load.batches(2, 3).iter().map(|batches| batches.iter().map(|batch| batch.transactions).collect()).collect();
        // Senders 0 and 2 have three and two turns, senders 1 and 3 as well.
        assert_eq!(sizes, [[3, 2], [3, 2]]);
    }

    #[test]
    fn a_kept_load_is_the_same_and_a_damaged_one_is_signed_anew() {
        let transactions = vec![vec![1, 2, 3], Vec::new(), vec![0; 300]];
        let packed = pack(&transactions);
        assert_eq!(unpack(&packed, 3).unwrap(), transactions);
        assert_eq!(unpack(&packed, 4), None);
        assert_eq!(unpack(&packed[..packed.len() - 1], 3), None);
        assert_eq!(unpack(&[], 0), Some(Vec::new()));
    }
}
