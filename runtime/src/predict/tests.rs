//! Learning and foretelling, on small observations made by hand.

mod branches;
mod contention;

use super::*;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::HashMap};
use std::collections::BTreeSet;

const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const TRANSFER_FROM: [u8; 4] = [0x23, 0xb8, 0x72, 0xdd];

fn account(name: u64) -> Address {
    Address::from_word(keccak256(name.to_be_bytes()))
}

fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn code(name: u64) -> B256 {
    keccak256([0xc0, name as u8])
}

fn input(selector: [u8; 4], words: &[U256]) -> Vec<u8> {
    let mut input = selector.to_vec();
    words.iter().for_each(|word| input.extend_from_slice(&word.to_be_bytes::<32>()));
    input
}

fn shape(sender: Address, to: Address, code_hash: B256, input: &[u8]) -> TransactionShape<'_> {
    let block = BlockContext { number: 20_000_000, timestamp: 1_700_000_000, ..BlockContext::default() };
    TransactionShape { sender, to: Some(to), code_hash, input, value: U256::ZERO, gas_limit: 400_000, block }
}

/// A transaction as a contract would run it, recorded.
#[derive(Default)]
struct Run {
    observed: ObservedAccesses,
    preimages: KeccakPreimages,
}

impl Run {
    fn new() -> Self {
        let mut run = Self::default();
        run.observed.success = true;
        run.observed.gas_used = 50_000;
        run
    }

    fn hash(&mut self, input: &[u8]) -> U256 {
        let hash = keccak256(input);
        self.preimages.record(input, hash);
        U256::from_be_bytes(hash.0)
    }

    fn mapping(&mut self, key: U256, base: U256) -> U256 {
        self.hash(&[key.to_be_bytes::<32>(), base.to_be_bytes::<32>()].concat())
    }

    /// `transfer` or `transferFrom` of a token with balances at 0 and allowances at 1, and a pause flag at 5.
    fn token(&mut self, token: Address, caller: Address, from: Address, to: Address) {
        self.observed.read_slot(token, U256::from(5), U256::ZERO);
        if caller != from {
            let inner = self.mapping(word(from), U256::ONE);
            let slot = self.mapping(word(caller), inner);
            self.observed.write_slot(token, slot, U256::from(9), U256::from(8));
        }
        for owner in [from, to] {
            let slot = self.mapping(word(owner), U256::ZERO);
            self.observed.write_slot(token, slot, U256::from(100), U256::from(90));
        }
    }

    fn keys(&self) -> BTreeSet<(Address, U256)> {
        self.observed.slots.iter().map(|slot| (slot.address, slot.slot)).collect()
    }
}

fn predict(predictor: &Predictor, shape: &TransactionShape<'_>, state: &dyn StateView) -> Prediction {
    let mut out = Prediction::default();
    predictor.predict(shape, state, &mut KeccakCache::default(), &mut out);
    out
}

fn keys(prediction: &Prediction) -> BTreeSet<(Address, U256)> {
    prediction.slots().map(|(address, slot, _)| (address, slot)).collect()
}

fn transfer(from: u64, to: u64) -> (Address, Vec<u8>, Run) {
    let token = account(1000);
    let mut run = Run::new();
    run.token(token, account(from), account(from), account(to));
    (account(from), input(TRANSFER, &[word(account(to)), U256::from(77)]), run)
}

fn learned_transfer() -> Predictor {
    let mut predictor = Predictor::default();
    for (from, to) in [(1, 2), (3, 4)] {
        let (sender, data, run) = transfer(from, to);
        predictor.learn(&shape(sender, account(1000), code(1), &data), &run.observed, &run.preimages);
    }
    predictor
}

