//! What is not run, and which failures do not count.
//!
//! An account with storage but without code and nonce exists on no real chain, yet some old tests create a contract over one. EIP-7610 says what
//! should happen; neither revm nor, for that reason, the clients on it do it, and geth and reth skip these tests too. They are run
//! nevertheless: where they pass they count, and where all ways of executing agree on another result they are skipped.

/// Loops that take much longer than everything else, as they are called in their files' names.
const SLOW: [&str; 5] = ["call50000sha256", "loopmul", "callblake2fmaxrounds", "loopexp", "shiftcombinations"];

/// How the names of the files with such accounts begin.
const COLLISIONS: [&str; 5] = [
    "revertincreateininit",
    "dynamicaccountoverwriteempty",
    "create2collisionstorage",
    "initcollision",
    "valueoverflow",
];

/// The folder of the newer ones.
const COLLISION_FOLDER: &str = "/eip7610_create_collision/";

/// Why a case of this file and fork is not run; `None` if it is.
pub(super) fn reason(file: &str, fork: &str, skip_slow: bool) -> Option<&'static str> {
    // Alone or in a transition; Constantinople with its fix is another name.
    if fork.split("To").any(|part| part.split("At").next() == Some("Constantinople")) {
        return Some("Constantinople without Petersburg (EIP-1283) is not supported");
    }
    let name = plain_name(file);
    let is_slow = || SLOW.iter().any(|slow| name.strip_prefix("static").unwrap_or(&name).starts_with(slow));
    (skip_slow && is_slow()).then_some("it is slow, and --skip-slow was given")
}

/// Why a failure in this file does not count if all ways of executing agree; `None` if it does.
pub(super) fn collision(file: &str) -> Option<&'static str> {
    let name = plain_name(file);
    let is_known = file.contains(COLLISION_FOLDER) || COLLISIONS.iter().any(|known| name.starts_with(known));
    is_known.then_some(
        "it creates a contract over an account that has storage but no code, which revm does not refuse (EIP-7610)",
    )
}

/// Name of a file without folders, extension and whatever is neither letter nor digit. The same tests are spelt in several ways.
fn plain_name(file: &str) -> String {
    let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
    let name = name.strip_suffix(".json").unwrap_or(name);
    let name = name.strip_prefix("test_").unwrap_or(name);
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_constantinople_itself_is_not_run() {
        for fork in ["Constantinople", "ByzantiumToConstantinopleAt5", "ConstantinopleToIstanbulAt5"] {
            assert!(reason("a.tar.zst/x/add.json", fork, false).is_some(), "{fork}");
        }
        for fork in ["ConstantinopleFix", "Byzantium", "ByzantiumToConstantinopleFixAt5"] {
            assert_eq!(reason("a.tar.zst/x/add.json", fork, true), None, "{fork}");
        }
    }

    #[test]
    fn slow_loops_are_skipped_on_demand() {
        for name in ["static_Call50000_sha256", "Call50000_sha256", "loopExp", "loop_exp", "CALLBlake2f_MaxRounds"] {
            let file = format!("suite/stTimeConsuming/{name}.json");
            assert!(reason(&file, "Cancun", true).is_some(), "{name}");
            assert_eq!(reason(&file, "Cancun", false), None, "{name}");
        }
        assert_eq!(reason("suite/Call50000.json", "Cancun", true), None);
    }

    #[test]
    fn collisions_however_they_are_spelt() {
        for file in [
            "RevertInCreateInInit.json",
            "x/RevertInCreateInInitCreate2Paris.json",
            "dynamicAccountOverwriteEmpty_Paris.json",
            "stCreate2/create2collisionStorageParis.json",
            "InitCollision.json",
            "eip7610_create_collision/test_init_collision_create_opcode.json",
            "a/init_collision_create_opcode.json",
            "paris/eip7610_create_collision/other.json",
        ] {
            assert!(collision(file).is_some(), "{file}");
        }
        for file in [
            "create2collisionBalance.json",
            "CreateCollisionToEmpty.json",
            "revert_in_create.json",
            "InitCollision/add.json",
        ] {
            assert_eq!(collision(file), None, "{file}");
        }
    }
}
