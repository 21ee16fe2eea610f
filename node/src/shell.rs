//! `braid completions` and `braid man`: what shells and `man` want to know about the command line.

use crate::{SUCCESS, cli::Cli};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use eyre::WrapErr;
use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

/// Write completions for a shell to stdout.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  braid completions bash > /etc/bash_completion.d/braid
  braid completions zsh > \"${fpath[1]}/_braid\"
  braid completions fish > ~/.config/fish/completions/braid.fish")]
pub(crate) struct CompletionOptions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual: the page of `braid` to stdout, or the pages of all commands into a folder.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  braid man | man -l -
  braid man --out /usr/local/share/man/man1")]
pub(crate) struct ManOptions {
    /// Folder for the pages of all commands.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn completions(options: &CompletionOptions) -> eyre::Result<u8> {
    clap_complete::generate(options.shell, &mut Cli::command(), "braid", &mut io::stdout());
    Ok(SUCCESS)
}

pub(crate) fn man(options: &ManOptions) -> eyre::Result<u8> {
    let Some(folder) = &options.out else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        io::stdout().write_all(&page)?;
        return Ok(SUCCESS);
    };
    fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .wrap_err_with(|| format!("cannot write into {}", folder.display()))?;
    Ok(SUCCESS)
}