#[test]
fn a_transfer_is_foreseen_exactly_after_another_one() {
    let predictor = learned_transfer();
    let (sender, data, run) = transfer(50, 51);
    let prediction = predict(&predictor, &shape(sender, account(1000), code(1), &data), &());
    assert!(prediction.known && !prediction.incomplete);
    assert_eq!(keys(&prediction), run.keys());
    let writes = prediction.slots().filter(|(.., write)| *write).count();
    assert_eq!(writes, 2, "the pause flag is read only");
    assert_eq!(prediction.gas, 50_000);
    let score = PredictionScore::of(&prediction, &run.observed, |_, _| true);
    assert_eq!((score.slots.precision(), score.slots.recall(), score.slots.over_prediction()), (1.0, 1.0, 0.0));
}

#[test]
fn unknown_is_not_empty() {
    let predictor = Predictor::default();
    let data = input([1, 2, 3, 4], &[]);
    let prediction = predict(&predictor, &shape(account(1), account(2), code(2), &data), &());
    assert!(!prediction.known && prediction.incomplete);
    assert!(prediction.keys.iter().all(|access| access.assumed));
    assert_eq!(prediction.keys.len(), 1);
    assert_eq!(prediction.slots().count(), 0);
}

#[test]
fn what_a_token_does_is_known_below_a_router_that_was_seen_with_another_token() {
    let (router, caller) = (account(500), account(7));
    let mut predictor = learned_transfer();
    let pull = |token: Address, token_code: B256, recipient: Address| {
        let data = input([9, 9, 9, 9], &[word(token), word(recipient)]);
        let mut run = Run::new();
        let inner = input(TRANSFER_FROM, &[word(caller), word(recipient), U256::from(123_456_789_u64)]);
        run.observed.enter(CallStart {
            kind: CallKind::Call,
            code_address: token,
            code_hash: token_code,
            this: token,
            caller: router,
            value: U256::ZERO,
            input: &inner,
        });
        run.token(token, router, caller, recipient);
        run.observed.leave(&[], true);
        (data, run)
    };
    // The router with one token, then `transferFrom` of another by itself; never the two together.
    let (data, run) = pull(account(600), code(3), account(8));
    predictor.learn(&shape(caller, router, code(9), &data), &run.observed, &run.preimages);
    let mut run = Run::new();
    run.token(account(700), account(20), account(21), account(22));
    let data = input(TRANSFER_FROM, &[word(account(21)), word(account(22)), U256::from(5)]);
    predictor.learn(&shape(account(20), account(700), code(4), &data), &run.observed, &run.preimages);

    let (data, run) = pull(account(700), code(4), account(30));
    let prediction = predict(&predictor, &shape(caller, router, code(9), &data), &());
    assert_eq!(keys(&prediction), run.keys());
}

struct OneSlot(Address, U256, U256);

impl StateView for OneSlot {
    fn storage(&self, address: Address, slot: U256) -> Option<U256> {
        (address == self.0 && slot == self.1).then_some(self.2)
    }
}

#[test]
fn a_proxy_is_followed_to_the_implementation_that_the_state_names() {
    let (proxy, slot) = (account(40), U256::from_be_bytes(keccak256("implementation").0));
    let implementation = |name: u64| account(100 + name);
    let mut predictor = Predictor::default();
    let mut learn = |target: u64, base: u64| {
        let mut run = Run::new();
        let data = input(TRANSFER, &[word(account(2)), U256::from(1)]);
        run.observed.read_slot(proxy, slot, word(implementation(target)));
        run.observed.enter(CallStart {
            kind: CallKind::Delegate,
            code_address: implementation(target),
            code_hash: code(100 + target),
            this: proxy,
            caller: account(1),
            value: U256::ZERO,
            input: &data,
        });
        let balance = run.mapping(word(account(2)), U256::from(base));
        run.observed.write_slot(proxy, balance, U256::ZERO, U256::ONE);
        run.observed.leave(&[], true);
        predictor.learn(&shape(account(1), proxy, code(40), &data), &run.observed, &run.preimages);
    };
    learn(1, 9);
    learn(2, 10);
    // A function never called through the proxy, and one that was.
    let data = input(TRANSFER, &[word(account(3)), U256::from(1)]);
    for (target, base) in [(1, 9_u64), (2, 10)] {
        let state = OneSlot(proxy, slot, word(implementation(target)));
        let prediction = predict(&predictor, &shape(account(1), proxy, code(40), &data), &state);
        let balance = keccak256([word(account(3)).to_be_bytes::<32>(), U256::from(base).to_be_bytes()].concat());
        let expected = BTreeSet::from([(proxy, slot), (proxy, U256::from_be_bytes(balance.0))]);
        assert_eq!(keys(&prediction), expected);
    }
    let other = input([7, 7, 7, 7], &[]);
    let prediction = predict(&predictor, &shape(account(1), proxy, code(40), &other), &());
    assert!(prediction.known, "a proxy is one for every function");
    assert!(keys(&prediction).contains(&(proxy, slot)));
}

