//! State channels of nitro-protocol as published: deposits, agreed ends, and disputes.

use super::{
    super::{WorkloadError, block_builder::Call, sampling::Zipf},
    keys::Key,
    stage::Stage,
    tokens::Tokens,
};
use crate::contracts::Deployer;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, aliases::U48, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use rand::Rng;

sol! {
    struct FixedPart {
        uint256 chainId;
        address[] participants;
        uint48 channelNonce;
        address appDefinition;
        uint48 challengeDuration;
    }
    struct VariablePart {
        bytes outcome;
        bytes appData;
    }
    struct Sig {
        uint8 v;
        bytes32 r;
        bytes32 s;
    }
    struct AssetOutcome {
        address asset;
        bytes allocationOrGuarantee;
    }
    struct AllocationOrGuarantee {
        uint8 kind;
        bytes data;
    }
    struct AllocationItem {
        bytes32 destination;
        uint256 amount;
    }
    struct HashedState {
        uint48 turnNum;
        bool isFinal;
        bytes32 channelId;
        bytes32 appPartHash;
        bytes32 outcomeHash;
    }
    interface Adjudicator {
        function deposit(address asset, bytes32 channelId, uint256 expectedHeld, uint256 amount) external payable;
        function concludeAndTransferAllAssets(uint48 largestTurnNum, FixedPart fixedPart, bytes32 appPartHash, bytes outcomeBytes, uint8 numStates, uint8[] whoSignedWhat, Sig[] sigs) external;
        function challenge(FixedPart fixedPart, uint48 largestTurnNum, VariablePart[] variableParts, uint8 isFinalCount, Sig[] sigs, uint8[] whoSignedWhat, Sig challengerSig) external;
        function respond(bool[2] isFinalAB, FixedPart fixedPart, VariablePart[2] variablePartAB, Sig sig) external;
    }
}

const GAS_LIMIT: u64 = 500_000;
/// Seconds that a dispute stays open.
const PATIENCE: u64 = 86_400;
/// Tokens that channels are opened in, the popular ones first.
const TOKENS: usize = 4;

/// The adjudicator, and the application whose rules its channels follow.
#[derive(Debug)]
pub(super) struct Channels {
    adjudicator: Address,
    application: Address,
    ranks: Zipf,
    turn: usize,
}

/// A channel between two.
struct Channel {
    fixed: FixedPart,
    keys: [Key; 2],
    id: B256,
    outcome: Bytes,
}

fn parts(signature: Signature) -> Sig {
    Sig { v: 27 + u8::from(signature.v()), r: signature.r().into(), s: signature.s().into() }
}

/// The application counts: its data is one number.
fn counter(turn: u64) -> Bytes {
    U256::from(turn).abi_encode().into()
}

impl Channel {
    fn app_part(&self, turn: u64) -> B256 {
        let duration = U256::from(PATIENCE);
        keccak256((duration, self.fixed.appDefinition, counter(turn)).abi_encode_params())
    }

    fn state_hash(&self, turn: u64, is_final: bool) -> B256 {
        let state = HashedState {
            turnNum: U48::from(turn),
            isFinal: is_final,
            channelId: self.id,
            appPartHash: self.app_part(turn),
            outcomeHash: keccak256(&self.outcome),
        };
        keccak256(state.abi_encode())
    }

    fn sign(&self, who: usize, hash: B256) -> Sig {
        parts(self.keys[who].sign_message(hash))
    }

    fn variable(&self, turn: u64) -> VariablePart {
        VariablePart { outcome: self.outcome.clone(), appData: counter(turn) }
    }

    /// The first participant insists on the states of turns 4 and 5, which both have signed.
    fn challenge(&self) -> Adjudicator::challengeCall {
        let (fourth, fifth) = (self.state_hash(4, false), self.state_hash(5, false));
        let insists = keccak256((fifth, "forceMove".to_owned()).abi_encode_params());
        Adjudicator::challengeCall {
            fixedPart: self.fixed.clone(),
            largestTurnNum: U48::from(5),
            variableParts: vec![self.variable(4), self.variable(5)],
            isFinalCount: 0,
            sigs: vec![self.sign(0, fourth), self.sign(1, fifth)],
            whoSignedWhat: vec![0, 1],
            challengerSig: self.sign(0, insists),
        }
    }
}

