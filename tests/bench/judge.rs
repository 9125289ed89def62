//! How long judging takes, against what no judge can do without: reading the bytes, and parsing
//! their JSON.
//!
//! `cargo bench --bench judge`. A time says something about a machine; the ratios in one run say
//! something about the judge.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::{fs, hint::black_box, io::Cursor, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stsgrade::{
    recording::{Folded, Reader, fold},
    report::{Format, Points, Report, RunResult, Source, View, render},
};

const LINES: usize = 100_000;

/// A fixture's recording, in which the last changes of its objects come again and again before the
/// end.
fn long_recording() -> Vec<u8> {
    let text = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/pass/append/recording.jsonl"
    ))
    .unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().unwrap();
    let (mut judged, mut end) = (vec![], None);
    for line in lines {
        if line.get("end").is_some() {
            end = Some(line);
            break;
        }
        judged.push(line);
    }
    let last =
        |path: &str| judged.iter().rfind(|line| line.pointer(path).is_some()).unwrap().clone();
    let again = [
        last("/object/Pod/status"),
        last("/object/StatefulSet"),
        last("/object/PersistentVolumeClaim"),
        last("/object/EndpointSlice"),
        last("/read"),
    ];
    let repeated = again.iter().cycle().take(LINES - judged.len() - 1).cloned();
    let mut out = header.to_string();
    for (seq, mut line) in judged.iter().cloned().chain(repeated).chain(end).enumerate() {
        line["seq"] = Value::from(seq + 1);
        line["at"] = Value::from((seq + 1) * 1_000_000);
        out.push('\n');
        out.push_str(&line.to_string());
    }
    out.push('\n');
    out.into_bytes()
}

/// What the page of a recording of 100,000 lines may take, in bytes.
const MAX_PAGE_BYTES: usize = 5_000_000;

fn judge(recording: &[u8]) -> Points {
    judged(recording).0.score.earned
}

/// The page with the timeline, its length in bytes.
fn draw(recording: &[u8]) -> usize {
    let (report, folded) = judged(recording);
    let result = RunResult::Judged { report: &report, timeline: &folded.timeline };
    render(Format::Html, &View::plain(result)).len()
}

fn judged(recording: &[u8]) -> (Report, Folded) {
    let folded =
        fold(Reader::from(Box::new(Cursor::new(recording.to_vec())), "it").unwrap()).unwrap();
    let source = Source::of(&folded.header, folded.digest.clone());
    (Report::of(&source, &folded.timeline), folded)
}

fn benchmark(criterion: &mut Criterion) {
    let recording = long_recording();
    assert_eq!(judge(&recording), Points::whole(100));
    let mut group = criterion.benchmark_group("100,000 observations");
    group
        .throughput(Throughput::Bytes(recording.len() as u64))
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("judged", |bencher| bencher.iter(|| judge(black_box(&recording))));
    assert!(draw(&recording) < MAX_PAGE_BYTES);
    group
        .bench_function("judged and drawn", |bencher| bencher.iter(|| draw(black_box(&recording))));
    group.bench_function("parsed into serde_json::Value", |bencher| {
        bencher.iter(|| {
            recording
                .split(|it| *it == b'\n')
                .filter(|line| !line.is_empty())
                .for_each(|line| drop(black_box(serde_json::from_slice::<Value>(line).unwrap())))
        });
    });
    group.bench_function("digested", |bencher| {
        bencher.iter(|| Sha256::digest(black_box(&recording)))
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
