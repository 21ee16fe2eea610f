//! One reader thread: what a transaction touches, found out with as little waiting as possible.

use super::{Key, ReadAhead};
use crate::{
    RecoveredBlock,
    engine::plan,
    evm::{self, LeanEvm, WorkerMemory},
    predict::{AccountFields, KeccakCache, PredictedKey, Prediction, Predictor, SharedHashes, StateView},
    state::{BlockState, SnapshotError},
};
use alloy_consensus::Transaction as _;
use alloy_evm::FromRecoveredTx;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use braid_precompiles::BraidPrecompiles;
use parking_lot::{Mutex, RwLock};
use revm::{
    context::{BlockEnv, CfgEnv, TxEnv},
    primitives::KECCAK_EMPTY,
    state::Bytecode,
};
use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Times that a prediction is made again with the slots that it had to look at: a pool's tokens, a proxy behind a proxy.
const ROUNDS: usize = 6;

/// What readers keep from block to block.
#[derive(Debug, Default)]
pub(crate) struct ReaderMemories(Mutex<Vec<ReaderMemory>>);

pub(super) struct ReaderMemory {
    worker: Option<WorkerMemory>,
    keccak: KeccakCache,
    prediction: Prediction,
}

impl std::fmt::Debug for ReaderMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReaderMemory").finish_non_exhaustive()
    }
}

impl ReaderMemories {
    /// Forgets all hashes.
    pub(crate) fn forget_hashes(&mut self) {
        for memory in self.0.get_mut() {
            memory.keccak.clear();
            if let Some(worker) = &mut memory.worker {
                worker.keccak.clear();
            }
        }
    }

    fn take(&self, hashes: &Option<Arc<SharedHashes>>) -> ReaderMemory {
        let kept = self.0.lock().pop();
        kept.unwrap_or_else(|| ReaderMemory {
            worker: None,
            keccak: KeccakCache::sharing(hashes.clone()),
            prediction: Prediction::default(),
        })
    }
}

/// What leads the readers through a block of which no list was supplied.
pub(super) struct Guide<'b> {
    pub(super) block: &'b RecoveredBlock,
    pub(super) predictor: &'b RwLock<Predictor>,
    pub(super) cfg: CfgEnv,
    pub(super) env: BlockEnv,
    pub(super) precompiles: BraidPrecompiles,
    pub(super) hashes: Option<Arc<SharedHashes>>,
    pub(super) memories: &'b ReaderMemories,
    pub(super) begun: Begun,
}

/// Which transactions the EVM has begun to run: nobody need find out their keys any more.
pub(crate) type Begun = Arc<[AtomicBool]>;

impl Guide<'_> {
    pub(super) fn has_begun(&self, position: usize) -> bool {
        self.begun.get(position).is_some_and(|begun| begun.load(Ordering::Relaxed))
    }
}

