//! RLPTests: items and their encodings, and encodings that must be refused.

use crate::suite::{cases, for_each_file};
use alloy_rlp::{Decodable, Encodable, Error, Header};
use braid_fixtures::suites::rlp_test::{RlpExpectation, RlpItem, RlpTest};

/// Decodes one item of any shape, as strictly as the types of blocks and transactions decode their parts.
fn decode(rest: &mut &[u8]) -> Result<RlpItem, Error> {
    let is_list = Header::decode(&mut &**rest)?.list;
    if !is_list {
        return Ok(RlpItem::Bytes(alloy_primitives::Bytes::decode(rest)?.to_vec()));
    }
    let mut payload = Header::decode_bytes(rest, true)?;
    let mut items = Vec::new();
    while !payload.is_empty() {
        items.push(decode(&mut payload)?);
    }
    Ok(RlpItem::List(items))
}

fn decode_all(mut bytes: &[u8]) -> Result<RlpItem, Error> {
    let item = decode(&mut bytes)?;
    if bytes.is_empty() { Ok(item) } else { Err(Error::UnexpectedLength) }
}

fn encode(item: &RlpItem, out: &mut Vec<u8>) {
    match item {
        RlpItem::Bytes(bytes) => bytes.as_slice().encode(out),
        RlpItem::List(items) => {
            let mut payload = Vec::new();
            items.iter().for_each(|item| encode(item, &mut payload));
            Header { list: true, payload_length: payload.len() }.encode(out);
            out.extend(payload);
        }
    }
}

fn difference(test: &RlpTest) -> Option<String> {
    let decoded = decode_all(&test.encoded);
    let item = match (&test.item, decoded) {
        (RlpExpectation::Invalid, Err(_)) => return None,
        (RlpExpectation::Invalid, Ok(item)) => return Some(format!("must be refused, but is {item:?}")),
        (_, Err(error)) => return Some(format!("must be decoded, but: {error}")),
        (_, Ok(item)) => item,
    };
    if let RlpExpectation::Item(expected) = &test.item
        && *expected != item
    {
        return Some(format!("expected {expected:?}, got {item:?}"));
    }
    let mut encoded = Vec::new();
    encode(&item, &mut encoded);
    (encoded != test.encoded).then(|| "the encoding is another one".to_owned())
}

#[test]
fn every_item_and_every_malformed_encoding() {
    let (mut passed, mut failures) = (0, Vec::new());
    for_each_file("ethereum-tests-RLPTests", |file, content| {
        for (name, test) in cases::<RlpTest>(file, content) {
            match difference(&test) {
                None => passed += 1,
                Some(difference) => failures.push(format!("{name}: {difference}")),
            }
        }
    });
    println!("{passed} passed");
    assert!(failures.is_empty(), "{} failed: {failures:#?}", failures.len());
}
