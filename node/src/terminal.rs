//! Lines for people: colours and progress, only where a person is looking.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    env,
    io::{self, IsTerminal},
    time::Duration,
};

/// A colour, as the number in its escape sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    /// No colour, but bold.
    Bold = 1,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// Whether a stream may have colours: it is a terminal, and `NO_COLOR` is not set.
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The text in a colour, if the stream may have colours.
pub(crate) fn paint(stream: &impl IsTerminal, colour: Colour, text: &str) -> String {
    if has_colours(stream) { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
}

/// One line on stderr that says what is wrong.
pub(crate) fn error(message: &str) {
    let message = message.replace('\n', " ");
    eprintln!("{} {message}", paint(&io::stderr(), Colour::Red, "error:"));
}

/// One line on stderr that says what is not as one might think.
pub(crate) fn warning(message: &str) {
    let message = message.replace('\n', " ");
    eprintln!("{} {message}", paint(&io::stderr(), Colour::Yellow, "warning:"));
}

/// An error with its causes in one line. Some errors tell their cause themselves; it is not told twice.
pub(crate) fn describe(error: &eyre::Report) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// Lets the program end without a word when nobody reads what it prints any more, as after `| head`.
pub(crate) fn end_with_the_reader() {
    #[cfg(unix)]
    // SAFETY: no other thread runs yet, and the default action has no handler.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// A progress bar on stderr, invisible when that is no terminal. Without a total it only counts.
pub(crate) fn progress(total: Option<u64>, what: &'static str) -> ProgressBar {
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total, target);
    let template = match total {
        Some(_) => "{prefix} {bar:28} {pos}/{len} {wide_msg}",
        None => "{prefix} {spinner} {pos} {wide_msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyre::{WrapErr, eyre};

    #[test]
    fn a_cause_is_told_once() {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        #[derive(Debug, thiserror::Error)]
        #[error("chain.rlp: {0}")]
        struct Outer(#[source] io::Error);
        assert_eq!(describe(&eyre!(Outer(missing()))), "chain.rlp: no such file");
        let wrapped = Err::<(), _>(missing()).wrap_err("cannot open chain.rlp").unwrap_err();
        assert_eq!(describe(&wrapped), "cannot open chain.rlp: no such file");
    }
}
