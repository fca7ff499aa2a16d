//! Compares the join with its definition: all pairs, canonical distance, order by (distance, id).
use rarefy_join::{Error, Graph, Isa, Metric, Options, Progress, self_join};
use std::sync::atomic::AtomicBool;

const METRICS: [Metric; 3] = [Metric::Euclidean, Metric::Cosine, Metric::Dot];

fn sum(x: &[f32], y: &[f32], term: fn(f64, f64) -> f64) -> f64 {
    let mut lane = [0f64; 8];
    for c in 0..x.len() {
        lane[c % 8] += term(f64::from(x[c]), f64::from(y[c]));
    }
    let [a, b, c, d, e, f, g, h] = lane;
    a + e + (c + g) + (b + f + (d + h))
}

fn distance(metric: Metric, x: &[f32], y: &[f32]) -> f32 {
    let product = |x, y| sum(x, y, |a, b| a * b);
    match metric {
        Metric::Euclidean => sum(x, y, |a, b| (a - b) * (a - b)).sqrt() as f32,
        Metric::Dot => (0.0 - product(x, y)) as f32 + 0.0,
        Metric::Cosine => {
            let lengths = (product(x, x) * product(y, y)).sqrt();
            if lengths == 0.0 { 1.0 } else { (1.0 - product(x, y) / lengths).max(0.0) as f32 }
        }
    }
}

fn by_definition(metric: Metric, data: &[f32], rows: usize, cols: usize, k: usize) -> (Vec<i32>, Vec<u32>) {
    let (mut ids, mut distances) = (Vec::new(), Vec::new());
    for i in 0..rows {
        let other = |j: usize| (distance(metric, &data[i * cols..][..cols], &data[j * cols..][..cols]), j);
        let mut all: Vec<(f32, usize)> = (0..rows).filter(|&j| j != i).map(other).collect();
        all.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap().then(a.1.cmp(&b.1)));
        all.resize(k.max(all.len()), (f32::INFINITY, usize::MAX));
        ids.extend(all[..k].iter().map(|entry| entry.1 as i32));
        distances.extend(all[..k].iter().map(|entry| entry.0.to_bits()));
    }
    (ids, distances)
}

fn join(data: &[f32], rows: usize, cols: usize, k: usize, change: impl FnOnce(&mut Options)) -> Result<Graph, Error> {
    let (abort, progress) = (AtomicBool::new(false), Progress::default());
    let mut options = Options { k, metric: Metric::Dot, threads: 1, isa: Isa::best(), dedupe: true, abort: &abort, progress: &progress };
    change(&mut options);
    let graph = self_join(data, rows, cols, &options)?;
    if rows > 1 {
        assert_eq!(progress.share(), 1.0);
    }
    Ok(graph)
}

/// A fixed sequence of uniform numbers.
fn uniforms(mut seed: u64) -> impl FnMut() -> f32 {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1u32 << 24) as f32
    }
}

#[test]
fn every_instruction_set_number_of_threads_and_grouping_gives_the_definition() {
    type Kind = fn(&mut dyn FnMut() -> f32) -> f32;
    let kinds: [(&str, Kind); 9] = [
        ("whole numbers", |u| (u() * 3.0).floor()),
        ("bits", |u| f32::from(u() < 0.5)),
        ("sums of uniforms", |u| u() + u() + u() - 1.5),
        ("far from zero", |u| 1000.0 + u()),
        ("mostly zero", |u| if u() > 0.97 { 1.0 } else { -0.0 * (u() - 0.5).signum() }),
        ("all zero", |_| 0.0),
        ("tiny", |u| u() * 1e-42),
        ("huge", |u| (u() - 0.5) * 2.0 * f32::MAX),
        ("many scales", |u| (u() - 0.5) * 10f32.powf(u() * 60.0 - 30.0)),
    ];
    for (seed, (name, kind)) in kinds.into_iter().enumerate() {
        for (rows, cols, k) in [(1, 1, 1), (2, 1, 3), (420, 3, 30), (800, 17, 10), (300, 64, 74), (300, 65, 75)] {
            let mut next = uniforms(seed as u64);
            let data: Vec<f32> = (0..rows * cols).map(|_| kind(&mut next)).collect();
            for metric in METRICS {
                let (ids, distances) = by_definition(metric, &data, rows, cols, k);
                for isa in Isa::supported() {
                    for (threads, dedupe) in [(1, true), (3, false)] {
                        let graph = join(&data, rows, cols, k, |o| {
                            (o.metric, o.isa, o.threads, o.dedupe) = (metric, isa, threads, dedupe);
                        })
                        .unwrap();
                        let what = format!("{name} {rows} x {cols} {metric:?} {} {threads}", isa.name());
                        assert!(graph.ids == ids, "{what}");
                        assert!(graph.distances.iter().map(|value| value.to_bits()).eq(distances.iter().copied()), "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_work_does_not_depend_on_threads_and_instructions() {
    let (rows, cols, k) = (4000, 3, 2);
    let mut next = uniforms(3);
    // Half of the rows are too close together for int16.
    let data: Vec<f32> = (0..rows * cols).map(|at| if at / cols % 2 == 0 { 1.0 + 3e-6 * next() } else { next() }).collect();
    let scans = |isa, threads| {
        let graph = join(&data, rows, cols, k, |o| (o.isa, o.threads) = (isa, threads)).unwrap();
        (graph.full_scans, graph.distinct_rows, graph.ids)
    };
    let first = scans(Isa::best(), 1);
    for isa in Isa::supported() {
        for threads in [1, 2, 7] {
            assert!(scans(isa, threads) == first);
        }
    }
}

#[test]
fn sizes_that_do_not_fit_and_values_that_are_not_finite_are_refused() {
    assert_eq!(join(&[0.0; 5], 4, 1, 1, |_| ()).unwrap_err(), Error::Shape);
    assert_eq!(join(&[], 4, 0, 1, |_| ()).unwrap_err(), Error::Shape);
    assert_eq!(join(&[0.0; 4], 4, 1, 0, |_| ()).unwrap_err(), Error::Shape);
    assert_eq!(join(&[0.0; 4], usize::MAX, 2, 1, |_| ()).unwrap_err(), Error::Shape);
    assert_eq!(join(&[0.0; 4], 4, 1, usize::MAX / 2, |_| ()).unwrap_err(), Error::OutOfMemory);
    assert_eq!(join(&[0.0, 1.0, f32::NAN, f32::INFINITY], 4, 1, 1, |o| o.threads = 4).unwrap_err(), Error::NotFinite(2));
    assert!(join(&[], 0, 3, 1, |_| ()).unwrap().ids.is_empty());
}

#[test]
fn an_abort_ends_the_join() {
    let (abort, progress) = (AtomicBool::new(true), Progress::default());
    let data: Vec<f32> = (0..2000).map(|at| at as f32).collect();
    let options = Options { k: 3, metric: Metric::Dot, threads: 2, isa: Isa::best(), dedupe: true, abort: &abort, progress: &progress };
    assert_eq!(self_join(&data, 2000, 1, &options).unwrap_err(), Error::Aborted);
    assert_eq!(progress.share(), 0.0);
}
