//! Probe.
use braid_bench::{baseline::{Baseline, Map, MergedDiff}, digest::Digest, workload::{self, PROFILES, Size}};
use braid_runtime::{AccessHints, ChainSpec, Engine, EngineConfig, Mode, Outputs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size: Size = arguments[0].parse().unwrap();
    let threads: Vec<usize> = arguments[1].split(',').map(|t| t.parse().unwrap()).collect();
    let warm = arguments[2] == "warm";
    let check = arguments[2] == "check";
    let spec = ChainSpec::from_suite_fork("Prague").unwrap();
    for profile in PROFILES {
        if arguments.len() > 3 && !arguments[3..].iter().any(|name| profile.name.contains(name.as_str())) { continue; }
        let workload = workload::build(profile.name, size, 1).unwrap();
        let mut map = Map::default();
        for case in &workload.cases {
            let base = map.execute(case).unwrap();
            let digest = Digest::new(&base.receipts, &base.diff);
            let mut line = format!("{:28}", workload.name);
            for t in &threads {
                let mut engine = Engine::new(EngineConfig { threads: *t, mode: if check { Mode::Forced } else { Mode::Parallel }, ..Default::default() }).unwrap();
                let mut ratios = Vec::new();
                let (mut bs, mut es) = (f64::MAX, f64::MAX);
                let mut report = Default::default();
                for round in 0..9 {
                    let execution = map.execute(case).unwrap();
                    let b = execution.elapsed.as_secs_f64() * 1e3;
                    if !warm { engine.set_predictor(braid_runtime::predict::Predictor::new(Default::default())); }
                    let start = std::time::Instant::now();
                    let outcome = engine.execute_block(&*case.snapshot, &case.block, &spec, AccessHints::Predicted, Outputs::default()).unwrap();
                    let e = start.elapsed().as_secs_f64() * 1e3;
                    if round == 0 || check {
                        let got = Digest::new(&outcome.receipts, &MergedDiff::Plain(outcome.diff.clone()));
                        assert_eq!(got, digest, "{} {:?}", workload.name, outcome.report);
                    }
                    if round > 0 { ratios.push(b / e); bs = bs.min(b); es = es.min(e); }
                    report = outcome.report;
                }
                ratios.sort_by(f64::total_cmp);
                line += &format!("| {t}T base {bs:.2} eng {es:.2} x{:.2} ", ratios[ratios.len() / 2]);
                if *t > 1 || threads.len() == 1 { line += &format!("[n{} o{} a{} re{} g{} unk{} cp{:.2}] ", report.native, report.ordered, report.ahead, report.re_executions, report.groups, report.unknown, report.planned_gas as f64 / report.critical_path_gas.max(1) as f64); }
                if report.path != braid_runtime::engine::Path::Parallel { line += &format!("{:?}", report.path); }
            }
            println!("{line}");
        }
    }
}
