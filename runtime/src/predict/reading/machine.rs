//! The walk through the code.
//!
//! [`Reader::explore`] runs one path until it ends or comes to a branch that cannot be decided; there it explores both sides, each with
//! its own stack and memory. A side that reverts does not count; of two that succeed, each gets a share by how likely its condition is. Each branch is
//! forked a few times only and then taken as it went before, so that the work grows with the code and not with the number of paths.

use super::{
    super::{
        AccountFields, CallKind,
        expression::{Node, NodeIndex},
    },
    memory::Memory,
    notes::{Notes, Outcome},
    word::{Nodes, Word},
};
use alloy_primitives::{U256, map::HashMap};
use revm::bytecode::opcode as op;

/// Instructions of all paths together.
const MAX_STEPS: u32 = 40_000;
/// Instructions of one path.
const MAX_PATH: u32 = 12_000;
/// Undecided branches on one path, after which the rest is not read. Each is a level of recursion.
const MAX_FORKS: u8 = 200;
/// Times that one branch is explored on both sides.
const FORKS_OF_BRANCH: u8 = 3;
/// Decided branches on one path of which the other side is tried when the path fails.
const MAX_RETRIES: u8 = 4;
/// Times that one side of an undecided branch is taken on one path: what comes after is a loop.
const ROUNDS: u8 = 2;
/// Depth of the stack, as in the EVM.
const MAX_STACK: usize = 1024;
/// Share of a side whose condition hardly ever holds.
const UNLIKELY: f32 = 0.15;
/// Share of each side when nothing is known of the condition: more than half, since what was not recognised
/// as a way to fail often is one.
const EITHER: f32 = 0.55;
/// Where memory begins whose place is not known.
const FAR: u64 = 1 << 20;
/// Bytes kept free for a piece of it.
const FAR_STEP: u64 = 1 << 13;
/// Words of a dynamic argument that are copied to memory.
const COPIED_WORDS: u64 = 8;

/// How a branch went.
#[derive(Clone, Copy, Debug, Default)]
struct Branch {
    forks: u8,
    /// Sides that reverted whenever they were explored: not taken, taken.
    fails: [bool; 2],
    /// The side that reaches more.
    better: bool,
}

/// One path.
#[derive(Clone, Debug, Default)]
struct Path {
    pc: usize,
    stack: Vec<Word>,
    memory: Memory,
    /// Slots written on this path.
    stored: Vec<(NodeIndex, Word)>,
    /// Rounds of undecided branches: where, times not taken and taken.
    rounds: Vec<(u32, [u8; 2])>,
    reached: Outcome,
    /// The last call, if it has an entry, and the length of what it is taken to return.
    last_call: Option<u16>,
    returned: u64,
    forks: u8,
    /// Times that the other side of a decided branch was tried.
    retries: u8,
    steps: u32,
    far: u64,
}

/// What an instruction does to the path.
enum Flow {
    Next,
    Success,
    Failure,
    /// An undecided branch to this place, with the condition.
    Branch(usize, Word),
}

