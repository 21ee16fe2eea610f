//! What compilers write: interfaces, layouts and bytecode, in the files of solc, Foundry and Hardhat.
//!
//! The files differ in how deep things lie, so contracts are looked for at every depth: an object is a contract if it has an `abi` or a
//! `storageLayout`.

use super::layout::{Layout, Namespaces};
use alloy_json_abi::JsonAbi;
use alloy_primitives::{Address, Bytes, hex};
use eyre::{WrapErr, bail};
use serde_json::{Map, Value};
use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

/// `ADDRESS=FILE[:CONTRACT]`, or a file alone where that is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileFor {
    pub(super) address: Option<Address>,
    file: PathBuf,
    /// Which contract of several in the file.
    contract: Option<String>,
}

impl FromStr for FileFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, file) = match text.split_once('=') {
            Some((address, file)) if address.starts_with("0x") => {
                let address = address.parse().map_err(|_| format!("{address:?} is not an address"))?;
                (Some(address), file)
            }
            _ => (None, text),
        };
        if file.is_empty() {
            return Err("the file is missing".to_owned());
        }
        // A colon may belong to the path, as in C:\.
        let (file, contract) = match file.rsplit_once(':') {
            Some((file, contract)) if !contract.contains(['/', '\\', '.']) && !file.is_empty() => {
                (file, Some(contract.to_owned()))
            }
            _ => (file, None),
        };
        Ok(Self { address, file: file.into(), contract })
    }
}

impl FileFor {
    /// Reads the file, or all files of a folder as Foundry's `out` and Hardhat's `artifacts` are.
    pub(super) fn read(&self, namespaces: &mut Namespaces) -> eyre::Result<Content> {
        let mut content = Content { name: self.file.display().to_string(), contracts: Vec::new() };
        if self.file.is_dir() {
            for path in files(&self.file)? {
                // Folders of compilers hold other things, too.
                let value = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
                if let Some(value) = value {
                    content.add(&value, &path, namespaces);
                }
            }
        } else {
            let name = &content.name;
            let text = fs::read(&self.file).wrap_err_with(|| format!("cannot read {name}"))?;
            let value: Value = serde_json::from_slice(&text).wrap_err_with(|| format!("{name} is not JSON"))?;
            content.add(&value, &self.file, namespaces);
        }
        if let Some(wanted) = &self.contract {
            content.contracts.retain(|contract| contract.name == *wanted);
            if content.contracts.is_empty() {
                bail!("{} has no contract {wanted}", content.name);
            }
        }
        Ok(content)
    }

    /// The layouts that were asked for with `--layout`: one for an address, else those of contracts whose code is known.
    pub(super) fn layouts(&self, namespaces: &mut Namespaces) -> eyre::Result<Vec<NamedLayout>> {
        let mut content = self.read(namespaces)?;
        let name = content.name.clone();
        content.contracts.retain(|contract| contract.layout.is_some());
        if content.contracts.is_empty() {
            bail!(
                "{name} has no storage layout; make one with `forge inspect CONTRACT storageLayout --json`, `solc --storage-layout` or outputSelection \"storageLayout\""
            );
        }
        if self.address.is_some() {
            content.only_one("layouts")?;
        } else if content.contracts.iter().all(|contract| contract.code.is_none()) {
            bail!("{name} has a layout without the deployed bytecode; name the contract: ADDRESS={name}");
        }
        content.layouts()
    }

    /// The interfaces that were asked for with `--abi`.
    pub(super) fn interfaces(&self, namespaces: &mut Namespaces) -> eyre::Result<Vec<Interface>> {
        let mut content = self.read(namespaces)?;
        content.contracts.retain(|contract| contract.abi.is_some());
        if content.contracts.is_empty() {
            bail!("{} has no abi", content.name);
        }
        if self.address.is_some() {
            content.only_one("interfaces")?;
        }
        content.interfaces()
    }
}

/// What is in a file.
#[derive(Debug)]
pub(super) struct Content {
    name: String,
    contracts: Vec<Contract>,
}

