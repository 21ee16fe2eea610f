//! Writing a path: follows what the tree has already, and adds what is new.
//!
//! The recorder says the same things in the same order for all transactions that go the same way, so as long as a recording follows the tree, each
//! operation it emits must be the next one there. At the first guard that goes elsewhere the builder begins to append. Operations that compute
//! something known are left out: all that is decided here depends only on what was emitted before, never on values, or the ways
//! would not share their beginnings.

use super::{
    compute::{SELECT, compute, operands},
    ops::{Entry, Given, Kind, NOWHERE, Op, Piece, PrecompileSite, Reg, Site, Span},
    shadow::Cell,
    tree::Tree,
};
use alloy_primitives::{B256, U256, map::HashMap};
use revm::bytecode::opcode as op;

/// Operations of a tree.
const MAX_OPS: usize = 24_000;

/// A path under construction.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) tree: Tree,
    /// The next operation, as long as the path follows the tree.
    at: usize,
    appends: bool,
    /// Values of the recorded transaction, by register.
    values: Vec<U256>,
    /// How many low bits of a register can be set.
    widths: Vec<u16>,
    /// Which registers are constants.
    constant: Vec<bool>,
    computed: HashMap<(u8, [Reg; 3]), Reg>,
    given: Vec<(Given, Reg)>,
    inputs: HashMap<u32, Reg>,
    /// By frame, and offset in its code.
    immutables: HashMap<(u32, u32), Reg>,
    joined: HashMap<Vec<Piece>, Reg>,
    hashed: HashMap<Vec<Piece>, Reg>,
    /// What a register was put together from.
    parts: HashMap<Reg, Vec<Piece>>,
    /// What a register is the opposite of (ISZERO).
    negated: HashMap<Reg, Reg>,
    charge: u64,
    /// The path cannot be replayed, or the tree would become too large.
    pub(super) failed: bool,
}

impl Builder {
    pub(super) fn new(tree: Tree) -> Self {
        let values = tree.register_file().to_vec();
        let mut widths = vec![256; values.len()];
        let mut constant = vec![false; values.len()];
        for (value, register) in &tree.constants {
            widths[*register as usize] = value.bit_len() as u16;
            constant[*register as usize] = true;
        }
        Self {
            appends: tree.ops.is_empty(),
            tree,
            at: 0,
            values,
            widths,
            constant,
            computed: HashMap::default(),
            given: Vec::new(),
            inputs: HashMap::default(),
            immutables: HashMap::default(),
            joined: HashMap::default(),
            hashed: HashMap::default(),
            parts: HashMap::default(),
            negated: HashMap::default(),
            charge: 0,
            failed: false,
        }
    }

    pub(super) fn value(&self, register: Reg) -> U256 {
        self.values[register as usize]
    }

    fn is_constant(&self, register: Reg) -> bool {
        self.constant[register as usize]
    }

    /// The register's value, if that is the same on every way.
    pub(super) fn known(&self, register: Reg) -> Option<U256> {
        self.is_constant(register).then(|| self.value(register))
    }

    pub(super) fn constant(&mut self, value: U256) -> Reg {
        if let Some(register) = self.tree.constants.get(&value) {
            return *register;
        }
        let register = self.new_register();
        self.tree.constants.insert(value, register);
        self.constant[register as usize] = true;
        self.set(register, value, value.bit_len() as u16);
        register
    }

    fn new_register(&mut self) -> Reg {
        let register = self.tree.registers;
        self.tree.registers += 1;
        self.values.push(U256::ZERO);
        self.widths.push(256);
        self.constant.push(false);
        register
    }

    fn set(&mut self, register: Reg, value: U256, width: u16) {
        self.values[register as usize] = value;
        self.widths[register as usize] = width.min(256);
    }

    /// Emits an operation without a result.
    fn emit(&mut self, op: Op) {
        if self.failed {
            return;
        }
        if self.appends {
            self.failed |= self.tree.ops.len() >= MAX_OPS;
            self.tree.ops.push(op);
        } else if self.tree.ops.get(self.at) == Some(&op) {
            self.at += 1;
        } else {
            // The recordings disagree about something that no guard has caught.
            self.failed = true;
        }
    }