#[test]
fn pairs_made_by_create2_are_foreseen_for_tokens_never_seen() {
    let (router, factory) = (account(60), account(61));
    let pair_code = keccak256("pair");
    let pair_of = |run: &mut Run, tokens: [Address; 2]| {
        let salt = run.hash(&[tokens[0].as_slice(), tokens[1].as_slice()].concat());
        let parts = [&[0xff][..], factory.as_slice(), &salt.to_be_bytes::<32>(), pair_code.as_slice()];
        Address::from_word(B256::from(run.hash(&parts.concat())))
    };
    let swap = |run: &mut Run, tokens: [Address; 2]| {
        let pair = pair_of(run, tokens);
        run.observed.enter(CallStart {
            kind: CallKind::Call,
            code_address: pair,
            code_hash: code(62),
            this: pair,
            caller: router,
            value: U256::ZERO,
            input: &[9, 2, 0xf1, 0xac],
        });
        run.observed.read_slot(pair, U256::from(8), U256::from(1) << 200);
        run.observed.leave(&[], true);
        input([3, 3, 3, 3], &[U256::from(5_000_000), word(tokens[0]), word(tokens[1])])
    };
    let mut predictor = Predictor::default();
    for tokens in [[account(1), account(2)], [account(3), account(4)]] {
        let mut run = Run::new();
        let data = swap(&mut run, tokens);
        predictor.learn(&shape(account(9), router, code(60), &data), &run.observed, &run.preimages);
    }
    struct PairCode;
    impl StateView for PairCode {
        fn storage(&self, _: Address, _: U256) -> Option<U256> {
            None
        }
        fn code_hash(&self, _: Address) -> Option<B256> {
            Some(code(62))
        }
    }
    let mut run = Run::new();
    let data = swap(&mut run, [account(77), account(78)]);
    let prediction = predict(&predictor, &shape(account(9), router, code(60), &data), &PairCode);
    assert_eq!(keys(&prediction), run.keys());
}

#[test]
fn arrays_structures_packed_addresses_and_counters_are_expressed() {
    let contract = account(70);
    let act = |run: &mut Run, caller: Address, length: u64, packed: Address| {
        // An array that grows by one, a field two words into a structure, an address at an odd place of the input.
        run.observed.write_slot(contract, U256::from(3), U256::from(length), U256::from(length + 1));
        let array = run.hash(&U256::from(3).to_be_bytes::<32>());
        run.observed.write_slot(contract, array + U256::from(length), U256::ZERO, U256::ONE);
        let structure = run.mapping(word(caller), U256::from(4));
        run.observed.write_slot(contract, structure + U256::from(2), U256::ZERO, U256::ONE);
        let path = run.mapping(word(packed), U256::from(6));
        run.observed.read_slot(contract, path, U256::ZERO);
        let mut data = vec![1, 1, 1, 1, 0xab, 0xcd, 0xef];
        data.extend_from_slice(packed.as_slice());
        data.extend_from_slice(&[0, 1, 2]);
        data
    };
    let mut predictor = Predictor::default();
    for (caller, length, packed) in [(1, 1000, 2), (3, 1001, 4)] {
        let mut run = Run::new();
        let data = act(&mut run, account(caller), length, account(packed));
        predictor.learn(&shape(account(caller), contract, code(70), &data), &run.observed, &run.preimages);
    }
    let mut run = Run::new();
    let data = act(&mut run, account(90), 5000, account(91));
    let state = OneSlot(contract, U256::from(3), U256::from(5000));
    let prediction = predict(&predictor, &shape(account(90), contract, code(70), &data), &state);
    assert_eq!(keys(&prediction), run.keys());
}