/// One reader thread.
pub(super) struct Reader<'a, 'b> {
    ahead: &'a ReadAhead<'b>,
    guide: &'a Guide<'b>,
    memory: ReaderMemory,
    /// Made when first needed.
    evm: Option<LeanEvm<'a>>,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(ahead: &'a ReadAhead<'b>, guide: &'a Guide<'b>) -> Self {
        Self { ahead, guide, memory: guide.memories.take(&guide.hashes), evm: None }
    }

    pub(super) fn give_memory_back(self) {
        let Self { mut memory, evm, guide, .. } = self;
        if let Some(evm) = evm {
            memory.worker = Some(evm.ctx.journaled_state.into_memory());
        }
        guide.memories.0.lock().push(memory);
    }

    /// Finds out what a transaction touches and asks for it to be loaded.
    pub(super) fn transaction(&mut self, position: usize) -> Result<(), SnapshotError> {
        let (ahead, guide) = (self.ahead, self.guide);
        let tx = &guide.block.transactions()[position];
        let sender = guide.block.senders()[position];
        let declared = tx.access_list().into_iter().flat_map(|list| list.iter()).flat_map(|item| {
            let slots = item.storage_keys.iter().map(|slot| Key::Slot(item.address, (*slot).into()));
            std::iter::once(Key::Account(item.address)).chain(slots)
        });
        let created = tx.kind().is_create().then(|| Key::Account(sender.create(tx.nonce())));
        ahead.request(std::iter::once(Key::Account(sender)).chain(created).chain(declared));
        let code_hash = match tx.kind() {
            TxKind::Call(to) => {
                let account = ahead.state.account(&ahead.snapshot, to)?;
                account.base.map_or(KECCAK_EMPTY, |base| base.code_hash)
            }
            TxKind::Create => B256::ZERO,
        };
        if code_hash == KECCAK_EMPTY {
            return Ok(());
        }
        if let TxKind::Call(to) = tx.kind() {
            ahead.request(std::iter::once(Key::Code(to)));
            if self.predict(position, code_hash)? {
                return Ok(());
            }
        }
        self.run_ahead(position);
        Ok(())
    }

    /// Asks for everything that the predictor foretells. False when that is not all.
    fn predict(&mut self, position: usize, code_hash: B256) -> Result<bool, SnapshotError> {
        let (ahead, guide) = (self.ahead, self.guide);
        let shape = plan::shape_of(guide.block, &guide.env, position, code_hash);
        let ReaderMemory { keccak, prediction, .. } = &mut self.memory;
        for _ in 0..ROUNDS {
            let view = InMemory { state: ahead.state, missing: RefCell::default() };
            // The predictor is not held while anything is read: the view answers from memory or not at all.
            guide.predictor.read().predict(&shape, &view, keccak, prediction);
            let certain = prediction.keys.iter().filter(|access| !access.assumed).map(|access| access.key);
            ahead.request(certain.flat_map(keys_of).flatten());
            let missing = view.missing.into_inner();
            if missing.is_empty() {
                break;
            }
            for key in missing {
                ahead.load(key)?;
            }
        }
        Ok(prediction.known && !prediction.incomplete)
    }

    /// Runs a transaction on the state at hand, for the sake of what it reads.
    fn run_ahead(&mut self, position: usize) {
        let (ahead, guide) = (self.ahead, self.guide);
        if guide.has_begun(position) {
            return;
        }
        let memory = &mut self.memory;
        let evm = self.evm.get_or_insert_with(|| {
            let worker = memory.worker.take().unwrap_or_else(|| WorkerMemory::new(guide.hashes.clone(), None));
            let (cfg, env) = (guide.cfg.clone(), guide.env.clone());
            evm::lean_evm(&ahead.snapshot, ahead.state, worker, guide.precompiles.clone(), cfg, env)
        });
        let tx = &guide.block.transactions()[position];
        let env = TxEnv::from_recovered_tx(tx, guide.block.senders()[position]);
        // What comes of it is of no interest.
        let _ = evm::run(evm, env, position as u32 + 1, true);
    }
}

/// What has to be loaded for a predicted key.
fn keys_of(key: PredictedKey) -> [Option<Key>; 2] {
    match key {
        PredictedKey::Slot { address, slot, .. } => [Some(Key::Slot(address, slot)), Some(Key::Code(address))],
        PredictedKey::Account { address, fields, .. } if fields.contains(AccountFields::CODE) => {
            [Some(Key::Code(address)), None]
        }
        PredictedKey::Account { address, .. } => [Some(Key::Account(address)), None],
    }
}

/// The parent state as far as it has been read. Notes what was asked for and is not there.
struct InMemory<'b> {
    state: &'b BlockState,
    missing: RefCell<Vec<Key>>,
}

impl InMemory<'_> {
    fn miss<T>(&self, key: Key) -> Option<T> {
        let mut missing = self.missing.borrow_mut();
        if !missing.contains(&key) {
            missing.push(key);
        }
        None
    }
}

impl StateView for InMemory<'_> {
    fn storage(&self, address: Address, slot: U256) -> Option<U256> {
        let known = self.state.known_account(&address).and_then(|account| self.state.known_slot(account, &slot));
        known.map(|slot| slot.last()).or_else(|| self.miss(Key::Slot(address, slot)))
    }

    fn code_hash(&self, address: Address) -> Option<B256> {
        match self.state.known_account(&address) {
            Some(account) => account.base.map(|base| base.code_hash),
            None => self.miss(Key::Account(address)),
        }
    }

    fn code(&self, address: Address) -> Option<Bytes> {
        let Some(account) = self.state.known_account(&address) else { return self.miss(Key::Code(address)) };
        account.base.filter(|base| base.code_hash != KECCAK_EMPTY)?;
        account.base_code().map(Bytecode::original_bytes).or_else(|| self.miss(Key::Code(address)))
    }
}