    /// The next operation of the way that is followed.
    fn next(&self) -> Option<Op> {
        if self.appends || self.failed { None } else { self.tree.ops.get(self.at).copied() }
    }

    /// Emits an operation with a result: `op` makes it for a register, `same` tells whether the tree's next one is the same and into which
    /// register that goes.
    fn emit_into(&mut self, same: impl Fn(&Op) -> Option<Reg>, op: impl FnOnce(Reg) -> Op) -> Reg {
        if self.appends {
            let register = self.new_register();
            self.emit(op(register));
            return register;
        }
        match self.next().as_ref().and_then(same) {
            Some(register) => {
                self.at += 1;
                register
            }
            None => {
                self.failed = true;
                0
            }
        }
    }

    /// Counts gas that depends on nothing.
    pub(super) const fn spend(&mut self, gas: u64) {
        self.charge += gas;
    }

    /// Charges the gas counted so far: somebody is about to look at what is left.
    pub(super) fn settle(&mut self) {
        let charge = std::mem::take(&mut self.charge);
        if charge > 0 {
            self.emit(Op::Charge(charge));
        }
    }

    pub(super) fn given(&mut self, what: Given, value: U256) -> Reg {
        if let Some((_, register)) = self.given.iter().find(|(known, _)| *known == what) {
            return *register;
        }
        let register = self.emit_into(
            |op| match op {
                Op::Given { dst, what: known } if *known == what => Some(*dst),
                _ => None,
            },
            |dst| Op::Given { dst, what },
        );
        let width = match what {
            Given::Sender | Given::Recipient | Given::Beneficiary => 160,
            Given::GasPrice | Given::BlobBaseFee => 128,
            Given::ChainId | Given::GasLimit | Given::BaseFee => 64,
            Given::Value | Given::Number | Given::Timestamp | Given::Random => 256,
        };
        self.set(register, value, width);
        self.given.push((what, register));
        register
    }

    pub(super) fn input(&mut self, offset: u32, value: U256) -> Reg {
        if let Some(register) = self.inputs.get(&offset) {
            return *register;
        }
        let register = self.emit_into(
            |op| match op {
                Op::Input { dst, offset: known } if *known == offset => Some(*dst),
                _ => None,
            },
            |dst| Op::Input { dst, offset },
        );
        self.set(register, value, 256);
        self.inputs.insert(offset, register);
        register
    }

    /// An immutable of the running code. Frames are counted along the way.
    pub(super) fn immutable(&mut self, frame: u32, offset: u32, value: U256) -> Reg {
        if let Some(register) = self.immutables.get(&(frame, offset)) {
            return *register;
        }
        let register = self.emit_into(
            |op| match op {
                Op::Immutable { dst, offset: known } if *known == offset => Some(*dst),
                _ => None,
            },
            |dst| Op::Immutable { dst, offset },
        );
        // What begins with a zero byte, or is an address.
        self.set(register, value, 248);
        self.immutables.insert((frame, offset), register);
        register
    }

    /// An instruction that depends on its operands alone.
    pub(super) fn compute(&mut self, code: u8, args: [Reg; 3]) -> Reg {
        let count = if code == SELECT { 3 } else { operands(code).unwrap_or(0) };
        let [a, b, c] = args.map(|register| self.value(register));
        let value = compute(code, &a, &b, &c);
        if args[..count].iter().all(|register| self.is_constant(*register)) {
            return self.constant(value);
        }
        if let Some(known) = self.simplify(code, args) {
            return known;
        }
        let key = (code, args);
        if let Some(register) = self.computed.get(&key) {
            return *register;
        }
        let register = self.emit_into(
            |op| match op {
                Op::Compute { code: known, dst, args: with } if (*known, *with) == key => Some(*dst),
                _ => None,
            },
            |dst| Op::Compute { code, dst, args },
        );
        let width = self.width_of(code, args);
        self.set(register, value, width);
        if code == op::ISZERO {
            self.negated.insert(register, args[0]);
        }
        self.computed.insert(key, register);
        register
    }

