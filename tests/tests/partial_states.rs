//! Parent states that fail, or that know only what serial execution asks for.

use braid_runtime::{
    AccessHints, BlockError, Engine, EngineConfig, Mode, Outputs,
    oracle::execute_serial,
    predict::{Predictor, PredictorConfig},
};
use braid_tests::{
    differential::{Engines, Prediction, first_difference},
    generator::{BlockPlan, RandomBlock, plans},
    snapshots::{Partial, Read},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

fn random_blocks(seed: u8, transactions: usize, count: usize) -> Vec<(BlockPlan, RandomBlock)> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = plans(transactions);
    let plans = (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    plans.map(|plan| (plan.clone(), plan.realize())).collect()
}

fn engine(threads: usize) -> Engine {
    Engine::new(EngineConfig { mode: Mode::Forced, threads, ..EngineConfig::default() }).unwrap()
}

/// What serial execution never reads cannot be asked for: predictions and early executions must survive that.
#[test]
fn a_state_that_knows_only_what_serial_execution_reads() {
    let mut engines = Engines::new(&[Mode::Forced, Mode::Parallel], &[1, 4], &Prediction::ALL);
    for (plan, random) in random_blocks(11, 12, 150) {
        let RandomBlock { parent, block, spec } = &random;
        let recording = Partial::recording(parent);
        // The list asks the state for more than execution does, so it has to be among what is recorded.
        let serial = execute_serial(&recording, block, spec, Outputs::ALL);
        let mut reads = recording.into_reads();
        // Code that the block itself brings is not asked for again, even for accounts that had the same before.
        reads.extend(serial.iter().flat_map(|outcome| &outcome.diff.contracts).map(|(hash, _)| Read::Code(*hash)));
        let witness = Partial::only(parent, reads);
        if let Err(mismatch) = engines.check(&witness, block, spec) {
            panic!("{mismatch}\n{plan:?}");
        }
    }
}

/// Without an access list nothing but execution asks the state.
#[test]
fn a_witness_is_enough_where_no_list_is_wanted() {
    let mut engine = engine(2);
    for (plan, random) in random_blocks(12, 12, 150) {
        let RandomBlock { parent, block, spec } = &random;
        let recording = Partial::recording(parent);
        let serial = execute_serial(&recording, block, spec, Outputs::default());
        let witness = Partial::only(parent, recording.into_reads());
        for _ in 0..2 {
            let outcome = engine.execute_block(&witness, block, spec, AccessHints::Predicted, Outputs::default());
            match (&serial, outcome) {
                (Ok(serial), Ok(outcome)) => assert_eq!(first_difference(serial, &outcome), None, "{plan:?}"),
                (Err(serial), Err(error)) => assert_eq!(serial.to_string(), error.to_string(), "{plan:?}"),
                (serial, outcome) => {
                    panic!("serial {serial:?}, engine {outcome:?}\n{plan:?}")
                }
            }
        }
    }
}

/// Whichever read fails, once or for good: an error about the state or the right result, never a verdict on the block.
#[test]
fn a_state_that_fails_never_makes_a_block_invalid() {
    let mut engines = [engine(1), engine(4)];
    let (mut failed, mut survived) = (0, 0);
    for (_, random) in random_blocks(13, 10, 12) {
        let RandomBlock { parent, block, spec } = &random;
        let Ok(serial) = execute_serial(parent, block, spec, Outputs::ALL) else { continue };
        let list = serial.access_list.as_ref().unwrap();
        let counting = Partial::recording(parent);
        drop(execute_serial(&counting, block, spec, Outputs::ALL));
        for number in 0..counting.count() + 5 {
            for state in [Partial::failing_once(parent, number), Partial::failing_from(parent, number)] {
                for engine in &mut engines {
                    for hints in [AccessHints::Predicted, AccessHints::Exact(list)] {
                        engine.set_predictor(Predictor::new(PredictorConfig::default()));
                        match engine.execute_block(&state, block, spec, hints, Outputs::ALL) {
                            Ok(outcome) => {
                                survived += 1;
                                assert_eq!(first_difference(&serial, &outcome), None, "read {number} failed");
                            }
                            Err(BlockError::Database(_)) => failed += 1,
                            Err(error) => panic!("read {number} failed, the engine says: {error}"),
                        }
                    }
                }
            }
        }
    }
    println!("{failed} failed, {survived} did without the answer");
    assert!(failed > 0 && survived > 0);
}
