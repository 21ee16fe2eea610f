//! Measures profiles.

use braid_bench::{
    baseline::{Baseline, Bundle, Map},
    digest::Digest,
    workload::{self, PROFILES, Size},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size: Size = arguments[0].parse().unwrap();
    for profile in PROFILES {
        if arguments.len() > 1 && !arguments[1..].iter().any(|name| profile.name.contains(name.as_str())) {
            continue;
        }
        let started = std::time::Instant::now();
        let workload = workload::build(profile.name, size, 1).unwrap();
        let built = started.elapsed();
        let (mut bundle, mut map) = (Bundle, Map::default());
        let sides: [&mut dyn Baseline; 2] = [&mut bundle, &mut map];
        let mut line = format!("{:26} built {:.1?} {}", workload.name, built, workload.notes);
        let mut digests = Vec::new();
        for side in sides {
            let mut times = Vec::new();
            for _ in 0..8 {
                let mut total = 0.0;
                for case in &workload.cases {
                    let execution = side.execute(case).unwrap();
                    total += execution.elapsed.as_secs_f64() * 1e3;
                    digests.push(Digest::new(&execution.receipts, &execution.diff));
                    let failed = execution.receipts.iter().filter(|receipt| !receipt.success).count();
                    let gas = execution.receipts.last().unwrap().cumulative_gas_used;
                    if times.is_empty() {
                        line += &format!(" [gas {gas}, failed {failed}]");
                    }
                }
                times.push(total);
            }
            times[2..].sort_by(f64::total_cmp);
            line += &format!(" {} {:.2} ms (min {:.2})", side.name(), times[4], times[2]);
        }
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
        println!("{line}");
    }
}