#[test]
fn an_expression_that_was_right_by_accident_is_outvoted() {
    let contract = account(80);
    let mut predictor = Predictor::default();
    // The key is the word; the first time it happens to be the caller as well.
    let act = |owner: Address| {
        let mut run = Run::new();
        let slot = run.mapping(word(owner), U256::from(2));
        run.observed.write_slot(contract, slot, U256::ZERO, U256::ONE);
        (input([5, 5, 5, 5], &[word(account(1))]), run)
    };
    let (data, run) = act(account(1));
    predictor.learn(&shape(account(1), contract, code(80), &data), &run.observed, &run.preimages);
    for caller in 10..30 {
        let (data, run) = act(account(caller));
        predictor.learn(&shape(account(caller), contract, code(80), &data), &run.observed, &run.preimages);
    }
    let (data, run) = act(account(99));
    let prediction = predict(&predictor, &shape(account(99), contract, code(80), &data), &());
    assert_eq!(keys(&prediction), run.keys());
}

#[test]
fn failed_transactions_do_not_unlearn_what_they_did_not_reach() {
    let mut predictor = learned_transfer();
    for sender in 0..40 {
        let (sender, data, _) = transfer(sender, sender + 1);
        let mut run = Run::new();
        run.observed.success = false;
        run.observed.read_slot(account(1000), U256::from(5), U256::ONE);
        predictor.learn(&shape(sender, account(1000), code(1), &data), &run.observed, &run.preimages);
    }
    let (sender, data, run) = transfer(50, 51);
    let prediction = predict(&predictor, &shape(sender, account(1000), code(1), &data), &());
    assert_eq!(keys(&prediction), run.keys());
}

#[test]
fn learning_backs_off_and_comes_back() {
    let mut predictor = Predictor::default();
    let (sender, data, run) = transfer(1, 2);
    let shape = shape(sender, account(1000), code(1), &data);
    let mut learned = 0;
    for _ in 0..1000 {
        if predictor.wants(&shape) {
            predictor.learn(&shape, &run.observed, &run.preimages);
            learned += 1;
        }
    }
    assert!((5..20).contains(&learned), "learned {learned} times of 1000");
    predictor.distrust(&shape);
    assert!(predictor.wants(&shape));
}

#[test]
fn the_number_of_templates_is_bounded_and_recent_ones_stay() {
    let config = PredictorConfig { max_templates: 50, ..PredictorConfig::default() };
    let mut predictor = Predictor::new(config);
    let (sender, data, run) = transfer(1, 2);
    let favourite = shape(sender, account(1000), code(1), &data);
    for other in 0..2000_u64 {
        let hash = keccak256(other.to_le_bytes());
        predictor.learn(&shape(sender, account(other), hash, &data), &Run::new().observed, &KeccakPreimages::default());
        predictor.learn(&favourite, &run.observed, &run.preimages);
        assert!(predictor.len() <= 50);
    }
    assert_eq!(keys(&predict(&predictor, &favourite, &())), run.keys());
}

#[test]
fn predictions_of_a_giant_template_are_bounded() {
    let mut predictor = Predictor::default();
    let data = input([8, 8, 8, 8], &[]);
    for round in 0..40_u64 {
        let mut run = Run::new();
        for slot in 0..3000_u64 {
            run.observed.write_slot(account(5), U256::from(round * 10_000 + slot), U256::ZERO, U256::ONE);
        }
        predictor.learn(&shape(account(1), account(5), code(5), &data), &run.observed, &run.preimages);
    }
    let prediction = predict(&predictor, &shape(account(1), account(5), code(5), &data), &());
    assert!(prediction.keys.len() <= 128, "{} keys", prediction.keys.len());
    assert!(predictor.save().len() < 100_000);
}

