//! Counts what a JSON-RPC reply says without building a tree of it.
//!
//! The client shares its cores with the server that is measured, so a reply is walked once, and only member names at the level of a reply
//! object are looked at: words inside results and strings are never taken for answers.

use memchr::memchr2;

/// How many requests of a call were answered with a result, and how many with an error.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Answers {
    /// Replies with a `result` member.
    pub results: usize,
    /// Replies with an `error` member.
    pub errors: usize,
}

/// Counts the answers in the body of a single reply or of a batch. A body that is no reply has none.
pub fn count_answers(body: &[u8]) -> Answers {
    let mut answers = Answers::default();
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else { return answers };
    let level = match first {
        b'{' => 1,
        b'[' => 2,
        _ => return answers,
    };
    let (mut depth, mut at) = (0_usize, 0);
    while at < body.len() {
        match body[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let begin = at + 1;
                let Some(end) = end_of_string(body, begin) else { return answers };
                at = end;
                if depth == level && is_name(&body[end + 1..]) {
                    match &body[begin..end] {
                        b"result" => answers.results += 1,
                        b"error" => answers.errors += 1,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    answers
}

/// Position of the quote that ends a string whose text begins at `begin`.
fn end_of_string(body: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin;
    loop {
        at += memchr2(b'"', b'\\', body.get(at..)?)?;
        if body[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Whether the string before `rest` was the name of a member.
fn is_name(rest: &[u8]) -> bool {
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(body: &str) -> (usize, usize) {
        let answers = count_answers(body.as_bytes());
        (answers.results, answers.errors)
    }

    #[test]
    fn single_replies() {
        assert_eq!(count(r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#), (1, 0));
        assert_eq!(
            count(r#" { "jsonrpc" : "2.0", "error" : {"code":-32000,"message":"nonce too low"}, "id" : 1 }"#),
            (0, 1)
        );
    }

    #[test]
    fn batches() {
        let body = r#"[{"id":1,"result":"0x1"},{"id":2,"error":{"code":-1,"message":"m"}},{"id":3,"result":null}]"#;
        assert_eq!(count(body), (2, 1));
        assert_eq!(count("[]"), (0, 0));
    }

    #[test]
    fn words_inside_results_are_not_answers() {
        assert_eq!(count(r#"{"id":1,"result":{"error":"x","result":[{"result":1}]}}"#), (1, 0));
        assert_eq!(count(r#"[{"id":1,"result":"error"},{"result":"\"result\":","id":"result"}]"#), (2, 0));
    }

    #[test]
    fn escapes_do_not_end_a_string() {
        assert_eq!(count(r#"{"id":"a\\","result":"\\\"}{"}"#), (1, 0));
    }

    #[test]
    fn cut_and_foreign_bodies() {
        assert_eq!(count(r#"{"id":1,"resu"#), (0, 0));
        assert_eq!(count(r#"{"id":1,"result":"0x"#), (1, 0));
        assert_eq!(count("<html>"), (0, 0));
        assert_eq!(count(""), (0, 0));
        assert_eq!(count(r#"{"id":"\"#), (0, 0));
    }
}