    /// One of two values: the first if the register is not zero.
    pub(super) fn select(&mut self, on: Reg, [if_not_zero, if_zero]: [Reg; 2]) -> Reg {
        if if_not_zero == if_zero {
            return if_zero;
        }
        match self.negated.get(&on) {
            Some(inner) => self.select(*inner, [if_zero, if_not_zero]),
            None => self.compute(SELECT, [on, if_not_zero, if_zero]),
        }
    }

    /// Counts gas of the two sides of a branch.
    pub(super) fn spend_either(&mut self, on: Reg, [if_not_zero, if_zero]: [u64; 2]) {
        if let Some(inner) = self.negated.get(&on) {
            return self.spend_either(*inner, [if_zero, if_not_zero]);
        }
        let both = if_not_zero.min(if_zero);
        self.spend(both);
        let gas = if_not_zero.max(if_zero) - both;
        if gas > 0 {
            self.emit(Op::ChargeIf { on, zero: if_zero > both, gas });
        }
    }

    fn width(&self, register: Reg) -> u16 {
        self.widths[register as usize]
    }

    fn width_of(&self, code: u8, [a, b, c]: [Reg; 3]) -> u16 {
        let (left, right) = (self.width(a), self.width(b));
        let constant = |register| self.is_constant(register).then(|| self.value(register).saturating_to::<u16>());
        match code {
            op::ISZERO | op::LT | op::GT | op::SLT | op::SGT | op::EQ => 1,
            op::AND => left.min(right),
            op::OR | op::XOR => left.max(right),
            op::ADD => left.max(right) + 1,
            op::MUL => left + right,
            op::DIV => left,
            op::MOD => right,
            op::BYTE => 8,
            op::CLZ => 9,
            op::SHR => constant(a).map_or(right, |shift| right.saturating_sub(shift)),
            op::SHL => constant(a).map_or(256, |shift| right.saturating_add(shift)),
            SELECT => right.max(self.width(c)),
            _ => 256,
        }
    }

    /// The register that holds the result already, if there is one.
    fn simplify(&mut self, code: u8, [a, b, c]: [Reg; 3]) -> Option<Reg> {
        let constant = |register: Reg| self.is_constant(register).then(|| self.value(register));
        let (left, right) = (constant(a), constant(b));
        match code {
            op::ADD | op::OR | op::XOR if left == Some(U256::ZERO) => Some(b),
            op::ADD | op::OR | op::XOR | op::SUB if right == Some(U256::ZERO) => Some(a),
            op::MUL if left == Some(U256::ONE) => Some(b),
            op::MUL | op::DIV if right == Some(U256::ONE) => Some(a),
            op::MUL | op::AND if left == Some(U256::ZERO) || right == Some(U256::ZERO) => {
                Some(self.constant(U256::ZERO))
            }
            op::AND if a == b => Some(a),
            op::AND => {
                let keeps = |mask: U256, width: u16| mask.trailing_ones() >= usize::from(width);
                match (left, right) {
                    (Some(mask), _) if keeps(mask, self.width(b)) => Some(b),
                    (_, Some(mask)) if keeps(mask, self.width(a)) => Some(a),
                    _ => None,
                }
            }
            op::ISZERO => {
                // Not not a flag is the flag.
                let inner = *self.negated.get(&a)?;
                (self.width(inner) <= 1).then_some(inner)
            }
            // Sides that know a flag make it anew.
            SELECT if right == Some(U256::ONE) && self.known(c) == Some(U256::ZERO) && self.width(a) <= 1 => Some(a),
            SELECT if right == Some(U256::ZERO) && self.known(c) == Some(U256::ONE) => {
                Some(self.compute(op::ISZERO, [a, a, a]))
            }
            op::EQ if a == b => Some(self.constant(U256::ONE)),
            op::EQ if left == Some(U256::ZERO) => Some(self.compute(op::ISZERO, [b, b, b])),
            op::EQ if right == Some(U256::ZERO) => Some(self.compute(op::ISZERO, [a, a, a])),
            op::SUB | op::LT | op::GT | op::XOR if a == b => Some(self.constant(U256::ZERO)),
            op::GT if right.is_some_and(|most| most.bit_len() >= usize::from(self.width(a)) && is_mask(most)) => {
                Some(self.constant(U256::ZERO))
            }
            op::LT if left.is_some_and(|most| most.bit_len() >= usize::from(self.width(b)) && is_mask(most)) => {
                Some(self.constant(U256::ZERO))
            }
            op::SHL | op::SHR | op::SAR if left == Some(U256::ZERO) => Some(b),
            op::SHR => {
                let shift = left?.saturating_to::<usize>();
                (shift % 8 == 0 && shift < 256).then(|| self.shift_bytes(b, shift / 8))?
            }
            op::DIV => {
                let by = right?;
                let shift = by.trailing_zeros();
                (by.is_power_of_two() && shift % 8 == 0).then(|| self.shift_bytes(a, shift / 8))?
            }
            op::SIGNEXTEND => {
                let size = left?.saturating_to::<u16>();
                (size >= 31 || self.width(b) < 8 * size + 8).then_some(b)
            }
            _ => None,
        }
    }

