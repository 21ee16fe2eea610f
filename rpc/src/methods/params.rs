//! What clients send as `params`, as arguments.
//!
//! Missing, `null` and `[]` are the same; trailing arguments may be left out if they are optional; more than there are parameters are
//! ignored; an object gives the arguments by their names.

use crate::RpcError;
use jsonrpsee::types::Params;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Arguments of a method.
pub(crate) trait FromParams: Sized {
    /// Reads the arguments; `names` are those of the parameters.
    ///
    /// # Errors
    /// -32602, with the index of the argument that is missing or wrong.
    fn from_params(params: &Params<'_>, names: &[&str]) -> Result<Self, RpcError>;
}

/// The arguments, each as JSON.
fn split<'a>(params: &'a Params<'_>, names: &[&str]) -> Result<Vec<Option<&'a str>>, RpcError> {
    let json = params.as_str().unwrap_or_default().trim();
    let bad = |error: serde_json::Error| RpcError::invalid_params(format!("invalid params: {error}"));
    match json.as_bytes().first() {
        None => Ok(Vec::new()),
        Some(b'n') if json == "null" => Ok(Vec::new()),
        Some(b'{') => {
            let by_name: HashMap<&str, &RawValue> = serde_json::from_str(json).map_err(bad)?;
            Ok(names.iter().map(|name| by_name.get(name).map(|value| value.get())).collect())
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(json).map_err(bad)?;
            Ok(list.into_iter().map(|value| Some(value.get())).collect())
        }
        Some(_) => Err(RpcError::invalid_params("non-array args")),
    }
}

fn argument<T: DeserializeOwned>(list: &[Option<&str>], index: usize) -> Result<T, RpcError> {
    let given = list.get(index).copied().flatten();
    let parsed = serde_json::from_str(given.unwrap_or("null"));
    parsed.map_err(|error| match given {
        None | Some("null") => RpcError::invalid_params(format!("missing value for required argument {index}")),
        Some(_) => RpcError::invalid_params(format!("invalid argument {index}: {error}")),
    })
}

impl FromParams for () {
    fn from_params(_params: &Params<'_>, _names: &[&str]) -> Result<Self, RpcError> {
        Ok(())
    }
}

macro_rules! arguments {
    ($($name:ident $index:literal),+) => {
        impl<$($name: DeserializeOwned),+> FromParams for ($($name,)+) {
            fn from_params(params: &Params<'_>, names: &[&str]) -> Result<Self, RpcError> {
                let list = split(params, names)?;
                Ok(($(argument::<$name>(&list, $index)?,)+))
            }
        }
    };
}

arguments!(A 0);
arguments!(A 0, B 1);
arguments!(A 0, B 1, C 2);
arguments!(A 0, B 1, C 2, D 3);
arguments!(A 0, B 1, C 2, D 3, E 4);
arguments!(A 0, B 1, C 2, D 3, E 4, F 5);

#[cfg(test)]
mod tests {
    use super::*;

    type Two = (u64, Option<String>);

    fn parse(json: Option<&str>) -> Result<Two, RpcError> {
        Two::from_params(&Params::new(json), &["number", "name"])
    }

    #[test]
    fn optional_arguments_can_be_left_out() {
        assert_eq!(parse(Some("[1]")).unwrap(), (1, None));
        assert_eq!(parse(Some("[1,null]")).unwrap(), (1, None));
        assert_eq!(parse(Some(r#"[1, "a" ]"#)).unwrap(), (1, Some("a".to_owned())));
        assert_eq!(parse(Some(r#"[1,"a",{"more":[]}]"#)).unwrap(), (1, Some("a".to_owned())));
    }

    #[test]
    fn names_do_as_well() {
        assert_eq!(parse(Some(r#"{"name":"a","number":1,"other":2}"#)).unwrap(), (1, Some("a".to_owned())));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for json in [None, Some("null"), Some("[]"), Some("[null]"), Some("{}")] {
            let error = parse(json).unwrap_err();
            assert_eq!(
                (error.code, error.message.as_str()),
                (-32602, "missing value for required argument 0"),
                "{json:?}"
            );
        }
        assert!(parse(Some(r#"["x"]"#)).unwrap_err().message.starts_with("invalid argument 0: "));
        assert!(parse(Some(r#"[1,2]"#)).unwrap_err().message.starts_with("invalid argument 1: "));
        assert_eq!(parse(Some("5")).unwrap_err().message, "non-array args");
        assert_eq!(<()>::from_params(&Params::new(None), &[]).unwrap(), ());
    }
}
