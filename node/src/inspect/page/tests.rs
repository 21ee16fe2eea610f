//! The page is whole, and nothing in the data can become part of it.

use super::*;
use crate::{
    inspect::report::{Bounds, EngineRun, Field, FieldUse, FunctionName, LAYOUT, Path, Transaction, WhatIf, WhatIfs},
    replay::Schedule,
};
use alloy_primitives::{Address, B256};

const EVIL: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u{2028}";

fn report() -> Report {
    let evil = || EVIL.to_owned();
    let bounds = Bounds { b0: 1.0, b1: 1.0, b2: 1.0 };
    let result =
        WhatIf { critical_path_gas: 1, critical_path_share: 1.0, critical_path_ms: 1.0, bounds, independent: 0 };
    let function = FunctionName { name: evil(), code: Address::ZERO, selector: None, signature: Some(evil()) };
    Report {
        layout: LAYOUT,
        braid: "0",
        source: evil(),
        number: 4_242,
        hash: B256::ZERO,
        chain_id: 1,
        fork: evil(),
        gas: 1,
        serial_ms: 1.0,
        critical_path: Path { gas: 1, gas_share: 1.0, ms: 1.0, time_share: 1.0, transactions: vec![0] },
        bounds: Vec::new(),
        engine: EngineRun {
            threads: 1,
            predictor: evil(),
            wall_ms: 1.0,
            schedule: Schedule { path: evil(), ..Schedule::default() },
            spans: vec![(1, 0, 1.0, 2.5, 3)],
        },
        fields: vec![Field {
            kind: "storage",
            address: Address::ZERO,
            contract: Some(evil()),
            slot: None,
            name: evil(),
            variables: vec![evil()],
            about: Some(evil()),
            readers: 1,
            writers: 1,
            waiting: 1,
            waiting_gas: 1,
            critical_links: 0,
            functions: vec![FieldUse { function, readers: 1, writers: 1 }],
        }],
        functions: Vec::new(),
        what_if: WhatIfs {
            computed_not_executed: true,
            threads: 8,
            as_it_is: result,
            alone: Vec::new(),
            together: Vec::new(),
            asked: None,
        },
        transactions: vec![Transaction {
            hash: B256::ZERO,
            from: Address::ZERO,
            to: None,
            calls: evil(),
            gas: 1,
            us: 1.0,
            earliest_end_gas: 1,
        }],
        edges: Vec::new(),
        warnings: vec![evil()],
    }
}

#[test]
fn names_cannot_break_out_of_the_data() {
    let page = render(&report()).unwrap();
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "nothing of the data is markup");
    assert_eq!(page.matches("</script>").count(), crate::page::empty(TEMPLATE).matches("</script>").count());
    let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let data = &page[start..start + page[start..].find("</script>").unwrap()];
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!((&data["number"], &data["warnings"][0]), (&4_242.into(), &EVIL.into()));
    assert!(!page.contains(crate::page::DATA) && page.trim_end().ends_with("</html>"));
}

#[test]
fn the_script_puts_text_on_the_page_as_text_only() {
    let template = page::empty(TEMPLATE);
    for way_in in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"] {
        assert!(!template.contains(way_in), "{way_in}");
    }
}

#[test]
fn nothing_is_fetched() {
    let page = render(&report()).unwrap().replace("\\u003cimg src=", "");
    for outside in ["https://", "src=", "@import", "url(", "fetch(", "href="] {
        assert_eq!(page.matches(outside).count(), 0, "{outside}");
    }
    assert_eq!(page.matches("http://").count(), page.matches("http://www.w3.org/2000/svg").count());
}
