//! What can be asked of a run of conformance suites.

use braid_runtime::Mode;
use clap::{Args, ValueEnum};
use std::{num::NonZeroUsize, path::PathBuf};

/// Options that all three commands share.
#[derive(Args, Clone, Debug)]
pub(crate) struct SuiteOptions {
    /// Test files (.json), .tar.zst archives of them, or folders of both. Archives are read as streams.
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// Run only cases with this text in their name or in that of their file. Given several times, any of the texts will do.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Vec<String>,

    /// Run only cases of this fork, as the suites call it: Berlin, CancunToPragueAtTime15k, … May be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) fork: Vec<String>,

    /// Threads of the parallel engine.
    #[arg(long, short, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,

    /// Files at a time [default: the number of available cores].
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// How each case is executed.
    #[arg(long, short, value_enum, default_value_t = SuiteMode::Both)]
    pub(crate) mode: SuiteMode,

    /// Write one JSON object for each case and one for the summary, a line each; `-` is stdout, and what people read then goes to stderr.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Skip the loops that take much longer than everything else: Call50000_sha256, loopMul, CALLBlake2f_MaxRounds, loopExp, shiftCombinations.
    #[arg(long)]
    pub(crate) skip_slow: bool,

    /// Stop at the first failure.
    #[arg(long)]
    pub(crate) fail_fast: bool,
}

/// How each case is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SuiteMode {
    /// By the engine, with everything run ahead that can be, however small the block.
    Parallel,
    /// By plain revm, one transaction after the other.
    Serial,
    /// In both ways.
    Both,
}

impl SuiteMode {
    /// The ways in which each case runs.
    pub(crate) const fn runs(self) -> &'static [CaseMode] {
        match self {
            Self::Parallel => &[CaseMode::Parallel],
            Self::Serial => &[CaseMode::Serial],
            Self::Both => &[CaseMode::Serial, CaseMode::Parallel],
        }
    }
}

/// One way to execute a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaseMode {
    Serial,
    Parallel,
}

impl CaseMode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Parallel => "parallel",
        }
    }

    /// The engine's mode: in tests everything that can run ahead does.
    pub(crate) const fn engine_mode(self) -> Mode {
        match self {
            Self::Serial => Mode::Serial,
            Self::Parallel => Mode::Forced,
        }
    }
}