impl Content {
    fn add(&mut self, value: &Value, path: &Path, namespaces: &mut Namespaces) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        find(value, &stem, &mut self.contracts);
        namespaces.read(value);
    }

    fn only_one(&self, what: &str) -> eyre::Result<()> {
        let names: Vec<_> = self.contracts.iter().map(|contract| contract.name.as_str()).collect();
        match &names[..] {
            [first, _, ..] => {
                bail!("{0} has the {what} of {1}; name one: {0}:{first}", self.name, list(&names))
            }
            _ => Ok(()),
        }
    }

    /// All layouts.
    pub(super) fn layouts(&self) -> eyre::Result<Vec<NamedLayout>> {
        let layout = |contract: &Contract| {
            let layout = contract.layout.clone()?;
            let layout = serde_json::from_value(layout)
                .wrap_err_with(|| format!("{}: storageLayout of {}", self.name, contract.name));
            Some(layout.map(|layout| NamedLayout { name: contract.name.clone(), layout, code: contract.code.clone() }))
        };
        self.contracts.iter().filter_map(layout).collect()
    }

    /// All interfaces.
    pub(super) fn interfaces(&self) -> eyre::Result<Vec<Interface>> {
        let interface = |contract: &Contract| {
            let abi = serde_json::from_value(contract.abi.clone()?)
                .wrap_err_with(|| format!("{}: abi of {}", self.name, contract.name));
            Some(abi.map(|abi| Interface { name: contract.name.clone(), abi, code: contract.code.clone() }))
        };
        self.contracts.iter().filter_map(interface).collect()
    }
}

/// The files of JSON in a folder and below, in the order of their names.
fn files(folder: &Path) -> eyre::Result<Vec<PathBuf>> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).wrap_err_with(|| format!("cannot read {}", folder.display()))? {
            let entry = entry.wrap_err_with(|| format!("cannot read {}", folder.display()))?;
            let path = entry.path();
            // Links are left out: they may lead in a circle.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "json") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn list(names: &[&str]) -> String {
    match names.len() {
        0..=6 => names.join(", "),
        count => format!("{} and {} more", names[..5].join(", "), count - 5),
    }
}

/// What can be called, and how to know the contract by its code.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) abi: JsonAbi,
    pub(super) code: Option<Code>,
}

/// Which variables lie where, and how to know the contract by its code.
#[derive(Clone, Debug)]
pub(super) struct NamedLayout {
    pub(super) name: String,
    pub(super) layout: Layout,
    pub(super) code: Option<Code>,
}

/// Deployed bytecode, with holes for what is filled in when it is deployed.
#[derive(Clone, Debug)]
pub(super) struct Code {
    bytes: Vec<u8>,
    /// Start and length of immutable variables, and of addresses of libraries.
    holes: Vec<(usize, usize)>,
}

impl Code {
    /// Whether this is the code of a contract on the chain. What the compiler appends (the hash of the sources) does not count.
    pub(super) fn is(&self, deployed: &Bytes) -> bool {
        let (own, other) = (without_metadata(&self.bytes), without_metadata(deployed));
        let in_hole = |index: usize| self.holes.iter().any(|(start, length)| (*start..start + length).contains(&index));
        !own.is_empty()
            && own.len() == other.len()
            && own.iter().zip(other).enumerate().all(|(index, (a, b))| a == b || in_hole(index))
    }
}

/// Code without the CBOR at its end, whose length is in the last two bytes.
fn without_metadata(code: &[u8]) -> &[u8] {
    let [.., high, low] = code else { return code };
    let length = usize::from(u16::from_be_bytes([*high, *low])) + 2;
    match code.len().checked_sub(length) {
        // A map of CBOR with a few entries begins there.
        Some(end) if length > 2 && (0xa1..=0xa4).contains(&code[end]) => &code[..end],
        _ => code,
    }
}

/// A contract somewhere in a file.
#[derive(Debug)]
struct Contract {
    name: String,
    abi: Option<Value>,
    layout: Option<Value>,
    code: Option<Code>,
}

/// Finds contracts; `name` is that of the key above.
fn find(value: &Value, name: &str, contracts: &mut Vec<Contract>) {
    match value {
        // The bare list of an interface.
        Value::Array(items) if items.iter().any(|item| item.get("type").is_some_and(Value::is_string)) => {
            contracts.push(Contract { name: name.to_owned(), abi: Some(value.clone()), layout: None, code: None });
        }
        Value::Object(fields) => {
            let abi = fields.get("abi").and_then(abi_of);
            let layout = ["storageLayout", "storage-layout"].iter().find_map(|key| fields.get(*key));
            let bare = is_layout(fields).then_some(value);
            let layout = layout.or(bare).and_then(embedded);
            if abi.is_none() && layout.is_none() {
                for (key, value) in fields.iter().filter(|(_, value)| value.is_object()) {
                    find(value, key.rsplit(':').next().unwrap_or(key), contracts);
                }
                return;
            }
            let own = fields.get("contractName").and_then(Value::as_str);
            let name = own.or_else(|| bare.and_then(layout_of)).unwrap_or(name);
            contracts.push(Contract { name: name.to_owned(), abi, layout, code: code_of(fields) });
        }
        _ => {}
    }
}

fn is_layout(fields: &Map<String, Value>) -> bool {
    fields.get("storage").is_some_and(Value::is_array) && fields.contains_key("types")
}