#[test]
fn a_declared_list_is_a_hint_and_cannot_flood() {
    let predictor = learned_transfer();
    let (sender, data, run) = transfer(50, 51);
    let mut prediction = predict(&predictor, &shape(sender, account(1000), code(1), &data), &());
    let before = prediction.keys.len();
    prediction.add_declared(run.keys());
    assert_eq!(prediction.keys.len(), before, "what is foreseen already is not added again");
    prediction.add_declared((0..12_000_u64).map(|slot| (account(slot), U256::from(slot))));
    assert_eq!(prediction.keys.len(), before + MAX_DECLARED_KEYS);
    assert_eq!(prediction.slots().filter(|(.., write)| *write).count(), 2);
}

#[test]
fn a_saved_predictor_foretells_the_same() {
    let predictor = learned_transfer();
    let bytes = predictor.save();
    let loaded = Predictor::load(&bytes, PredictorConfig::default()).expect("just saved");
    assert_eq!(loaded.len(), predictor.len());
    assert_eq!(loaded.save(), bytes);
    let (sender, data, run) = transfer(50, 51);
    let prediction = predict(&loaded, &shape(sender, account(1000), code(1), &data), &());
    assert_eq!(keys(&prediction), run.keys());
}

#[test]
fn damaged_files_are_refused() {
    let bytes = learned_transfer().save();
    let load = |bytes: &[u8]| Predictor::load(bytes, PredictorConfig::default());
    assert!(matches!(load(b"something else"), Err(PredictorError::Magic)));
    assert!(matches!(load(&[]), Err(PredictorError::Magic)));
    let mut newer = bytes.clone();
    newer[8] = 99;
    assert!(matches!(load(&newer), Err(PredictorError::Version { found: 99, .. })));
    for cut in [13, 40, 60, bytes.len() - 1] {
        assert!(matches!(load(&bytes[..cut]), Err(PredictorError::Checksum)), "cut at {cut}");
    }
    let mut altered = bytes.clone();
    altered[70] ^= 1;
    assert!(matches!(load(&altered), Err(PredictorError::Checksum)));
}

#[test]
fn unsound_templates_in_a_file_are_refused() {
    let predictor = learned_transfer();
    let content = saved::content(&predictor.save()).expect("just saved");
    let text = String::from_utf8(content).expect("JSON");
    assert!(text.contains("\"slot\":"));
    let cyclic = text.replacen("\"first\":", "\"first\":400,\"was\":", 1);
    assert_ne!(cyclic, text);
    let bytes = saved::seal(cyclic.as_bytes());
    assert!(matches!(Predictor::load(&bytes, PredictorConfig::default()), Err(PredictorError::Template)));
    let bytes = saved::seal(b"{}");
    assert!(matches!(Predictor::load(&bytes, PredictorConfig::default()), Err(PredictorError::Content(_))));
}