impl Channels {
    pub(super) fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        Ok(Self {
            adjudicator: deployer.deploy("NitroAdjudicator", Vec::new())?,
            application: deployer.deploy("CountingApp", Vec::new())?,
            ranks: Zipf::new(TOKENS, 1.0),
            turn: 0,
        })
    }

    /// Two people who will share `total` of an asset; the zero address stands for ether.
    fn channel(&self, stage: &mut Stage, asset: Address, total: U256) -> Channel {
        let keys = [Key::random(&mut stage.random), Key::random(&mut stage.random)];
        let participants: Vec<Address> = keys.iter().map(|key| key.address).collect();
        let (chain_id, nonce) = (U256::ONE, U48::from(stage.random.random_range(1..u64::from(u32::MAX))));
        let id = keccak256((chain_id, participants.clone(), nonce).abi_encode_params());
        let first = total * U256::from(stage.random.random_range(1..100_u64)) / U256::from(100);
        let items: Vec<AllocationItem> = participants
            .iter()
            .zip([first, total - first])
            .map(|(participant, amount)| AllocationItem { destination: participant.into_word(), amount })
            .collect();
        let allocation = AllocationOrGuarantee { kind: 0, data: items.abi_encode().into() };
        let outcome = vec![AssetOutcome { asset, allocationOrGuarantee: allocation.abi_encode().into() }];
        let fixed = FixedPart {
            chainId: chain_id,
            participants,
            channelNonce: nonce,
            appDefinition: self.application,
            challengeDuration: U48::from(PATIENCE),
        };
        Channel { fixed, keys, id, outcome: outcome.abi_encode().into() }
    }

    fn call(&self, sender: Address, call: impl SolCall) -> Call {
        Call::contract(sender, self.adjudicator, call.abi_encode(), GAS_LIMIT)
    }

    /// Two in five pay in, two in five end a channel as both agreed, one in five opens a dispute or answers in one.
    pub(super) fn act(&mut self, stage: &mut Stage, tokens: &Tokens, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.turn;
        self.turn += 1;
        let total = stage.ether(1, 3);
        let in_tokens = matches!(turn % 5, 1 | 3);
        let asset = if in_tokens {
            tokens.traded().nth(self.ranks.sample(&mut stage.random)).unwrap_or_default()
        } else {
            Address::ZERO
        };
        let channel = self.channel(stage, asset, total);
        let deposit =
            Adjudicator::depositCall { asset, channelId: channel.id, expectedHeld: U256::ZERO, amount: total };
        let value = if in_tokens { U256::ZERO } else { total };
        let (admin, adjudicator) = (stage.deployer.admin, self.adjudicator);
        Ok(match turn % 5 {
            0 | 1 => {
                if in_tokens {
                    tokens.give_for(&mut stage.deployer, asset, sender, total, adjudicator)?;
                }
                Call { value, ..self.call(sender, deposit) }
            }
            2 | 3 => {
                if in_tokens {
                    tokens.give_for(&mut stage.deployer, asset, admin, total, adjudicator)?;
                }
                stage.deployer.call_with_value(admin, adjudicator, value, deposit)?;
                let hash = channel.state_hash(8, true);
                let conclusion = Adjudicator::concludeAndTransferAllAssetsCall {
                    largestTurnNum: U48::from(8),
                    appPartHash: channel.app_part(8),
                    outcomeBytes: channel.outcome.clone(),
                    numStates: 1,
                    whoSignedWhat: vec![0, 0],
                    sigs: vec![channel.sign(0, hash), channel.sign(1, hash)],
                    fixedPart: channel.fixed,
                };
                self.call(sender, conclusion)
            }
            _ if turn % 10 == 4 => self.call(sender, channel.challenge()),
            _ => {
                stage.deployer.call(admin, adjudicator, channel.challenge())?;
                let answer = Adjudicator::respondCall {
                    isFinalAB: [false, false],
                    variablePartAB: [channel.variable(5), channel.variable(6)],
                    sig: channel.sign(0, channel.state_hash(6, false)),
                    fixedPart: channel.fixed,
                };
                self.call(sender, answer)
            }
        })
    }
}
