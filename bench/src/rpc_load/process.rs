//! What the system tells about a running process: processor time and memory, from `/proc`.

use serde::Serialize;
use std::{fs, io, time::Duration};

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Memory {
    /// Pages in memory, those of mapped files included.
    pub resident: u64,
    /// Pages in memory that no file stands behind: heap and stacks.
    pub anonymous: u64,
}

impl Memory {
    /// Pages of mapped files in memory: of the program, and of a database, which the system takes back when it wants them for something else.
    pub const fn mapped(&self) -> u64 {
        self.resident.saturating_sub(self.anonymous)
    }
}

/// Processor time that all threads of a process took so far, those that have ended included.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_cpu_time(&text, ticks_per_second()).ok_or_else(|| unreadable("stat"))
}

/// Memory of a process now.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name| parse_kibibytes(&text, name).ok_or_else(|| unreadable("status"));
    Ok(Memory { resident: field("VmRSS")?, anonymous: field("RssAnon")? })
}

/// Bytes of memory of a process, where pages shared with others count by their share.
pub fn proportional_memory(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    parse_kibibytes(&text, "Pss").ok_or_else(|| unreadable("smaps_rollup"))
}

fn unreadable(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} of the process is not as expected"))
}

fn ticks_per_second() -> u64 {
    // SAFETY: a query without any precondition.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// User and system time in the text of `/proc/PID/stat`. The name of the program, in parentheses, may itself hold spaces and parentheses.
fn parse_cpu_time(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    // The state is field 3 of the file, user time field 14, system time field 15.
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_nanos((user + system) * 1_000_000_000 / ticks_per_second))
}

/// Bytes of a line such as `VmRSS:     1234 kB`.
fn parse_kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 900 0 1 0 250 50 7 8 20 0 9 0 123 456 789";

    #[test]
    fn user_and_system_time_are_added() {
        assert_eq!(parse_cpu_time(STAT, 100), Some(Duration::from_secs(3)));
        assert_eq!(parse_cpu_time(STAT, 1000), Some(Duration::from_millis(300)));
    }

    #[test]
    fn a_cut_line_has_no_time() {
        assert_eq!(parse_cpu_time("4711 (a) S 1 4711 4711 0 -1 4194560 900 0 1 0 250", 100), None);
        assert_eq!(parse_cpu_time("", 100), None);
    }

    #[test]
    fn memory_lines() {
        let text = "Name:\tx\nVmHWM:\t  20 kB\nVmRSS:\t    12 kB\nRssAnon:\t 3 kB\nPss:  5 kB\nPss_Dirty:  1 kB\n";
        assert_eq!(parse_kibibytes(text, "VmRSS"), Some(12 << 10));
        assert_eq!(parse_kibibytes(text, "RssAnon"), Some(3 << 10));
        assert_eq!(parse_kibibytes(text, "Pss"), Some(5 << 10));
        assert_eq!(parse_kibibytes(text, "Vm"), None);
        assert_eq!(parse_kibibytes("VmRSS: many kB", "VmRSS"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        cpu_time(pid).unwrap();
        let memory = memory(pid).unwrap();
        assert!(memory.resident >= memory.anonymous && memory.anonymous > 0, "{memory:?}");
        assert!(proportional_memory(pid).unwrap() > 0);
    }
}