/// What a pool swaps: the tokens in the order of their addresses, a fee, and the trader who gets the other token.
#[test]
fn pools_with_their_tokens_in_their_code_are_one_family() {
    let (router, factory, pool_code) = (account(200), account(201), keccak256("pool"));
    let code_of = |tokens: [Address; 2]| {
        let mut code = vec![0x5b, 0x73];
        code.extend_from_slice(tokens[0].as_slice());
        code.push(0x73);
        code.extend_from_slice(tokens[1].as_slice());
        Bytes::from([code, vec![0x01; 64]].concat())
    };
    let sorted = |mut tokens: [Address; 2]| {
        tokens.sort_unstable();
        tokens
    };
    let pool_of = |run: &mut Run, tokens: [Address; 2], fee: u64| {
        let [first, second] = sorted(tokens).map(|token| word(token).to_be_bytes::<32>());
        let salt = run.hash(&[first, second, U256::from(fee).to_be_bytes()].concat());
        let parts = [&[0xff][..], factory.as_slice(), &salt.to_be_bytes::<32>(), pool_code.as_slice()];
        Address::from_word(B256::from(run.hash(&parts.concat())))
    };
    let transfer = |run: &mut Run, token: Address, from: Address, to: Address| {
        let data = input(TRANSFER, &[word(to), U256::from(1_000_001)]);
        run.observed.enter(CallStart {
            kind: CallKind::Call,
            code_address: token,
            code_hash: code(202),
            this: token,
            caller: from,
            value: U256::ZERO,
            input: &data,
        });
        for owner in [from, to] {
            let balance = run.mapping(word(owner), U256::from(4));
            run.observed.write_slot(token, balance, U256::from(5), U256::from(6));
        }
        run.observed.leave(&[], true);
    };
    // The pool pays its first token, and the second if the call data say so in a packed path.
    let swap = |trader: Address, tokens: [Address; 2], fee: u64| {
        let mut run = Run::new();
        let pool = pool_of(&mut run, tokens, fee);
        let path = [tokens[0].as_slice(), &fee.to_be_bytes()[5..], tokens[1].as_slice(), &[0; 21]].concat();
        let limit =
            if tokens[0] < tokens[1] { U256::from(4_295_128_740_u64) } else { (U256::ONE << 160) - U256::from(7) };
        let inner = [input([1, 2, 8, 8], &[word(trader), limit]), path].concat();
        let hash = keccak256(code_of(sorted(tokens)));
        run.observed.note_code(hash, || code_of(sorted(tokens)));
        run.observed.enter(CallStart {
            kind: CallKind::Call,
            code_address: pool,
            code_hash: hash,
            this: pool,
            caller: router,
            value: U256::ZERO,
            input: &inner,
        });
        run.observed.write_slot(pool, U256::ZERO, U256::from(1), U256::from(2));
        transfer(&mut run, sorted(tokens)[0], pool, account(203));
        transfer(&mut run, tokens[1], pool, trader);
        run.observed.leave(&[], true);
        (input([4, 4, 4, 4], &[word(tokens[0]), word(tokens[1]), U256::from(fee), word(trader)]), run, pool, hash)
    };
    let mut predictor = Predictor::default();
    for (trader, tokens, fee) in [(1, [10, 20], 3000), (2, [31, 21], 500), (3, [12, 33], 3000), (4, [44, 15], 10_000)] {
        let (data, run, ..) = swap(account(trader), tokens.map(account), fee);
        predictor.learn(&shape(account(trader), router, code(204), &data), &run.observed, &run.preimages);
    }
    let predictor = Predictor::load(&predictor.save(), *predictor.config()).expect("what was saved");

    struct Codes(HashMap<Address, (B256, Bytes)>);
    impl StateView for Codes {
        fn storage(&self, _: Address, _: U256) -> Option<U256> {
            None
        }
        fn code_hash(&self, address: Address) -> Option<B256> {
            Some(self.0.get(&address)?.0)
        }
        fn code(&self, address: Address) -> Option<Bytes> {
            Some(self.0.get(&address)?.1.clone())
        }
    }
    // Pools never seen, in both directions; their tokens have a code that was.
    for tokens in [[70, 80], [80, 70]] {
        let tokens = tokens.map(account);
        let (data, run, pool, hash) = swap(account(9), tokens, 100);
        let token = |address: Address| (address, (code(202), Bytes::new()));
        let known = [(pool, (hash, code_of(sorted(tokens)))), token(tokens[0]), token(tokens[1])];
        let state = Codes(known.into_iter().collect());
        let prediction = predict(&predictor, &shape(account(9), router, code(204), &data), &state);
        assert!(keys(&prediction).is_superset(&run.keys()), "{:?} without {:?}", run.keys(), keys(&prediction));
        let needless = keys(&prediction).difference(&run.keys()).count();
        // One transfer of the other token: four lessons leave open which of the two it is.
        assert!(needless <= 2, "{needless} keys in vain");
    }
}
