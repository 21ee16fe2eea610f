//! Signatures of methods: `name(parameter: Type, optional?: Type) -> Type`.

/// A method, for people and for the OpenRPC document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodDescription {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    /// Type of the result, as [`Parameter::kind`].
    pub(crate) result: &'static str,
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// Name of its type: `Address`, `Quantity`, `Hash`, …; `[]` behind it makes it a list, `?` behind a result says that it can be null.
    pub(crate) kind: &'static str,
    pub(crate) is_required: bool,
}

impl MethodDescription {
    /// Reads a signature. Panics when it is none: signatures are part of the program.
    pub(crate) fn parse(signature: &'static str, about: &'static str) -> Self {
        Self::try_parse(signature, about).unwrap_or_else(|| panic!("not a signature: {signature}"))
    }

    fn try_parse(signature: &'static str, about: &'static str) -> Option<Self> {
        let (name, rest) = signature.split_once('(')?;
        let (list, result) = rest.split_once(") -> ")?;
        let parameters = list.split(", ").filter(|text| !text.is_empty()).map(|text| {
            let (name, kind) = text.split_once(": ")?;
            let optional = name.strip_suffix('?');
            Some(Parameter { name: optional.unwrap_or(name), kind, is_required: optional.is_none() })
        });
        let parameters = parameters.collect::<Option<_>>()?;
        (!name.is_empty() && !result.is_empty()).then_some(Self { name, about, parameters, result })
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.parameters.iter().map(|parameter| parameter.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read() {
        let method = MethodDescription::parse("eth_getBalance(address: Address, block?: BlockId) -> Quantity", "Wei.");
        assert_eq!(
            (method.name, method.result, method.names()),
            ("eth_getBalance", "Quantity", vec!["address", "block"])
        );
        assert_eq!(method.parameters.iter().map(|parameter| parameter.is_required).collect::<Vec<_>>(), [true, false]);
        assert!(MethodDescription::parse("eth_chainId() -> Quantity", "").parameters.is_empty());
        for bad in ["eth_chainId", "eth_chainId()", "f(a) -> B", "() -> A"] {
            assert_eq!(MethodDescription::try_parse(bad, ""), None, "{bad}");
        }
    }
}