    /// A register that was put together from pieces, moved right by whole bytes: only if that makes it a constant, as with selectors.
    fn shift_bytes(&mut self, register: Reg, bytes: usize) -> Option<Reg> {
        let parts = self.parts.get(&register)?;
        let mut left = 32 - bytes;
        for part in parts {
            if left > 0 && !self.is_constant(part.reg) {
                return None;
            }
            left = left.saturating_sub(usize::from(part.len));
        }
        let value: U256 = self.value(register) >> (8 * bytes);
        Some(self.constant(value))
    }

    /// Memory cells as pieces; neighbours from one register become one piece.
    fn pieces(&mut self, cells: &[Cell]) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = cells;
        while let Some(cell) = rest.first() {
            let taken = match cell {
                Cell::Byte(_) => {
                    let mut word = [0; 32];
                    let mut len = 0;
                    for (byte, cell) in word.iter_mut().zip(rest) {
                        let Cell::Byte(value) = cell else { break };
                        *byte = *value;
                        len += 1;
                    }
                    let reg = self.constant(U256::from_be_bytes(word));
                    pieces.push(Piece { reg, from: 0, len });
                    usize::from(len)
                }
                Cell::Of(reg, from) => {
                    let (reg, from) = (*reg, *from);
                    let follows = |(place, cell): &(usize, &Cell)| matches!(cell, Cell::Of(other, byte) if *other == reg && usize::from(*byte) == usize::from(from) + place);
                    let len = rest.iter().enumerate().take_while(follows).count().min(32);
                    pieces.push(Piece { reg, from, len: len as u8 });
                    len
                }
            };
            rest = &rest[taken..];
        }
        pieces
    }

    fn span(&mut self, pieces: &[Piece]) -> Span {
        let start = self.tree.pieces.len() as u32;
        self.tree.pieces.extend_from_slice(pieces);
        Span { start, end: self.tree.pieces.len() as u32 }
    }

    /// Whether the tree has these pieces at `span`.
    fn has(&self, span: Span, pieces: &[Piece]) -> bool {
        self.tree.pieces_of(span) == pieces
    }

    /// The bytes that the cells hold in the recorded transaction.
    pub(super) fn bytes(&self, cells: &[Cell]) -> Vec<u8> {
        cells
            .iter()
            .map(|cell| match cell {
                Cell::Byte(byte) => *byte,
                Cell::Of(register, from) => self.value(*register).byte(31 - usize::from(*from)),
            })
            .collect()
    }

    /// Thirty-two cells as a word.
    pub(super) fn word(&mut self, cells: &[Cell]) -> Reg {
        let value = U256::from_be_slice(&self.bytes(cells));
        let pieces = self.pieces(cells);
        match pieces[..] {
            [Piece { reg, from: 0, len: 32 }] => return reg,
            [Piece { reg: zeros, len: skipped, .. }, Piece { reg, from, len }]
                if skipped == from
                    && skipped + len == 32
                    && self.value(zeros).is_zero()
                    && self.is_constant(zeros)
                    && self.width(reg) <= 8 * u16::from(len) =>
            {
                return reg;
            }
            _ => {}
        }
        if pieces.iter().all(|piece| self.is_constant(piece.reg)) {
            return self.constant(value);
        }
        if let Some(register) = self.joined.get(&pieces) {
            return *register;
        }
        let width = match pieces[0] {
            Piece { reg, from: 0, len } if self.is_constant(reg) && self.value(reg).is_zero() => {
                256 - 8 * u16::from(len)
            }
            _ => 256,
        };
        let register = if self.appends {
            let bytes = self.span(&pieces);
            self.emit_into(|_| None, |dst| Op::Join { dst, bytes })
        } else {
            let found = match self.next() {
                Some(Op::Join { dst, bytes }) if self.has(bytes, &pieces) => Some(dst),
                _ => None,
            };
            self.emit_into(|_| found, |dst| Op::Join { dst, bytes: Span::default() })
        };
        self.set(register, value, width);
        self.parts.insert(register, pieces.clone());
        self.joined.insert(pieces, register);
        register
    }

    /// Keccak-256 of the cells; `value` is what it was.
    pub(super) fn hash(&mut self, cells: &[Cell], value: U256) -> Reg {
        let pieces = self.pieces(cells);
        if pieces.iter().all(|piece| self.is_constant(piece.reg)) {
            return self.constant(value);
        }
        if let Some(register) = self.hashed.get(&pieces) {
            return *register;
        }
        let register = if self.appends {
            let bytes = self.span(&pieces);
            self.emit_into(|_| None, |dst| Op::Hash { dst, bytes })
        } else {
            let found = match self.next() {
                Some(Op::Hash { dst, bytes }) if self.has(bytes, &pieces) => Some(dst),
                _ => None,
            };
            self.emit_into(|_| found, |dst| Op::Hash { dst, bytes: Span::default() })
        };
        self.set(register, value, 256);
        self.hashed.insert(pieces, register);
        register
    }

    /// An operation that reads something else than registers. `value` is what it found.
    pub(super) fn read(&mut self, op: impl Fn(Reg) -> Op, value: U256) -> Reg {
        let same = |next: &Op| {
            let dst = match next {
                Op::GasLeft { dst }
                | Op::LoadSlot { dst, .. }
                | Op::LoadTransient { dst, .. }
                | Op::Balance { dst, .. }
                | Op::OwnBalance { dst }
                | Op::CodeHash { dst, .. } => *dst,
                _ => return None,
            };
            (op(dst) == *next).then_some(dst)
        };
        let register = self.emit_into(same, &op);
        self.set(register, value, 256);
        register
    }

    /// An operation that changes something.
    pub(super) fn act(&mut self, op: Op) {
        self.emit(op);
    }

    pub(super) fn log(&mut self, topics: [Reg; 4], count: u8, cells: &[Cell]) {
        let pieces = self.pieces(cells);
        if self.appends {
            let data = self.span(&pieces);
            let entry = self.tree.entries.len() as u32;
            self.tree.entries.push(Entry { topics, count, data });
            self.emit(Op::Log(entry));
            return;
        }
        match self.next() {
            Some(Op::Log(entry)) => {
                let entry = self.tree.entries[entry as usize];
                self.failed |= (entry.topics, entry.count) != (topics, count) || !self.has(entry.data, &pieces);
                self.at += 1;
            }
            _ => self.failed = true,
        }
    }

    pub(super) fn call(&mut self, site: Site) {
        if self.appends {
            let at = self.tree.sites.len() as u32;
            self.tree.sites.push(site);
            self.emit(Op::Call(at));
            return;
        }
        match self.next() {
            Some(Op::Call(at)) if self.tree.sites[at as usize] == site => self.at += 1,
            _ => self.failed = true,
        }
    }

    /// A call of a precompile that returned `output`. Gives the output's cells.
    pub(super) fn precompile(&mut self, kind: Kind, to: Reg, gas: Reg, input: &[Cell], output: &[u8]) -> Vec<Cell> {
        let pieces = self.pieces(input);
        let words = output.len().div_ceil(32) as u32;
        let dst = if self.appends {
            let dst = self.tree.registers;
            for _ in 0..words {
                self.new_register();
            }
            let site = PrecompileSite { kind, to, gas, input: self.span(&pieces), output: output.len() as u32, dst };
            let at = self.tree.precompiles.len() as u32;
            self.tree.precompiles.push(site);
            self.emit(Op::Precompile(at));
            dst
        } else {
            let known = match self.next() {
                Some(Op::Precompile(at)) => Some(self.tree.precompiles[at as usize]),
                _ => None,
            };
            let same = known.filter(|known| {
                (known.kind, known.to, known.gas, known.output) == (kind, to, gas, output.len() as u32)
                    && self.has(known.input, &pieces)
            });
            match same {
                Some(known) => {
                    self.at += 1;
                    known.dst
                }
                None => {
                    self.failed = true;
                    return vec![Cell::Byte(0); output.len()];
                }
            }
        };
        for (word, bytes) in output.chunks(32).enumerate() {
            let mut padded = [0; 32];
            padded[..bytes.len()].copy_from_slice(bytes);
            self.set(dst + word as u32, U256::from_be_bytes(padded), 256);
        }
        (0..output.len()).map(|at| Cell::Of(dst + (at / 32) as u32, (at % 32) as u8)).collect()
    }

    /// The value must be zero, or must not, as it was.
    pub(super) fn guard_zero(&mut self, register: Reg) {
        if let Some(inner) = self.negated.get(&register) {
            return self.guard_zero(*inner);
        }
        if self.is_constant(register) {
            return;
        }
        let on = register;
        let zero = self.value(register).is_zero();
        if self.appends {
            let op = if zero { Op::IfZero { on, other: NOWHERE } } else { Op::IfNotZero { on, other: NOWHERE } };
            return self.emit(op);
        }
        let (holds, other) = match self.next() {
            Some(Op::IfZero { on: known, other }) if known == on => (zero, other),
            Some(Op::IfNotZero { on: known, other }) if known == on => (!zero, other),
            _ => {
                self.failed = true;
                return;
            }
        };
        if holds {
            self.at += 1;
        } else {
            // The other way needs no guard of its own.
            self.part(other);
        }
    }

    /// The value must be what it was. Gives it as a number, if it is one that can be a place in memory.
    pub(super) fn fix(&mut self, register: Reg) -> U256 {
        let value = self.value(register);
        if self.is_constant(register) {
            return value;
        }
        let to = self.constant(value);
        self.guard(Op::IfEqual { on: register, to, other: NOWHERE }, |op| match op {
            Op::IfEqual { on, to: known, other } if on == register => Some((known == to, other)),
            _ => None,
        });
        value
    }

    /// The code of the account called or looked at last must have this model.
    pub(super) fn guard_code(&mut self, model: B256) {
        let code = match self.tree.codes.iter().position(|known| *known == model) {
            Some(at) => at,
            None => {
                self.tree.codes.push(model);
                self.tree.codes.len() - 1
            }
        } as u32;
        self.guard(Op::IfCode { code, other: NOWHERE }, |op| match op {
            Op::IfCode { code: known, other } => Some((known == code, other)),
            _ => None,
        });
    }

    fn guard(&mut self, own: Op, holds: impl Fn(Op) -> Option<(bool, u32)>) {
        loop {
            if self.appends || self.failed {
                return self.emit(own);
            }
            match self.next().and_then(&holds) {
                Some((true, _)) => {
                    self.at += 1;
                    return;
                }
                Some((false, other)) => self.part(other),
                None => self.failed = true,
            }
        }
    }

    /// Goes on where the guard's other way is, or begins one.
    fn part(&mut self, other: u32) {
        if other == NOWHERE {
            let end = self.tree.ops.len() as u32;
            *self.tree.other_way(self.at) = end;
            self.appends = true;
        } else {
            self.at = other as usize;
        }
    }

    /// The end of the transaction. Tells whether the tree has a new way.
    pub(super) fn done(&mut self, success: bool, is_stop: bool, output: &[Cell]) -> bool {
        let pieces = self.pieces(output);
        if !self.appends || self.failed {
            return false;
        }
        let output = self.span(&pieces);
        self.emit(Op::Done { success, is_stop, output });
        self.tree.ways += 1;
        !self.failed
    }
}

/// Whether the number is one less than a power of two.
fn is_mask(number: U256) -> bool {
    number.trailing_ones() == number.bit_len()
}