/// Whose layout it is, by what stands at its variables: `src/Token.sol:Token`.
fn layout_of(layout: &Value) -> Option<&str> {
    let first = layout.get("storage")?.get(0)?.get("contract")?.as_str()?;
    first.rsplit(':').next().filter(|name| !name.is_empty())
}

/// Combined JSON of older compilers holds JSON as text.
fn embedded(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Null => None,
        value => Some(value.clone()),
    }
}

fn abi_of(value: &Value) -> Option<Value> {
    embedded(value).filter(Value::is_array)
}

fn code_of(fields: &Map<String, Value>) -> Option<Code> {
    let evm = fields.get("evm").and_then(|evm| evm.get("deployedBytecode"));
    let deployed = evm.or_else(|| fields.get("deployedBytecode")).or_else(|| fields.get("bin-runtime"))?;
    let text = deployed.as_str().or_else(|| deployed.get("object")?.as_str())?;
    let mut holes = Vec::new();
    for references in ["immutableReferences", "linkReferences", "deployedLinkReferences"] {
        for object in [deployed.get(references), fields.get(references)].into_iter().flatten() {
            collect_holes(object, &mut holes);
        }
    }
    // Addresses of libraries that are not linked yet are written as __$…$__.
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut clean = String::with_capacity(digits.len());
    for (index, digit) in digits.char_indices() {
        let is_digit = digit.is_ascii_hexdigit();
        if !is_digit {
            holes.push((index / 2, 20));
        }
        clean.push(if is_digit { digit } else { '0' });
    }
    let bytes = hex::decode(clean).ok().filter(|bytes| !bytes.is_empty())?;
    Some(Code { bytes, holes })
}

/// Everything with a `start` and a `length`.
fn collect_holes(value: &Value, holes: &mut Vec<(usize, usize)>) {
    let number = |field: &str| value.get(field)?.as_u64().and_then(|number| usize::try_from(number).ok());
    if let (Some(start), Some(length)) = (number("start"), number("length")) {
        holes.push((start, length.min(32)));
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_holes(item, holes)),
        Value::Object(fields) => fields.values().for_each(|item| collect_holes(item, holes)),
        _ => {}
    }
}

