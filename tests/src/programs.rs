//! Random programs: code that uses every instruction which a path can hold, and some that it cannot, with arguments deciding what happens.
//!
//! [`Writer`] keeps account of the stack, so that the code does not fail by accident: a program is a list of statements, each of which
//! leaves the stack as it was. What fails, fails on purpose: reverts on some arguments, calls with little gas, transactions with a gas
//! limit that is just too small.

use alloy_primitives::{Address, Bytes, U256};
use rand::Rng;
use revm::bytecode::opcode as op;

/// Arguments of each call.
pub const ARGUMENTS: usize = 4;

/// Writes one program.
#[derive(Debug)]
pub struct Writer<'r, R> {
    random: &'r mut R,
    code: Vec<u8>,
    /// Accounts that the program may call or look at.
    accounts: Vec<Address>,
    depth: u32,
}

impl<'r, R: Rng> Writer<'r, R> {
    /// A writer of a program that may call these accounts.
    pub fn new(random: &'r mut R, accounts: &[Address]) -> Self {
        Self { random, code: Vec::new(), accounts: accounts.to_vec(), depth: 0 }
    }

    /// A program of so many statements.
    pub fn program(mut self, statements: usize) -> Bytes {
        for _ in 0..statements {
            self.statement();
        }
        // What it computed last is what it returns.
        self.word(2);
        self.number(0);
        self.op(op::MSTORE);
        let length = self.pick(&[0, 1, 32, 64]);
        self.number(length);
        self.number(0);
        let end = if self.random.random_ratio(1, 12) { op::REVERT } else { op::RETURN };
        self.op(end);
        self.code.into()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.random_range(0..choices.len())]
    }

    fn op(&mut self, code: u8) {
        self.code.push(code);
    }

    fn push(&mut self, value: U256) {
        let bytes = value.to_be_bytes_trimmed_vec();
        if bytes.is_empty() {
            // PUSH0 exists since Shanghai only.
            self.code.extend([op::PUSH1, 0]);
        } else {
            self.code.push(op::PUSH0 + bytes.len() as u8);
            self.code.extend(bytes);
        }
    }

    fn number(&mut self, value: u64) {
        self.push(U256::from(value));
    }

    fn argument(&mut self) {
        let index = self.random.random_range(0..ARGUMENTS) as u64;
        // Seldom across two arguments.
        let offset = 4 + 32 * index - if self.random.random_ratio(1, 10) { 3 } else { 0 };
        self.number(offset);
        self.op(op::CALLDATALOAD);
    }

    fn account(&mut self) {
        match self.random.random_range(0..10) {
            8 | 9 => {
                let address = self.pick(&self.accounts.clone());
                self.immutable(U256::from_be_slice(address.as_slice()));
            }
            0 => self.op(op::CALLER),
            1 => self.op(op::ADDRESS),
            2 => self.op(op::COINBASE),
            3 => {
                // One of two, by an argument.
                let (one, other) = (self.pick(&self.accounts.clone()), self.pick(&self.accounts.clone()));
                let mask = |address: Address| U256::from_be_slice(address.as_slice());
                self.argument();
                self.number(1);
                self.op(op::AND);
                self.push(mask(one) ^ mask(other));
                self.op(op::MUL);
                self.push(mask(one));
                self.op(op::XOR);
            }
            _ => {
                let address = self.pick(&self.accounts.clone());
                self.push(U256::from_be_slice(address.as_slice()));
            }
        }
    }

    /// A word that other deployments of the program may have otherwise: an immutable, as compilers leave room for it.
    fn immutable(&mut self, value: U256) {
        self.op(op::PUSH32);
        self.code.extend(value.to_be_bytes::<32>());
    }

    /// One of two words, or a word that is changed if a condition holds: a branch whose sides only compute.
    fn choice(&mut self, depth: u32) {
        self.word(depth - 1);
        self.word(depth - 1);
        if self.random.random() {
            self.number(1);
            self.op(op::AND);
        }
        let hole = self.jump(op::JUMPI);
        self.change();
        if self.random.random() {
            let end = self.jump(op::JUMP);
            self.land(hole);
            self.change();
            self.land(end);
        } else {
            self.land(hole);
        }
    }

    /// Makes another word of the one on the stack, sometimes with more than is on the stack.
    fn change(&mut self) {
        for _ in 0..self.random.random_range(1..4) {
            match self.random.random_range(0..12) {
                0 => {
                    self.op(op::POP);
                    let value = self.pick(&[0, 1, 7]);
                    self.number(value);
                    continue;
                }
                1 => {
                    self.op(op::ISZERO);
                    continue;
                }
                2 => self.op(op::DUP1),
                3 => self.argument(),
                4 => self.immutable(U256::from(5)),
                5 => self.op(op::PC),
                _ => self.number(3),
            }
            let code = self.pick(&[
                op::ADD,
                op::MUL,
                op::SUB,
                op::DIV,
                op::MOD,
                op::LT,
                op::EQ,
                op::AND,
                op::XOR,
                op::SHL,
                op::SHR,
                op::SWAP1,
            ]);
            self.op(code);
            if code == op::SWAP1 {
                self.op(op::POP);
            }
        }
    }

    /// Puts a word on the stack.
    fn word(&mut self, depth: u32) {
        let leaf = depth == 0 || self.random.random_ratio(1, 3);
        if leaf {
            match self.random.random_range(0..11) {
                0..=3 => self.argument(),
                10 => {
                    let value = self.pick(&[0, 1, 32, u64::MAX]);
                    self.immutable(U256::from(value));
                }
                4 => {
                    let value = self.pick(&[0, 1, 2, 31, 32, 255, 256, u64::MAX]);
                    self.number(value);
                }
                5 => {
                    let shift = self.pick(&[8_usize, 96, 128, 160, 224, 255]);
                    self.push((U256::ONE << shift) - U256::ONE);
                }
                6 => {
                    let code = self.pick(&[
                        op::CALLER,
                        op::CALLVALUE,
                        op::ORIGIN,
                        op::GASPRICE,
                        op::TIMESTAMP,
                        op::NUMBER,
                        op::CHAINID,
                        op::BASEFEE,
                        op::SELFBALANCE,
                        op::DIFFICULTY,
                        op::GASLIMIT,
                        op::CALLDATASIZE,
                        op::RETURNDATASIZE,
                        op::MSIZE,
                        op::CODESIZE,
                        op::PC,
                        op::GAS,
                        op::BLOBBASEFEE,
                    ]);
                    self.op(code);
                }
                7 => self.load_slot(),
                8 => {
                    let offset = self.pick(&[0, 1, 20, 32, 64, 75, 96]);
                    self.number(offset);
                    self.op(op::MLOAD);
                }
                _ => {
                    self.account();
                    let code = self.pick(&[op::BALANCE, op::EXTCODESIZE, op::EXTCODEHASH]);
                    self.op(code);
                }
            }
            return;
        }
        match self.random.random_range(0..14) {
            12 | 13 => self.choice(depth),
            0 => {
                self.word(depth - 1);
                let code = self.pick(&[op::ISZERO, op::NOT]);
                self.op(code);
                if self.random.random() {
                    self.op(op::ISZERO);
                }
            }
            1 => {
                (0..3).for_each(|_| self.word(depth - 1));
                let code = self.pick(&[op::ADDMOD, op::MULMOD]);
                self.op(code);
            }
            2 => {
                // A hash of memory.
                let (offset, length) = (self.pick(&[0, 12, 32]), self.pick(&[0, 20, 32, 64]));
                self.number(length);
                self.number(offset);
                self.op(op::KECCAK256);
            }
            3 => {
                self.small(3);
                self.word(depth - 1);
                self.op(op::EXP);
            }
            4 => {
                self.small(255);
                let slot = self.pick(&[op::TLOAD, op::CALLDATALOAD]);
                self.op(slot);
            }
            5 => {
                self.word(depth - 1);
                self.small(300);
                let code = self.pick(&[op::SHL, op::SHR, op::SAR, op::BYTE, op::SIGNEXTEND]);
                self.op(code);
            }
            _ => {
                self.word(depth - 1);
                self.word(depth - 1);
                let code = self.pick(&[
                    op::ADD,
                    op::MUL,
                    op::SUB,
                    op::DIV,
                    op::SDIV,
                    op::MOD,
                    op::SMOD,
                    op::LT,
                    op::GT,
                    op::SLT,
                    op::SGT,
                    op::EQ,
                    op::AND,
                    op::OR,
                    op::XOR,
                ]);
                self.op(code);
            }
        }
    }

    /// A number no greater than `most`, given or computed.
    fn small(&mut self, most: u64) {
        if self.random.random() {
            let value = self.random.random_range(0..=most);
            self.number(value);
        } else {
            self.number(most + 1);
            self.argument();
            self.op(op::MOD);
        }
    }

    fn load_slot(&mut self) {
        self.slot();
        self.op(op::SLOAD);
    }

    /// A slot: a small one, or that of a key in a mapping.
    fn slot(&mut self) {
        if self.random.random() {
            self.small(3);
        } else {
            self.argument();
            self.number(128);
            self.op(op::MSTORE);
            self.number(64);
            self.number(128);
            self.op(op::KECCAK256);
        }
    }

    fn statement(&mut self) {
        match self.random.random_range(0..16) {
            0..=2 => {
                self.word(2);
                self.slot();
                self.op(op::SSTORE);
            }
            3 | 4 => {
                self.word(2);
                let offset = self.pick(&[0, 1, 32, 40, 64, 96, 128]);
                self.number(offset);
                let code = self.pick(&[op::MSTORE, op::MSTORE, op::MSTORE8]);
                self.op(code);
            }
            5 => {
                let topics = self.random.random_range(0..=4);
                (0..topics).for_each(|_| self.word(1));
                let (offset, length) = (self.pick(&[0, 7, 32]), self.pick(&[0, 13, 32, 96]));
                self.number(length);
                self.number(offset);
                self.op(op::LOG0 + topics);
            }
            6 | 7 if self.depth < 3 => self.branch(),
            8 if self.depth < 2 => self.repeat(),
            9..=11 => self.call(),
            12 => {
                self.word(1);
                self.small(255);
                self.op(op::TSTORE);
            }
            13 => self.copy(),
            14 if self.random.random_ratio(1, 3) => {
                // What no path can hold.
                self.number(0);
                self.number(0);
                self.number(0);
                self.op(op::CREATE);
                self.op(op::POP);
            }
            15 if self.random.random_ratio(1, 3) => self.reach(),
            _ => {
                self.word(3);
                self.number(0);
                self.op(op::MSTORE);
            }
        }
    }

    /// Some statements, if a condition holds.
    fn branch(&mut self) {
        self.word(2);
        if self.random.random() {
            self.number(1);
            self.op(op::AND);
        }
        let hole = self.jump(op::JUMPI);
        self.depth += 1;
        if self.random.random_ratio(1, 10) {
            self.number(0);
            self.number(0);
            self.op(op::REVERT);
        } else {
            self.statement();
        }
        self.depth -= 1;
        self.land(hole);
    }

    /// A jump forward to a place that is not known yet.
    fn jump(&mut self, code: u8) -> usize {
        let hole = self.code.len() + 1;
        self.code.extend([op::PUSH2, 0, 0, code]);
        hole
    }

    fn land(&mut self, hole: usize) {
        let target = self.code.len() as u16;
        self.code[hole..hole + 2].copy_from_slice(&target.to_be_bytes());
        self.op(op::JUMPDEST);
    }

    /// Some statements, up to three times.
    fn repeat(&mut self) {
        self.small(3);
        let start = self.code.len() as u16;
        self.op(op::JUMPDEST);
        self.op(op::DUP1);
        self.op(op::ISZERO);
        let hole = self.jump(op::JUMPI);
        self.depth += 2;
        self.statement();
        self.depth -= 2;
        self.number(1);
        self.op(op::SWAP1);
        self.op(op::SUB);
        self.code.push(op::PUSH2);
        self.code.extend(start.to_be_bytes());
        self.op(op::JUMP);
        self.land(hole);
        self.op(op::POP);
    }

    /// Memory wherever an argument says, which may be farther than any gas reaches.
    fn reach(&mut self) {
        let code =
            self.pick(&[op::MSTORE, op::MSTORE8, op::MLOAD, op::KECCAK256, op::LOG0, op::CALLDATACOPY, op::MCOPY]);
        match code {
            op::MSTORE | op::MSTORE8 | op::KECCAK256 | op::LOG0 => self.number(5),
            op::CALLDATACOPY | op::MCOPY => {
                self.number(5);
                self.number(1);
            }
            _ => {}
        }
        self.argument();
        self.op(code);
        if matches!(code, op::MLOAD | op::KECCAK256) {
            self.op(op::POP);
        }
    }

    fn copy(&mut self) {
        let (length, from, to) = (self.pick(&[0, 5, 32, 68]), self.pick(&[0, 3, 4, 33]), self.pick(&[0, 31, 64]));
        match self.random.random_range(0..4) {
            0 => {
                self.number(length);
                self.number(from);
                self.number(to);
                self.op(op::CALLDATACOPY);
            }
            1 => {
                self.number(length);
                self.number(from);
                self.number(to);
                self.op(op::CODECOPY);
            }
            2 => {
                self.number(length);
                self.number(from);
                self.number(to);
                self.op(op::MCOPY);
            }
            _ => {
                self.op(op::RETURNDATASIZE);
                self.number(0);
                self.number(to);
                self.op(op::RETURNDATACOPY);
            }
        }
    }

    fn call(&mut self) {
        let code = self.pick(&[op::CALL, op::CALL, op::STATICCALL, op::DELEGATECALL]);
        let (out, offset) = (self.pick(&[0, 20, 32, 64]), self.pick(&[0, 64, 96]));
        self.number(out);
        self.number(offset);
        let input = self.pick(&[0, 4, 32, 132]);
        self.number(input);
        self.number(0);
        if code == op::CALL {
            if self.random.random_ratio(1, 3) {
                self.small(2);
            } else {
                self.number(0);
            }
        }
        match self.random.random_range(0..6) {
            // A precompile: recovery, SHA-256, RIPEMD-160, identity.
            0 => {
                let number = self.pick(&[1, 2, 3, 4]);
                self.number(number);
            }
            _ => self.account(),
        }
        match self.random.random_range(0..4) {
            0 => self.number(30_000),
            1 => {
                let gas = self.pick(&[0, 700, 2_300, 5_000]);
                self.number(gas);
            }
            _ => self.op(op::GAS),
        }
        self.op(code);
        // Whether it went well is a word like any other.
        self.number(96);
        self.op(op::MSTORE);
    }
}
