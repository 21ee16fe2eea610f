//! The part of regular expressions that the schemas use: `^`, `$`, characters, classes, groups of alternatives, `*`, `+`, `?`, `{n}` and `{n,m}`.

/// Whether a text matches a pattern that is anchored at both ends.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let anchored = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$'));
    let pattern = anchored.unwrap_or_else(|| panic!("{pattern} is not anchored"));
    ends(pattern.as_bytes(), text.as_bytes()).contains(&text.len())
}

/// How much of the text the pattern can take, in all ways.
fn ends(pattern: &[u8], text: &[u8]) -> Vec<usize> {
    if let Some(alternatives) = split_alternatives(pattern) {
        return alternatives.into_iter().flat_map(|alternative| ends(alternative, text)).collect();
    }
    if pattern.is_empty() {
        return vec![0];
    }
    let (atom, rest) = pattern.split_at(atom_length(pattern));
    let (least, most, rest) = repetition(rest);
    let (mut places, mut all) = (vec![0], Vec::new());
    for count in 0..=most {
        if count >= least {
            for place in &places {
                all.extend(ends(rest, &text[*place..]).into_iter().map(|end| place + end));
            }
        }
        let next = places.iter().flat_map(|place| once(atom, &text[*place..]).into_iter().map(move |end| place + end));
        places = next.collect();
        if places.is_empty() {
            break;
        }
    }
    all
}

fn split_alternatives(pattern: &[u8]) -> Option<Vec<&[u8]>> {
    let mut depth = 0;
    let is_bar = |byte: &u8| {
        depth += i32::from(*byte == b'(') - i32::from(*byte == b')');
        *byte == b'|' && depth == 0
    };
    let parts: Vec<_> = pattern.split(is_bar).collect();
    (parts.len() > 1).then_some(parts)
}

fn atom_length(pattern: &[u8]) -> usize {
    let closing = match pattern[0] {
        b'[' => b']',
        b'(' => b')',
        _ => return 1,
    };
    pattern.iter().position(|byte| *byte == closing).expect("a bracket is closed") + 1
}

fn repetition(rest: &[u8]) -> (usize, usize, &[u8]) {
    match rest.first() {
        Some(b'*') => (0, usize::MAX - 1, &rest[1..]),
        Some(b'+') => (1, usize::MAX - 1, &rest[1..]),
        Some(b'?') => (0, 1, &rest[1..]),
        Some(b'{') => {
            let end = rest.iter().position(|byte| *byte == b'}').expect("a brace is closed");
            let text = std::str::from_utf8(&rest[1..end]).unwrap();
            let (least, most) = text.split_once(',').unwrap_or((text, text));
            (least.parse().unwrap(), most.parse().unwrap(), &rest[end + 1..])
        }
        _ => (1, 1, rest),
    }
}

fn once(atom: &[u8], text: &[u8]) -> Vec<usize> {
    if atom[0] == b'(' {
        return ends(&atom[1..atom.len() - 1], text);
    }
    let Some(byte) = text.first() else { return Vec::new() };
    let fits = match atom {
        [b'[', class @ .., b']'] => is_in_class(class, *byte),
        _ => atom[0] == *byte,
    };
    if fits { vec![1] } else { Vec::new() }
}

fn is_in_class(mut class: &[u8], byte: u8) -> bool {
    while let [first, rest @ ..] = class {
        let (last, rest) = if let [b'-', last, rest @ ..] = rest { (last, rest) } else { (first, rest) };
        if (*first..=*last).contains(&byte) {
            return true;
        }
        class = rest;
    }
    false
}

#[test]
fn the_patterns_of_the_schemas_are_understood() {
    let quantity = "^0x(0|[1-9a-f][0-9a-f]*)$";
    for good in ["0x0", "0x1", "0xabc", "0x10"] {
        assert!(matches(quantity, good), "{good}");
    }
    for bad in ["", "0x", "0x00", "0x01", "0xA", "1", "0x1g"] {
        assert!(!matches(quantity, bad), "{bad}");
    }
    assert!(matches("^0x[0-9a-fA-F]{2}$", "0xAf") && !matches("^0x[0-9a-fA-F]{2}$", "0xAfa"));
    assert!(matches("^0x[0-9a-f]{1,2}$", "0x1") && matches("^0x[0-9a-f]*$", "0x") && matches("^(a|bc)?d$", "bcd"));
}