/// The file, for messages.
impl AsRef<Path> for FileFor {
    fn as_ref(&self) -> &Path {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ABI: &str =
        r#"[{"type": "function", "name": "poke", "inputs": [], "outputs": [], "stateMutability": "nonpayable"}]"#;
    const LAYOUT: &str = r#"{"storage": [{"label": "x", "offset": 0, "slot": "0", "type": "t"}], "types": {"t": {"encoding": "inplace", "label": "uint256", "numberOfBytes": "32"}}}"#;

    fn file(folder: &tempfile::TempDir, content: &Value) -> FileFor {
        let path = folder.path().join("Poke.json");
        fs::write(&path, content.to_string()).unwrap();
        path.display().to_string().parse().unwrap()
    }

    fn layouts(file: &FileFor) -> eyre::Result<Vec<NamedLayout>> {
        file.layouts(&mut Namespaces::well_known())
    }

    fn interfaces(file: &FileFor) -> eyre::Result<Vec<Interface>> {
        file.interfaces(&mut Namespaces::well_known())
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn contracts_are_found_in_the_files_of_every_compiler() {
        let folder = tempfile::tempdir().unwrap();
        let forge = json!({ "abi": value(ABI), "deployedBytecode": { "object": "0x6001", "immutableReferences": {} }, "storageLayout": value(LAYOUT) });
        let hardhat = json!({ "contractName": "Poke", "abi": value(ABI), "deployedBytecode": "0x6001", "storageLayout": value(LAYOUT) });
        let solc = json!({ "contracts": { "Poke.sol": { "Poke": { "abi": value(ABI), "evm": { "deployedBytecode": { "object": "6001" } }, "storageLayout": value(LAYOUT) } } } });
        let combined = json!({ "contracts": { "Poke.sol:Poke": { "abi": ABI, "bin-runtime": "6001", "storage-layout": LAYOUT } } });
        for content in [forge, hardhat, solc, combined] {
            let file = file(&folder, &content);
            let interface = interfaces(&file).unwrap().remove(0);
            assert_eq!(interface.name, "Poke", "{content}");
            assert!(interface.abi.function("poke").is_some(), "{content}");
            assert!(interface.code.unwrap().is(&Bytes::from_static(&[0x60, 1])), "{content}");
            let layout = layouts(&file).unwrap().remove(0);
            assert!(!layout.layout.is_empty() && layout.name == "Poke" && layout.code.is_some(), "{content}");
        }
        let mut bare = file(&folder, &value(LAYOUT));
        assert!(layouts(&bare).unwrap_err().to_string().contains("name the contract: ADDRESS="));
        bare.address = Some(Address::ZERO);
        assert_eq!(layouts(&bare).unwrap()[0].name, "Poke", "the name of the file, where nothing else tells");
        assert_eq!(interfaces(&file(&folder, &value(ABI))).unwrap().len(), 1);
        let errors = layouts(&file(&folder, &json!({ "abi": value(ABI) }))).unwrap_err().to_string();
        assert!(errors.contains("has no storage layout; make one with"), "{errors}");
    }

    #[test]
    fn one_of_several_contracts_must_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let content = json!({ "A": { "storageLayout": value(LAYOUT) }, "B": { "storageLayout": value(LAYOUT) } });
        let path = file(&folder, &content).as_ref().display().to_string();
        let of = |contract: &str| -> FileFor { format!("{}={path}{contract}", Address::ZERO).parse().unwrap() };
        let error = layouts(&of("")).unwrap_err().to_string();
        assert!(error.contains("has the layouts of A, B; name one: "), "{error}");
        assert_eq!(layouts(&of(":B")).unwrap()[0].name, "B");
        assert!(layouts(&of(":C")).unwrap_err().to_string().ends_with("has no contract C"));
    }

    #[test]
    fn folders_are_read_whole_and_what_is_no_contract_in_them_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("A.sol");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("A.json"), json!({ "abi": value(ABI), "deployedBytecode": "0x6001" }).to_string())
            .unwrap();
        fs::write(
            below.join("B.json"),
            json!({ "abi": value(ABI), "storageLayout": value(LAYOUT), "deployedBytecode": "0x6002" }).to_string(),
        )
        .unwrap();
        fs::write(folder.path().join("cache.json"), "no JSON").unwrap();
        fs::write(folder.path().join("readme.txt"), ABI).unwrap();
        let file: FileFor = folder.path().display().to_string().parse().unwrap();
        let content = file.read(&mut Namespaces::well_known()).unwrap();
        let names: Vec<_> = content.interfaces().unwrap().into_iter().map(|interface| interface.name).collect();
        assert_eq!((&names[..], content.layouts().unwrap().len()), (&["A".to_owned(), "B".to_owned()][..], 1));
    }

    #[test]
    fn structures_of_syntax_trees_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let member = |name: &str, kind: &str| json!({ "name": name, "typeDescriptions": { "typeString": kind } });
        let tree = json!({ "abi": value(ABI), "ast": { "nodes": [{ "nodes": [{
            "nodeType": "StructDefinition", "canonicalName": "Game.Main", "documentation": { "text": "@custom:storage-location erc7201:game.main" },
            "members": [member("round", "uint64"), member("price", "Price"), member("bets", "mapping(address => uint256[])")],
        }, {
            "nodeType": "UserDefinedValueTypeDefinition", "canonicalName": "Price", "underlyingType": { "typeDescriptions": { "typeString": "uint96" } },
        }] }] } });
        let mut namespaces = Namespaces::well_known();
        let before = namespaces.layout().slots().count();
        file(&folder, &tree).interfaces(&mut namespaces).unwrap();
        let layout = namespaces.layout();
        assert_eq!(layout.slots().count(), before + 2, "two small ones in one slot, and the mapping");
        assert!(layout.has("Main"));
    }

    #[test]
    fn code_is_known_in_spite_of_immutables_and_metadata() {
        let metadata = |byte: u8| [0xa1, 0x61, byte, 0x01, 0x00, 0x04];
        let bytes = [&[0x60, 0, 0, 0x55][..], &metadata(1)].concat();
        let code = Code { bytes, holes: vec![(1, 2)] };
        let deployed = |code: &[u8]| Bytes::copy_from_slice(&[code, &metadata(2)].concat());
        assert!(code.is(&deployed(&[0x60, 7, 8, 0x55])));
        assert!(!code.is(&deployed(&[0x61, 7, 8, 0x55])));
        assert!(!code.is(&deployed(&[0x60, 7, 8, 0x55, 0])));
        assert!(!Code { bytes: Vec::new(), holes: Vec::new() }.is(&Bytes::new()));
    }

    #[test]
    fn addresses_and_contracts_are_split_from_paths() {
        let address = Address::repeat_byte(1);
        let parse = |text: &str| text.parse::<FileFor>();
        let expected = FileFor { address: Some(address), file: "out/A.json".into(), contract: Some("A".to_owned()) };
        assert_eq!(parse(&format!("{address}=out/A.json:A")), Ok(expected));
        let windows = FileFor { address: None, file: r"C:\a.json".into(), contract: None };
        assert_eq!(parse(r"C:\a.json"), Ok(windows));
        assert!(parse("0x12=a.json").unwrap_err().contains("is not an address"));
        assert!(parse(&format!("{address}=")).is_err());
    }
}
