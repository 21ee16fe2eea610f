//! The blocks in `fixtures/generated` are what their generator makes, and what their headers say.

use braid_chain::{Bundle, bundle::EXTENSION, validate, validation::StateRootCheck};
use braid_runtime::{AccessHints, Engine, EngineConfig, Mode, Outputs, oracle::execute_serial};
use braid_tests::shipped::bundles;

#[test]
fn generated_fixtures_are_what_the_generator_makes() {
    let folder = braid_fixtures::folder().join("generated");
    let made = bundles();
    for (name, bundle) in &made {
        let shipped = Bundle::read_from(folder.join(name).with_extension(EXTENSION)).unwrap();
        assert_eq!(&shipped, bundle, "{name}: run the generator again");
    }
    assert_eq!(braid_fixtures::bundle_paths(&folder).unwrap().len(), made.len(), "nothing else lies there");
}

#[test]
fn generated_fixtures_execute_as_their_headers_say() {
    let mut engine = Engine::new(EngineConfig { mode: Mode::Forced, threads: 2, ..EngineConfig::default() }).unwrap();
    for (name, bundle) in bundles() {
        let (snapshot, spec) = (bundle.snapshot().unwrap(), bundle.chain.spec().unwrap());
        // The senders have to be those of the signatures, too.
        let recovered = Bundle { senders: None, ..bundle.clone() }.recovered_block().unwrap();
        assert_eq!(Some(recovered.senders()), bundle.senders.as_deref(), "{name}");
        let serial = execute_serial(&snapshot, &recovered, &spec, Outputs::default()).unwrap();
        let parallel =
            engine.execute_block(&snapshot, &recovered, &spec, AccessHints::Predicted, Outputs::default()).unwrap();
        for outcome in [serial, parallel] {
            let validation = validate(&bundle, &snapshot, &outcome);
            assert_eq!(validation.mismatches, [], "{name}");
            assert_eq!(validation.state_root, StateRootCheck::Compared, "{name}");
        }
    }
}