/// Reads one function.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    code: &'a [u8],
    selector: Option<[u8; 4]>,
    pub(super) notes: Notes,
    branches: HashMap<u32, Branch>,
    steps: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(code: &'a [u8], selector: Option<[u8; 4]>, notes: Notes) -> Self {
        Self { code, selector, notes, branches: HashMap::default(), steps: 0 }
    }

    /// The share of paths that reach each entry; `None` when all fail.
    pub(super) fn read(&mut self) -> Option<Outcome> {
        self.explore(Path::default())
    }

    fn explore(&mut self, mut path: Path) -> Option<Outcome> {
        loop {
            if self.steps >= MAX_STEPS || path.steps >= MAX_PATH {
                return Some(path.reached);
            }
            self.steps += 1;
            path.steps += 1;
            match self.step(&mut path)? {
                Flow::Next => {}
                Flow::Success => return Some(path.reached),
                Flow::Failure => return None,
                Flow::Branch(target, condition) => return self.branch(path, target, condition),
            }
        }
    }

    fn branch(&mut self, mut path: Path, target: usize, condition: Word) -> Option<Outcome> {
        if path.forks >= MAX_FORKS {
            return Some(path.reached);
        }
        let at = path.pc as u32;
        let known = self.branches.get(&at).copied().unwrap_or_default();
        let rounds = match path.rounds.iter_mut().find(|(seen, _)| *seen == at) {
            Some((_, rounds)) => rounds,
            None => {
                path.rounds.push((at, [0; 2]));
                &mut path.rounds.last_mut()?.1
            }
        };
        let spent = [rounds[0] >= ROUNDS, rounds[1] >= ROUNDS];
        let decided = match (known.fails, spent) {
            ([true, false], _) | (_, [true, false]) => Some(true),
            ([false, true], _) | (_, [false, true]) => Some(false),
            _ if known.forks >= FORKS_OF_BRANCH => Some(known.better),
            _ => None,
        };
        let side = |mut path: Path, taken: bool| {
            path.pc = if taken { target } else { path.pc + 1 };
            path.forks += 1;
            if let Some((_, rounds)) = path.rounds.iter_mut().find(|(seen, _)| *seen == at) {
                rounds[usize::from(taken)] += 1;
            }
            path
        };
        if let Some(taken) = decided {
            // What failed elsewhere may be the way here.
            let other = (path.retries < MAX_RETRIES).then(|| {
                let mut other = side(path.clone(), !taken);
                other.retries += 1;
                other
            });
            return self.explore(side(path, taken)).or_else(|| self.explore(other?));
        }
        self.branches.entry(at).or_default().forks += 1;
        let reached = path.reached.clone();
        let sides = [self.explore(side(path.clone(), false)), self.explore(side(path, true))];
        let weight = |outcome: &Option<Outcome>| outcome.as_ref().map_or(-1.0, |outcome| outcome.values().sum::<f32>());
        let branch = self.branches.entry(at).or_default();
        for (fails, side) in branch.fails.iter_mut().zip(&sides) {
            *fails = if known.forks == 0 { side.is_none() } else { *fails && side.is_none() };
        }
        branch.better = match condition {
            Word::Likely => true,
            Word::Unlikely => false,
            _ => weight(&sides[1]) > weight(&sides[0]),
        };
        match sides {
            [None, None] => None,
            [Some(one), None] | [None, Some(one)] => Some(one),
            [Some(other), Some(taken)] => {
                let shares = match condition {
                    Word::Likely => (UNLIKELY, 1.0 - UNLIKELY),
                    Word::Unlikely => (1.0 - UNLIKELY, UNLIKELY),
                    _ => (EITHER, EITHER),
                };
                let mut both = reached;
                for (side, share) in [(other, shares.0), (taken, shares.1)] {
                    for (entry, reaches) in side {
                        let sum = both.entry(entry).or_default();
                        *sum = (*sum + share * reaches).min(1.0);
                    }
                }
                Some(both)
            }
        }
    }

    /// One instruction. `None`: the path fails.
    fn step(&mut self, path: &mut Path) -> Option<Flow> {
        let Some(opcode) = self.code.get(path.pc).copied() else { return Some(Flow::Success) };
        if path.stack.len() > MAX_STACK {
            return None;
        }
        match opcode {
            op::PUSH0..=op::PUSH32 => {
                let width = (opcode - op::PUSH0) as usize;
                let from = path.pc + 1;
                let mut bytes = [0; 32];
                let available = self.code.len().saturating_sub(from).min(width);
                bytes[32 - width..32 - width + available].copy_from_slice(&self.code[from..from + available]);
                let pushed = (width == 20 || width == 32).then_some((from as u32, width as u8));
                path.stack.push(Word::Known { word: U256::from_be_bytes(bytes), pushed });
                path.pc += width;
            }
            op::DUP1..=op::DUP16 => {
                let at = path.stack.len().checked_sub((opcode - op::DUP1) as usize + 1)?;
                path.stack.push(path.stack[at]);
            }
            op::SWAP1..=op::SWAP16 => {
                let top = path.stack.len().checked_sub(1)?;
                path.stack.swap(top, top.checked_sub((opcode - op::SWAP1) as usize + 1)?);
            }
            op::POP => {
                path.stack.pop()?;
            }
            op::JUMPDEST => {}
            op::JUMP => {
                let target = self.destination(path.stack.pop()?)?;
                path.pc = target;
                return Some(Flow::Next);
            }
            op::JUMPI => {
                let target = path.stack.pop()?;
                let condition = path.stack.pop()?;
                let condition =
                    if condition == Word::InputSize { Word::flag(self.selector.is_some()) } else { condition };
                match condition.value() {
                    Some(value) if value.is_zero() => {}
                    Some(_) => {
                        path.pc = self.destination(target)?;
                        return Some(Flow::Next);
                    }
                    // A jump to nowhere is a way to revert.
                    None => {
                        if let Some(target) = self.destination(target) {
                            return Some(Flow::Branch(target, condition));
                        }
                    }
                }
            }
            op::STOP | op::SELFDESTRUCT => return Some(Flow::Success),
            op::RETURN => {
                let (start, length) = (path.stack.pop()?, path.stack.pop()?);
                if let (Some(start), Some(length)) = (start.offset(), length.offset()) {
                    for word in 0..(length / 32).min(4) {
                        let value = path.memory.read(start + 32 * word);
                        let value = self.notes.node(value).map_or(Word::Unknown, Word::Node);
                        self.notes.returned(word as u8, value);
                    }
                }
                return Some(Flow::Success);
            }
            op::REVERT | op::INVALID => return Some(Flow::Failure),
            op::CALL | op::CALLCODE | op::DELEGATECALL | op::STATICCALL => self.call(path, opcode)?,
            op::SLOAD | op::SSTORE | op::BALANCE | op::SELFBALANCE | op::EXTCODESIZE | op::EXTCODEHASH => {
                self.state(path, opcode)?;
            }
            op::MLOAD..=op::MSTORE8
            | op::MCOPY
            | op::CALLDATACOPY
            | op::CODECOPY
            | op::RETURNDATACOPY
            | op::KECCAK256 => {
                self.memory(path, opcode)?;
            }
            _ => self.compute(path, opcode)?,
        }
        path.pc += 1;
        Some(Flow::Next)
    }

    fn destination(&self, target: Word) -> Option<usize> {
        let target = target.offset()? as usize;
        (self.code.get(target) == Some(&op::JUMPDEST)).then_some(target)
    }

    /// What only changes the stack.
    fn compute(&mut self, path: &mut Path, opcode: u8) -> Option<()> {
        let stack = &mut path.stack;
        let nodes = &mut self.notes.nodes;
        let two = |stack: &mut Vec<Word>| Some((stack.pop()?, stack.pop()?));
        let fold = |left: Word, right: Word, fold: fn(U256, U256) -> U256| match (left.value(), right.value()) {
            (Some(left), Some(right)) => Word::known(fold(left, right)),
            _ => Word::Unknown,
        };
        let result = match opcode {
            op::ADD => two(stack).map(|(left, right)| nodes.add(left, right))?,
            op::SUB => two(stack).map(|(left, right)| nodes.sub(left, right))?,
            op::AND => {
                let (left, right) = two(stack)?;
                match (left, right) {
                    (Word::InputHead, Word::Known { word, .. }) | (Word::Known { word, .. }, Word::InputHead)
                        if word == U256::from(u32::MAX) << 224 =>
                    {
                        let selector = self.selector.map(|selector| U256::from_be_slice(&selector) << 224);
                        selector.map_or(Word::Unknown, Word::known)
                    }
                    _ => nodes.and(left, right),
                }
            }
            op::OR => match two(stack)? {
                (Word::Known { word, .. }, other) | (other, Word::Known { word, .. }) if word.is_zero() => other,
                (Word::Known { word, .. }, Word::Tail(start)) | (Word::Tail(start), Word::Known { word, .. })
                    if word << 32 == U256::ZERO =>
                {
                    let head: U256 = word >> 224;
                    Word::Headed(start, head.to::<u32>())
                }
                (left, right) => fold(left, right, |left, right| left | right),
            },
            op::XOR => two(stack).map(|(left, right)| fold(left, right, |left, right| left ^ right))?,
            op::NOT => match stack.pop()? {
                Word::Known { word, .. } => Word::known(!word),
                _ => Word::Unknown,
            },
            op::MUL => match two(stack)? {
                (Word::Known { word, .. }, other) | (other, Word::Known { word, .. }) if word == U256::ONE => other,
                (Word::Known { word, .. }, _) | (_, Word::Known { word, .. }) if word.is_zero() => Word::ZERO,
                (Word::Known { word, .. }, Word::Node(node)) | (Word::Node(node), Word::Known { word, .. })
                    if word.is_power_of_two() =>
                {
                    Nodes::shift_left(Word::Node(node), word.trailing_zeros())
                }
                (left, right) => fold(left, right, U256::wrapping_mul),
            },
            op::DIV => match two(stack)? {
                (Word::Known { word: left, .. }, Word::Known { word: right, .. }) => {
                    Word::known(left.checked_div(right).unwrap_or_default())
                }
                (left, Word::Known { word, .. }) if word.is_power_of_two() => {
                    nodes.shift_right(left, word.trailing_zeros(), self.selector)
                }
                _ => Word::Unknown,
            },
            op::MOD => two(stack)
                .map(|(left, right)| fold(left, right, |left, right| left.checked_rem(right).unwrap_or_default()))?,
            op::EXP => two(stack).map(|(left, right)| fold(left, right, U256::wrapping_pow))?,
            op::SHR => {
                let (shift, word) = two(stack)?;
                shift
                    .value()
                    .map_or(Word::Unknown, |shift| nodes.shift_right(word, shift.saturating_to(), self.selector))
            }
            op::SHL => {
                let (shift, word) = two(stack)?;
                shift.value().map_or(Word::Unknown, |shift| Nodes::shift_left(word, shift.saturating_to()))
            }
            op::EQ => two(stack).map(|(left, right)| Nodes::equal(left, right))?,
            op::ISZERO => {
                let word = stack.pop()?;
                if word == Word::InputSize && self.selector.is_none() { Word::flag(true) } else { nodes.is_zero(word) }
            }
            op::LT | op::GT => {
                let (left, right) = two(stack)?;
                let (less, more) = if opcode == op::LT { (left, right) } else { (right, left) };
                self.less(less, more)
            }
            op::SLT | op::SGT => {
                let (left, right) = two(stack)?;
                let (less, more) = if opcode == op::SLT { (left, right) } else { (right, left) };
                match (less.value(), more.value()) {
                    (Some(less), Some(more)) => {
                        let order = |word: U256| word ^ (U256::ONE << 255);
                        Word::flag(order(less) < order(more))
                    }
                    _ => Word::Unknown,
                }
            }
            op::CALLDATALOAD => {
                let offset = stack.pop()?;
                self.input_word(offset)
            }
            op::CALLDATASIZE => {
                if self.selector.is_some() {
                    Word::InputSize
                } else {
                    Word::ZERO
                }
            }
            op::CALLER => nodes.word(Node::Caller),
            op::ORIGIN => nodes.word(Node::Origin),
            op::ADDRESS => nodes.word(Node::This),
            op::CALLVALUE => nodes.word(Node::CallValue),
            op::NUMBER => nodes.word(Node::Number),
            op::TIMESTAMP => nodes.word(Node::Timestamp),
            op::COINBASE => nodes.word(Node::Beneficiary),
            op::PC => Word::number(path.pc as u64),
            op::CODESIZE => Word::number(self.code.len() as u64),
            op::RETURNDATASIZE => Word::number(path.returned),
            op::CHAINID => Word::number(1),
            op::EXTCODECOPY => {
                for _ in 0..4 {
                    stack.pop()?;
                }
                return Some(());
            }
            other => {
                let info = op::OPCODE_INFO.get(other as usize).copied().flatten()?;
                for _ in 0..info.inputs() {
                    stack.pop()?;
                }
                (0..info.outputs()).for_each(|_| stack.push(Word::Unknown));
                return Some(());
            }
        };
        path.stack.push(result);
        Some(())
    }

    fn less(&self, less: Word, more: Word) -> Word {
        match (less, more) {
            (Word::Known { word: less, .. }, Word::Known { word: more, .. }) => Word::flag(less < more),
            // The input of a function is longer than its selector and seldom too short.
            (Word::InputSize, Word::Known { word, .. }) if word <= U256::from(4) => Word::flag(false),
            (Word::InputSize, Word::Known { .. }) => Word::Unlikely,
            (Word::Known { word, .. }, Word::InputSize) if word < U256::from(4) => Word::flag(true),
            _ => Word::Unknown,
        }
    }

    /// A word of the input.
    fn input_word(&mut self, offset: Word) -> Word {
        let Some(_) = self.selector else { return Word::ZERO };
        let nodes = &mut self.notes.nodes;
        match offset {
            Word::Known { word, .. } if word.is_zero() => Word::InputHead,
            Word::Known { .. } => match offset.offset() {
                Some(offset @ 4..) => nodes.word(Node::Word { offset: offset as u32 }),
                _ => Word::Unknown,
            },
            Word::Node(node) => match dynamic(nodes, node) {
                Some((head, delta)) => nodes.word(Node::Dynamic { head, delta }),
                None => Word::Unknown,
            },
            _ => Word::Unknown,
        }
    }

    /// Slots and accounts.
    fn state(&mut self, path: &mut Path, opcode: u8) -> Option<()> {
        let mut note = |entry: Option<u16>| {
            entry.into_iter().for_each(|entry| {
                path.reached.insert(entry, 1.0);
            });
        };
        match opcode {
            op::SELFBALANCE => {
                let this = self.notes.nodes.word(Node::This);
                note(self.notes.account(this, AccountFields::BALANCE));
                path.stack.push(Word::Unknown);
            }
            op::BALANCE | op::EXTCODESIZE | op::EXTCODEHASH => {
                let account = path.stack.pop()?;
                let fields = if opcode == op::BALANCE { AccountFields::BALANCE } else { AccountFields::CODE };
                note(self.notes.account(account, fields));
                path.stack.push(Word::Unknown);
            }
            op::SLOAD => {
                let slot = path.stack.pop()?;
                let Some(slot) = self.slot(slot) else {
                    path.stack.push(Word::Unknown);
                    return Some(());
                };
                note(self.notes.slot(slot, false));
                let stored = path.stored.iter().rev().find(|(seen, _)| *seen == slot).map(|(_, word)| *word);
                let this = self.notes.nodes.intern(Node::This)?;
                path.stack.push(stored.unwrap_or_else(|| self.notes.nodes.word(Node::Load { address: this, slot })));
            }
            _ => {
                let (slot, value) = (path.stack.pop()?, path.stack.pop()?);
                if let Some(slot) = self.slot(slot) {
                    note(self.notes.slot(slot, true));
                    path.stored.push((slot, value));
                }
            }
        }
        Some(())
    }

    fn slot(&mut self, slot: Word) -> Option<NodeIndex> {
        match slot {
            Word::Known { word, .. } => self.notes.nodes.intern(Node::Constant(word)),
            Word::Node(node) => Some(node),
            _ => None,
        }
    }

    fn memory(&mut self, path: &mut Path, opcode: u8) -> Option<()> {
        let Path { stack, memory, far, .. } = path;
        let place = |word: Word| word.offset();
        match opcode {
            op::MLOAD => {
                let word = place(stack.pop()?).map_or(Word::Unknown, |start| memory.read(start));
                stack.push(word);
            }
            op::MSTORE => {
                let (start, word) = (place(stack.pop()?), stack.pop()?);
                match start {
                    // Where free memory begins: a place is invented when it is not known.
                    Some(0x40) if word.offset().is_none() => {
                        *far += FAR_STEP;
                        memory.write(0x40, Word::number(FAR + *far));
                    }
                    Some(start) => memory.write(start, word),
                    None => {}
                }
            }
            op::MSTORE8 => {
                let (start, word) = (place(stack.pop()?), stack.pop()?);
                if let Some(start) = start {
                    memory.write_byte(start, word);
                }
            }
            op::MSIZE => stack.push(Word::Unknown),
            op::MCOPY => {
                let (to, from, width) = (place(stack.pop()?), place(stack.pop()?), place(stack.pop()?));
                if let (Some(to), Some(from), Some(width)) = (to, from, width) {
                    memory.copy(to, from, width);
                }
            }
            op::KECCAK256 => {
                let (start, width) = (place(stack.pop()?), place(stack.pop()?));
                let hash = match (start, width) {
                    (Some(start), Some(width)) => self.notes.hash(memory, start, width),
                    _ => Word::Unknown,
                };
                path.stack.push(hash);
            }
            op::CODECOPY => {
                let (to, from, width) = (place(stack.pop()?), place(stack.pop()?), place(stack.pop()?));
                if let (Some(to), Some(from), Some(width)) = (to, from, width) {
                    for step in 0..width.min(1024).div_ceil(32) {
                        let mut bytes = [0; 32];
                        let from = (from + 32 * step) as usize;
                        let source = self.code.get(from..).unwrap_or_default();
                        let count = source.len().min(32);
                        bytes[..count].copy_from_slice(&source[..count]);
                        memory.write(to + 32 * step, Word::known(U256::from_be_bytes(bytes)));
                    }
                }
            }
            op::RETURNDATACOPY => {
                let (to, from, width) = (place(stack.pop()?), place(stack.pop()?), place(stack.pop()?));
                if let (Some(to), Some(from), Some(width)) = (to, from, width) {
                    self.write_returned(path, to, from, width);
                }
            }
            op::CALLDATACOPY => {
                let (to, from, width) = (place(stack.pop()?), stack.pop()?, stack.pop()?);
                if let Some(to) = to {
                    self.copy_input(memory_of(path), to, from, width);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn copy_input(&mut self, memory: &mut Memory, to: u64, from: Word, width: Word) {
        if width == Word::InputSize && from == Word::ZERO {
            memory.whole_input = Some(to);
            return;
        }
        let words = width.offset().map_or(COPIED_WORDS, |width| width.div_ceil(32).min(64));
        for step in 0..words {
            let offset = self.notes.nodes.add(from, Word::number(32 * step));
            let word = self.input_word(offset);
            let word = if word == Word::InputHead { Word::Unknown } else { word };
            memory.write(to + 32 * step, word);
        }
    }

    /// What the last call returned.
    fn write_returned(&mut self, path: &mut Path, to: u64, from: u64, width: u64) {
        match path.last_call {
            Some(call) if from.is_multiple_of(32) => {
                for step in 0..(width / 32).min(4) {
                    let word = self.notes.nodes.word(Node::Returned { call, word: (from / 32 + step) as u8 });
                    path.memory.write(to + 32 * step, word);
                }
            }
            _ => path.memory.forget(to, width),
        }
    }

    fn call(&mut self, path: &mut Path, opcode: u8) -> Option<()> {
        let _gas = path.stack.pop()?;
        let target = path.stack.pop()?;
        let has_value = opcode == op::CALL || opcode == op::CALLCODE;
        let value = if has_value { path.stack.pop()? } else { Word::ZERO };
        let (start, length) = (path.stack.pop()?.offset(), path.stack.pop()?);
        let (out, out_length) = (path.stack.pop()?.offset(), path.stack.pop()?.offset().unwrap_or(0));
        let is_delegate = opcode == op::DELEGATECALL || opcode == op::CALLCODE;
        let kind = if is_delegate { CallKind::Delegate } else { CallKind::Call };
        let is_precompile = target.value().is_some_and(|target| target.bit_len() <= 16);
        if value != Word::ZERO {
            let this = self.notes.nodes.word(Node::This);
            for entry in
                [self.notes.account(this, AccountFields::FUNDS), self.notes.account(target, AccountFields::CREDIT)]
                    .into_iter()
                    .flatten()
            {
                path.reached.insert(entry, 1.0);
            }
        }
        path.last_call = None;
        if let (Some(start), false) = (start, is_precompile) {
            let length = if length == Word::InputSize { None } else { length.offset() };
            let input = self.notes.input(&path.memory, start, length);
            if let Some((call, entry)) = self.notes.call(kind, target, value, input) {
                path.reached.insert(entry, 1.0);
                path.last_call = Some(call);
            }
        }
        path.returned = if is_delegate && out_length == 0 { 128 } else { out_length.max(32) };
        if let Some(out) = out
            && out_length > 0
        {
            self.write_returned(path, out, 0, out_length);
        }
        path.stack.push(Word::number(1));
        Some(())
    }
}

/// The head and the distance from what it points to, of an offset into the input that was made from an ABI offset.
fn dynamic(nodes: &Nodes, node: NodeIndex) -> Option<(u32, u32)> {
    let Node::Add { word, offset } = nodes.list[node as usize] else { return None };
    let Node::Word { offset: head } = nodes.list[word as usize] else { return None };
    Some((head, u32::try_from(offset.checked_sub(4)?).ok()?))
}

const fn memory_of(path: &mut Path) -> &mut Memory {
    &mut path.memory
}
