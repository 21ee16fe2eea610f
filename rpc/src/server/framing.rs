//! Messages in a stream of JSON: one value after another, with nothing or white space between them.
//!
//! Only what is needed to find the end of a value is looked at: brackets outside of strings. Whether it is JSON is seen when it is read.

use super::{
    conversation::Incoming,
    dispatcher::error_answer,
    message::{INVALID_REQUEST, PARSE_ERROR},
};
use bytes::{Buf, BytesMut};
use std::io;
use tokio_util::codec::Decoder;

/// Finds messages; it remembers how far it has looked.
#[derive(Debug)]
pub(super) struct JsonFraming {
    max_bytes: usize,
    looked_at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    broken: bool,
}

impl JsonFraming {
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, looked_at: 0, depth: 0, in_string: false, escaped: false, broken: false }
    }

    /// Where the first message ends, if all of it is here.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate().skip(self.looked_at) {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.looked_at = 0;
                        return Some(index + 1);
                    }
                }
                _ => {}
            }
        }
        self.looked_at = bytes.len();
        None
    }

    fn refuse(&mut self, code: i32, message: &str) -> Incoming {
        self.broken = true;
        Incoming::Refused(error_answer(code, message))
    }
}

impl Decoder for JsonFraming {
    type Item = Incoming;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Incoming>> {
        if self.broken {
            bytes.clear();
            return Ok(None);
        }
        if self.looked_at == 0 {
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            bytes.advance(blank);
            match bytes.first() {
                None => return Ok(None),
                Some(b'{' | b'[') => {}
                Some(_) => return Ok(Some(self.refuse(PARSE_ERROR, "parse error"))),
            }
        }
        match self.find_end(bytes) {
            Some(end) if end <= self.max_bytes => Ok(Some(Incoming::Message(bytes.split_to(end).to_vec()))),
            None if bytes.len() <= self.max_bytes => Ok(None),
            _ => Ok(Some(self.refuse(INVALID_REQUEST, "message too large"))),
        }
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Incoming>> {
        // Half a message is nobody's.
        let message = self.decode(bytes)?;
        if message.is_none() {
            bytes.clear();
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(pieces: &[&[u8]], max_bytes: usize) -> Vec<String> {
        let (mut framing, mut bytes, mut found) = (JsonFraming::new(max_bytes), BytesMut::new(), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            while let Some(message) = framing.decode(&mut bytes).unwrap() {
                found.push(match message {
                    Incoming::Message(message) => String::from_utf8(message).unwrap(),
                    Incoming::Refused(answer) => answer,
                });
            }
        }
        found
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        let text = r#"{"a":"}\"]{"}[{"b":[1,"\\"]}]"#;
        assert_eq!(messages(&[text.as_bytes()], 100), [r#"{"a":"}\"]{"}"#, r#"[{"b":[1,"\\"]}]"#]);
    }

    #[test]
    fn what_is_no_object_or_too_long_is_refused_once() {
        assert_eq!(messages(&[b"x{}", b"{}"], 100).len(), 1);
        assert!(messages(&[b"\"a\""], 100)[0].contains("-32700"));
        assert!(messages(&[b"{\"aaaa", b"aaaaaaa"], 10)[0].contains("message too large"));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same(
            values in prop::collection::vec("[ -~]{0,12}", 1..6),
            cuts in prop::collection::vec(1_usize..9, 1..9),
        ) {
            let values: Vec<String> = values.iter().map(|value| serde_json::json!({ "a": [value] }).to_string()).collect();
            let text = values.join("\n");
            let mut pieces = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, more) = rest.split_at(rest.len().min(*cut));
                pieces.push(piece);
                rest = more;
            }
            prop_assert_eq!(messages(&pieces, 1000), values);
        }
    }
}
