//! Options from a file.
//!
//! A TOML file with the names of the options becomes arguments of the command line, put before the real ones. So there is one place that says which
//! options there are, and what is wrong is told in the same words.

use eyre::{WrapErr, bail};
use std::{ffi::OsString, fs, path::Path};
use toml::{Table, Value};

/// The arguments that a config file stands for.
pub(crate) fn arguments(path: &Path) -> eyre::Result<Vec<OsString>> {
    let text = fs::read_to_string(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
    let table: Table = text.parse().wrap_err_with(|| format!("{} is not valid TOML", path.display()))?;
    let mut arguments = Vec::new();
    flatten("", &table, &mut arguments).wrap_err_with(|| path.display().to_string())?;
    Ok(arguments)
}

fn flatten(prefix: &str, table: &Table, arguments: &mut Vec<OsString>) -> eyre::Result<()> {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.replace('_', "-"));
        match value {
            Value::Table(inner) => flatten(&format!("{name}."), inner, arguments)?,
            Value::Boolean(true) => arguments.push(format!("--{name}").into()),
            Value::Boolean(false) => {}
            Value::Array(list) => {
                let list = list.iter().map(|value| scalar(&name, value)).collect::<eyre::Result<Vec<_>>>()?;
                arguments.push(format!("--{name}={}", list.join(",")).into());
            }
            value => arguments.push(format!("--{name}={}", scalar(&name, value)?).into()),
        }
    }
    Ok(())
}

fn scalar(name: &str, value: &Value) -> eyre::Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        _ => bail!("{name}: {value} is neither text nor a number"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> eyre::Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Ok(arguments(file.path())?.into_iter().map(|argument| argument.into_string().unwrap()).collect())
    }

    #[test]
    fn names_are_those_of_the_options() {
        let text = "block-time = 0.5\nno_mining = false\ndev = true\n[http]\nport = 1\ncorsdomain = [\"a\", \"b\"]\n";
        assert_eq!(read(text).unwrap(), ["--block-time=0.5", "--dev", "--http.corsdomain=a,b", "--http.port=1"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = read("when = 2020-01-01").unwrap_err();
        assert!(format!("{error:#}").contains("when: 2020-01-01 is neither"), "{error:#}");
        assert!(format!("{:#}", read("x = ").unwrap_err()).contains("not valid TOML"));
    }
}
