//! Running blockchain tests.
//!
//! The blocks come into a chain one after the other, as they would over the network: decoded, validated, executed, and chosen as head or
//! not. What is not valid must be refused, and in the end head and state must be as the suite says. Where the blocks are sealed by
//! real proofs of work (`Ethash`), these are verified too, which a chain does not do by itself.
//!
//! The tests of Amsterdam are newer than the rules of the released EVM. What counts there are the blocks and their access lists as such:
//! [`super::access_list`]; whether execution agrees is only told.

use super::{
    access_list,
    case::{CaseReport, Verdict, compare},
    chain_run,
    options::{CaseMode, SuiteOptions},
    run::Suite,
};
use alloy_primitives::B256;
use alloy_rlp::Decodable;
use braid_chain::{Chain, ChainError, consensus::Ethash};
use braid_fixtures::suites::{BlockchainTest, CaseText, Format, blockchain_test::SuiteBlock};
use braid_runtime::{Block, ChainSpec};
use std::sync::OnceLock;

/// Runs blockchain tests.
#[derive(Debug)]
pub(super) struct BlockSuite<'o> {
    options: &'o SuiteOptions,
    /// Made when the first case with real proofs of work comes.
    ethash: OnceLock<Ethash>,
}

impl<'o> BlockSuite<'o> {
    pub(super) const fn new(options: &'o SuiteOptions) -> Self {
        Self { options, ethash: OnceLock::new() }
    }

    fn execute(&self, test: &BlockchainTest<'_>, spec: &ChainSpec, mode: CaseMode) -> Result<(), String> {
        let chain = chain_run::start(&test.chain(), spec, mode, self.options)?;
        let has_seals = test.seal_engine.as_deref() == Some("Ethash");
        for (index, block) in test.blocks.iter().enumerate() {
            let what = format!("block {index} of {}", test.blocks.len());
            chain_run::compare_verdict(&what, block.exception.as_deref(), self.import(&chain, block, has_seals)?)?;
        }
        chain_run::compare_end(&chain, &test.chain())
    }

    /// Gives a block to the chain. The inner error tells why it was refused, the outer one that nothing can be said of it.
    fn import(&self, chain: &Chain, block: &SuiteBlock<'_>, has_seals: bool) -> Result<Result<B256, String>, String> {
        let block = match decode(&block.rlp) {
            Ok(block) => block,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if has_seals && !chain.spec().at(&block.header).is_merged() {
            let ethash = self.ethash.get_or_init(|| Ethash::of_block(0));
            let mut headers = std::iter::once(&block.header).chain(&block.body.ommers);
            if let Some(error) = headers.find_map(|header| ethash.verify(header).err()) {
                return Ok(Err(error.to_string()));
            }
        }
        match chain.import(block) {
            Ok(inserted) => match inserted.divergence {
                None => Ok(Ok(inserted.block.hash)),
                Some(divergence) => Err(format!("execution: the engine was corrected by plain revm: {divergence}")),
            },
            Err(error @ (ChainError::Invalid(_) | ChainError::UnknownParent { .. })) => Ok(Err(error.to_string())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn verdict(
        &self,
        file: &str,
        test: &BlockchainTest<'_>,
        spec: &ChainSpec,
    ) -> (Verdict, Option<Result<(), String>>) {
        if let Err(difference) = check_genesis(test) {
            return (Verdict::failed(difference), None);
        }
        if test.chain().network.contains("Amsterdam") {
            let structure = access_list::check(test);
            // The engine leaves this fork to plain revm, so there is but one way to execute.
            let execution = self.execute(test, spec, CaseMode::Serial);
            let verdict = structure.map_or_else(Verdict::failed, |()| Verdict::Passed);
            return (verdict, Some(execution));
        }
        (Verdict::of(file, self.options.mode.runs(), |mode| self.execute(test, spec, mode)), None)
    }
}

impl Suite for BlockSuite<'_> {
    type Machine = ();
    const FORMAT: Format = Format::Blockchain;

    fn machine(&self) -> eyre::Result<()> {
        Ok(())
    }

    fn run(&self, (): &mut (), file: &str, case: &CaseText<'_>, report: &mut dyn FnMut(CaseReport)) {
        let verdict = |test: &BlockchainTest<'_>, spec: &ChainSpec| self.verdict(file, test, spec);
        if let Some(result) = chain_run::run_case(case, file, self.options, BlockchainTest::chain, verdict) {
            report(result);
        }
    }
}

/// The encoded genesis block must be the one of the stated header.
fn check_genesis(test: &BlockchainTest<'_>) -> Result<(), String> {
    let Some(rlp) = &test.genesis_rlp else { return Ok(()) };
    let block = decode(rlp).map_err(|error| format!("genesis: {error}"))?;
    compare("genesis hash", test.chain().genesis.hash, block.header.hash_slow())?;
    let encoded = alloy_rlp::encode(&block);
    if encoded == **rlp { Ok(()) } else { Err("genesis: does not encode to the bytes it was decoded from".to_owned()) }
}

/// Decodes a block with nothing behind it.
pub(super) fn decode(rlp: &[u8]) -> Result<Block, alloy_rlp::Error> {
    let mut rest = rlp;
    let block = Block::decode(&mut rest)?;
    if rest.is_empty() { Ok(block) } else { Err(alloy_rlp::Error::UnexpectedLength) }
}
