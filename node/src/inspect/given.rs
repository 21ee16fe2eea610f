//! The files that the user gives, and which contracts of the block they are about.

use super::{
    artifact::{Code, FileFor, Interface, NamedLayout},
    contracts::Contracts,
    functions::Functions,
    gather::Found,
    layout::{Layout, Namespaces},
    naming::Naming,
    options::InspectOptions,
    origin::Preimages,
};
use alloy_primitives::{Address, map::AddressMap};
use std::path::Path;

/// What the files of compilers tell.
#[derive(Debug)]
pub(super) struct Given {
    /// With what was asked for.
    interfaces: Vec<(Source, Vec<Interface>)>,
    layouts: Vec<(Source, Vec<NamedLayout>)>,
    namespaces: Namespaces,
}

/// Where something comes from.
#[derive(Clone, Debug)]
struct Source {
    option: &'static str,
    file: FileFor,
}

impl Source {
    fn new(option: &'static str, file: &FileFor) -> Self {
        Self { option, file: file.clone() }
    }

    /// As the user wrote it.
    fn told(&self) -> String {
        match self.file.address {
            Some(address) => format!("--{} {address}", self.option),
            None => format!("--{} {}", self.option, AsRef::<Path>::as_ref(&self.file).display()),
        }
    }

    /// The contracts that are meant.
    fn contracts(&self, contracts: &Contracts, code: Option<&Code>) -> Vec<Address> {
        match self.file.address {
            Some(address) => vec![address],
            None => code.map(|code| contracts.with_code(code)).unwrap_or_default(),
        }
    }
}

impl Given {
    /// Reads all files.
    pub(super) fn read(options: &InspectOptions) -> eyre::Result<Self> {
        let mut namespaces = Namespaces::well_known();
        let (mut interfaces, mut layouts) = (Vec::new(), Vec::new());
        for file in &options.layout {
            layouts.push((Source::new("layout", file), file.layouts(&mut namespaces)?));
        }
        for file in &options.abi {
            interfaces.push((Source::new("abi", file), file.interfaces(&mut namespaces)?));
        }
        for file in &options.artifacts {
            let content = file.read(&mut namespaces)?;
            interfaces.push((Source::new("artifacts", file), content.interfaces()?));
            layouts.push((Source::new("artifacts", file), content.layouts()?));
        }
        Ok(Self { interfaces, layouts, namespaces })
    }

    /// Names for the contracts of a block; what fits none of them is told in `warnings`.
    pub(super) fn naming(self, contracts: &Contracts, found: &Found, warnings: &mut Vec<String>) -> Naming {
        let mut functions = Functions::new();
        for (source, interfaces) in self.interfaces {
            let mut fits = false;
            // The interfaces that were named before count more.
            for interface in interfaces {
                let mut meant = source.contracts(contracts, interface.code.as_ref());
                fits |= meant.iter().any(|address| contracts.have(address));
                for index in 0..meant.len() {
                    meant.extend(contracts.delegating_to(meant[index]));
                }
                meant.retain(|address| functions.contract(address).is_none());
                functions.add(interface, meant);
            }
            if !fits {
                warnings.push(nobody_has_its_code(&source));
            }
        }
        let mut layouts = Vec::new();
        let mut layouts_of = AddressMap::<Vec<usize>>::default();
        let mut names = AddressMap::default();
        for (source, given) in self.layouts {
            let (mut fits, any) = (false, !given.is_empty());
            for NamedLayout { name, layout, code } in given {
                let meant = source.contracts(contracts, code.as_ref());
                for contract in &meant {
                    let owners = contracts.storages(*contract);
                    if source.file.address.is_some() {
                        warnings.extend(about_layout(&source, *contract, &layout, owners.is_empty(), contracts));
                    }
                    for owner in owners {
                        layouts_of.entry(owner).or_default().push(layouts.len());
                    }
                    names.entry(*contract).or_insert_with(|| name.clone());
                }
                fits |= !meant.is_empty();
                layouts.push(layout);
            }
            // That nothing in a folder fits was told with its interfaces.
            if any && !fits && source.option == "layout" {
                warnings.push(nobody_has_its_code(&source));
            }
        }
        let common = self.namespaces.layout();
        let slots = layouts.iter().chain([&common]).flat_map(Layout::slots);
        let preimages = Preimages::new(&found.calls.preimages, slots);
        let contracts = contracts.names(&functions, &names);
        Naming { functions, layouts, layouts_of, common, contracts, preimages }
    }
}

fn nobody_has_its_code(source: &Source) -> String {
    let told = source.told();
    match (source.file.address, source.option) {
        (Some(_), _) => format!("{told}: this block does not touch the contract, or it has no code"),
        (None, "artifacts") => format!("{told}: no contract of this block has code from there"),
        (None, _) => format!("{told}: no contract of this block has its code; name the contract with ADDRESS=FILE"),
    }
}

/// Why a layout names nothing.
fn about_layout(
    source: &Source,
    contract: Address,
    layout: &Layout,
    is_unused: bool,
    contracts: &Contracts,
) -> Option<String> {
    let told = source.told();
    if !contracts.are_touched(&contract) {
        Some(format!("{told}: this block does not touch the contract"))
    } else if layout.is_empty() {
        Some(format!(
            "{told}: there are no variables in it; structures at slots of their own (ERC-7201) are found in the syntax tree (`forge build --ast`)"
        ))
    } else {
        is_unused.then(|| {
            format!("{told}: this block uses no storage of the contract, and its code runs on no other contract's")
        })
    }
}
