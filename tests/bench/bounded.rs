//! Whether judging is linear in the recording, whatever is in it.
//!
//! `cargo bench --bench bounded`; with names behind `--`, such as `pods`, only those cases. A
//! recording of a real grade grows by many lines of one kind at a time. A time says something about
//! a machine; what is compared is judging with merely reading the same lines, in the same run. Ends
//! with a failure where judging takes many times as long, as a quadratic judge does.

#![expect(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::{
    fmt::Write as _,
    fs,
    io::Cursor,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stsgrade::{
    recording::{Folded, Reader, fold, fold_for},
    report::{Format, Report, RunResult, Source, View, render},
};

/// How many lines are added. With so many, a quadratic judge takes tens of times as long as reading
/// them.
const LINES: u64 = 10_000;
/// Judging folds each line and goes through what it made of them some ten times: that is a few
/// times what reading takes.
const MOST_TIMES_READING: f64 = 8.0;
/// Judging four times as much takes about four times as long; a quadratic judge takes sixteen times.
const MOST_FOR_FOUR_TIMES: f64 = 8.0;
/// How often a pair is measured before judging counts as too slow.
const ROUNDS: u32 = 3;
/// No page is larger than this, in bytes, whatever was recorded.
const MAX_PAGE_BYTES: usize = 5_000_000;

/// The recording's own objects, by which further ones are made.
struct Sample {
    header: String,
    judged: Vec<Value>,
    end: Value,
}

impl Sample {
    fn read() -> Self {
        Self::of("pass/append")
    }

    fn of(fixture: &str) -> Self {
        let path = format!("{}/fixtures/{fixture}/recording.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines();
        let header = lines.next().unwrap().to_owned();
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        let end = lines.iter().position(|line| line.get("end").is_some()).unwrap();
        Self { header, judged: lines[..end].to_vec(), end: lines[end].clone() }
    }

    /// The first line with something at a path.
    fn first(&self, path: &str) -> Value {
        self.judged.iter().find(|line| line.pointer(path).is_some()).unwrap().clone()
    }

    /// The last line about an object of this kind and name, with the spec that was last told.
    fn last(&self, kind: &str, name: &str) -> Value {
        let of = |line: &&Value| line["object"][kind]["metadata"]["name"] == name;
        let mut line = self.judged.iter().rfind(of).unwrap().clone();
        if let Some(spec) = self
            .judged
            .iter()
            .filter(of)
            .filter_map(|line| line["object"][kind].get("spec"))
            .next_back()
        {
            line["object"][kind]["spec"] = spec.clone();
        }
        line
    }

    /// A recording of pods that write one line, with the time, at each start, and so many numbers
    /// that are always the same.
    fn with_numbers(mut self, count: usize) -> Vec<u8> {
        for line in &mut self.judged {
            let Some(read) = line.get_mut("read") else { continue };
            let pod = read["pod"]["name"].as_str().unwrap().as_bytes();
            let first = u64::from(*pod.last().unwrap()) * 1_000_000_007;
            for file in read["files"].as_array_mut().unwrap() {
                let own = file["content"].as_str().unwrap().lines().last().unwrap();
                let mut content = format!("{}\n", own.split(" started").next().unwrap());
                for number in (1_u64..).take(count) {
                    let value = (first * number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
                    writeln!(content, "{value:013}").unwrap();
                }
                file["content"] = json!(content);
            }
        }
        self.with(std::iter::empty())
    }

    /// A recording of pods with so many files on their claims: `content` is of a number, the pod's
    /// name, and the line that its newest start wrote.
    fn with_files(
        mut self,
        count: usize,
        content: impl Fn(usize, &str, &str) -> String,
    ) -> Vec<u8> {
        for line in &mut self.judged {
            let Some(read) = line.get_mut("read") else { continue };
            let name = read["pod"]["name"].as_str().unwrap().to_owned();
            let Some(first) = read["files"].get(0).cloned() else { continue };
            let newest = first["content"].as_str().unwrap().lines().last().unwrap();
            let files = (0..count).map(|number| {
                let content = content(number, &name, newest);
                let mut file = first.clone();
                file["path"] = json!(format!("file-{number}"));
                (file["size"], file["content"]) = (json!(content.len()), json!(content));
                file.as_object_mut().unwrap().remove("digest");
                file
            });
            read["files"] = files.collect();
        }
        self.with(std::iter::empty())
    }

    /// A recording of a set whose containers run this script.
    fn running(mut self, script: &str) -> Vec<u8> {
        let mut found = 0;
        for line in &mut self.judged {
            let template = "/object/StatefulSet/spec/template/spec/containers/0";
            let Some(container) = line.pointer_mut(template) else { continue };
            container["command"] = json!(["sh", "-c", script]);
            container.as_object_mut().unwrap().remove("args");
            found += 1;
        }
        assert!(found > 0, "no set was changed");
        self.with(std::iter::empty())
    }

    /// A recording that goes on with these lines before its end.
    fn with(&self, more: impl Iterator<Item = Value>) -> Vec<u8> {
        let mut out = self.header.clone();
        for (seq, mut line) in
            (1_u64..).zip(self.judged.iter().cloned().chain(more).chain([self.end.clone()]))
        {
            line["seq"] = json!(seq);
            line["at"] = json!(seq * 1_000_000);
            write!(out, "\n{line}").unwrap();
        }
        out.push('\n');
        out.into_bytes()
    }
}

/// A line about an object that differs from `line` by name and UID.
fn object(line: &Value, change: &str, name: &str, uid: &str) -> Value {
    let mut line = line.clone();
    line["change"] = json!(change);
    for object in line["object"].as_object_mut().unwrap().values_mut() {
        object["metadata"]["name"] = json!(name);
        object["metadata"]["uid"] = json!(uid);
    }
    line
}

fn time(run: impl Fn()) -> Duration {
    let begin = Instant::now();
    run();
    begin.elapsed()
}

fn reader(recording: &[u8]) -> Reader {
    Reader::from(Box::new(Cursor::new(recording.to_vec())), "it").unwrap()
}

fn read(recording: &[u8]) {
    let mut reader = reader(recording);
    while reader.next().unwrap().is_some() {}
}

fn judge(recording: &[u8]) {
    drop(judged(recording));
}

fn judged(recording: &[u8]) -> (Report, Folded) {
    let folded = fold(reader(recording)).unwrap();
    let source = Source::of(&folded.header, folded.digest.clone());
    (Report::of(&source, &folded.timeline), folded)
}

/// Fails where judging takes many times as long as reading.
#[track_caller]
fn assert_bounded(what: &str, sample: &Sample, line: impl Fn(u64) -> Value) {
    let recording = sample.with((0..LINES).map(line));
    let mut lowest = f64::INFINITY;
    // Another process may take the processor from one of the two: the lowest of some ratios counts.
    for _ in 0..ROUNDS {
        let reading = time(|| read(&recording));
        let judging = time(|| judge(&recording));
        lowest = lowest.min(judging.as_secs_f64() / reading.as_secs_f64());
        if lowest < MOST_TIMES_READING {
            break;
        }
    }
    println!("{lowest:6.2} times as long as reading: {what}");
    assert!(
        lowest < MOST_TIMES_READING,
        "{what}: judging {LINES} lines takes {lowest:.1} times as long as reading them"
    );
    assert_drawn(what, &recording);
}

/// Fails where the page with the timeline takes many times as long as reading, or is too large.
#[track_caller]
fn assert_drawn(what: &str, recording: &[u8]) {
    let (report, folded) = judged(recording);
    let view = View::plain(RunResult::Judged { report: &report, timeline: &folded.timeline });
    let mut lowest = f64::INFINITY;
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let reading = time(|| read(recording));
        let begin = Instant::now();
        bytes = render(Format::Html, &view).len();
        lowest = lowest.min(begin.elapsed().as_secs_f64() / reading.as_secs_f64());
        if lowest < MOST_TIMES_READING {
            break;
        }
    }
    println!("{lowest:6.2} times as long as reading: drawn, {bytes} bytes");
    assert!(
        lowest < MOST_TIMES_READING && bytes < MAX_PAGE_BYTES,
        "{what}: drawing {LINES} lines takes {lowest:.1} times as long as reading them, {bytes} \
         bytes"
    );
}

/// Two lines in turn: a pod comes, and goes.
fn comes_and_goes(pod: &Value, number: u64, name: &str) -> Value {
    let uid = format!("pod-{}", number / 2);
    object(pod, if number.is_multiple_of(2) { "added" } else { "deleted" }, name, &uid)
}

fn pods() {
    let sample = Sample::read();
    let pod = sample.last("Pod", "web-1");
    let mut stray = pod.clone();
    stray["object"]["Pod"]["metadata"]["ownerReferences"] = json!([]);
    assert_bounded("one pod, told again and again", &sample, |_| pod.clone());
    assert_bounded("one ordinal, made anew each time", &sample, |n| {
        comes_and_goes(&pod, n, "web-1")
    });
    assert_bounded("a new ordinal each time", &sample, |n| {
        comes_and_goes(&pod, n, &format!("web-{}", n / 2 + 5))
    });
    assert_bounded("pods of nobody", &sample, |n| {
        comes_and_goes(&stray, n, &format!("stray-{}", n / 2))
    });
    assert_bounded("pods of nobody that stay", &sample, |n| {
        object(&stray, "added", &format!("stray-{n}"), &format!("stray-{n}"))
    });
    assert_bounded("pods of one ordinal that lose their set", &sample, |n| {
        let number = if n < LINES / 2 { n } else { n - LINES / 2 };
        let line = if n < LINES / 2 { &pod } else { &stray };
        object(line, "modified", "web-1", &format!("pod-{number}"))
    });
    let sample = Sample::of("fail/container_ends/exits_at_start");
    let crashing = sample.last("Pod", "web-0");
    assert_bounded("a crash loop in each pod of one ordinal", &sample, |n| {
        comes_and_goes(&crashing, n, "web-0")
    });
    assert_bounded("a crash loop in each ordinal", &sample, |n| {
        comes_and_goes(&crashing, n, &format!("web-{}", n / 2))
    });
    let sample = Sample::read();
    assert_bounded("old lives of one ordinal, told again", &sample, |n| {
        let number = if n < LINES / 2 { n } else { n - LINES / 2 };
        object(&pod, "modified", "web-1", &format!("pod-{number}"))
    });
}

/// Pods of one ordinal that each were Ready and then end again and again, and after them such that
/// ended once: each of these is asked to outlast all those before it.
fn crash_loops() {
    let mut sample = Sample::read();
    // Recorded by hand: how many pods are asked for is told by the periods in which they stood.
    sample.judged.retain(|line| line.get("step").is_none());
    let (pod, read) = (sample.last("Pod", "web-1"), sample.first("/read"));
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-11-23T04:59:51Z", "finishedAt": "2026-11-23T04:59:53Z"}});
    let running = json!({"running": {"startedAt": "2026-11-23T04:59:55Z"}});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
    assert_bounded("lives that end again and again, and lives that ended once", &sample, |n| {
        const LINES_OF_LIFE: u64 = 4;
        let (life, phase) = (n / LINES_OF_LIFE, n % LINES_OF_LIFE);
        let uid = format!("pod-{life:05}");
        let mut line = object(&pod, if phase == 0 { "added" } else { "modified" }, "web-1", &uid);
        let status = &mut line["object"]["Pod"]["status"]["containerStatuses"][0];
        (status["restartCount"], status["state"]) = (json!(0), running.clone());
        match phase {
            0 => {}
            1 => {
                let mut line = read.clone();
                line["read"]["pod"] = json!({"name": "web-1", "uid": uid});
                line["read"]["claim"] = json!("data-web-1");
                return line;
            }
            _ => {
                let is_in_loop = n < LINES / 2;
                status["restartCount"] = json!(if is_in_loop { 5 } else { 1 });
                status["lastState"] = ended.clone();
                if is_in_loop {
                    status["state"] = waiting.clone();
                    line["object"]["Pod"]["status"]["conditions"] = json!([]);
                }
            }
        }
        if phase == LINES_OF_LIFE - 1 {
            line["change"] = json!("deleted");
            line["object"]["Pod"]["metadata"]["deletionTimestamp"] = json!("2026-11-23T05:00:26Z");
        }
        line
    });
}

fn sets() {
    let sample = Sample::read();
    let set = sample.last("StatefulSet", "web");
    let mut subject = sample.first("/subject");
    subject["subject"]["others"] = json!(["Deployment web"]);
    let scaled = |replicas: u64| {
        let mut line = set.clone();
        line["object"]["StatefulSet"]["spec"]["replicas"] = json!(replicas);
        line
    };
    let pod = sample.last("Pod", "web-2");
    assert_bounded("a set that is scaled again and again", &sample, |n| scaled(3 + 2 * (n % 2)));
    assert_bounded("a set that is scaled to all numbers", &sample, scaled);
    assert_bounded("a set that is scaled, and its pods with it", &sample, |n| match n % 4 {
        0 => scaled(2),
        1 => object(&pod, "deleted", "web-2", &format!("pod-{}", n / 4)),
        2 => scaled(3),
        _ => object(&pod, "added", "web-2", &format!("pod-{}", n / 4 + 1)),
    });
    assert_bounded("a set whose template changes", &sample, |n| {
        let mut line = set.clone();
        line["object"]["StatefulSet"]["spec"]["template"]["metadata"]["labels"]["n"] =
            json!(n.to_string());
        line
    });
    assert_bounded("many sets", &sample, |n| {
        object(&set, "added", &format!("other-{n}"), &format!("other-{n}"))
    });
    assert_bounded("many sets that go", &sample, |n| {
        object(
            &set,
            if n.is_multiple_of(2) { "added" } else { "deleted" },
            &format!("other-{}", n / 2),
            &format!("other-{}", n / 2),
        )
    });
    assert_bounded("many lives of one set", &sample, |n| {
        object(&set, "added", "web", &format!("set-{n}"))
    });
    assert_bounded("many subjects", &sample, |_| subject.clone());
    one_set_among_many(sample, &set);
}

/// Fails where judging one set by its name takes many times as long among four times as many sets.
fn one_set_among_many(mut sample: Sample, set: &Value) {
    sample.judged.retain(|line| line.get("step").is_none());
    let mut header: Value = serde_json::from_str(&sample.header).unwrap();
    header["asked"] = json!({"command": "record"});
    sample.header = header.to_string();
    let others = |count: u64| {
        sample.with((0..count).map(|n| {
            let name = format!("other-{n}");
            object(set, "added", &name, &name)
        }))
    };
    let judge_one = |recording: &[u8]| {
        let folded = fold_for(reader(recording), Some("web")).unwrap();
        assert_eq!(folded.timeline.set().unwrap().name, "web");
    };
    assert_four_times_by(judge_one, "sets beside the one that is named", |times| {
        others(times * LINES / 4)
    });
}

fn claims_services_and_slices() {
    let sample = Sample::read();
    let (claim, service, slice) = (
        sample.last("PersistentVolumeClaim", "data-web-1"),
        sample.last("Service", "web"),
        sample.first("/object/EndpointSlice"),
    );
    assert_bounded("many claims", &sample, |n| {
        object(&claim, "added", &format!("claim-{n}"), &format!("claim-{n}"))
    });
    assert_bounded("many lives of one claim", &sample, |n| {
        object(&claim, "added", "data-web-1", &format!("claim-{n}"))
    });
    assert_bounded("many Services", &sample, |n| {
        object(&service, "added", &format!("service-{n}"), &format!("service-{n}"))
    });
    assert_bounded("a Service that changes", &sample, |n| {
        let mut line = service.clone();
        line["object"]["Service"]["spec"]["selector"]["n"] = json!(n.to_string());
        line
    });
    assert_bounded("many EndpointSlices", &sample, |n| {
        object(&slice, "added", &format!("slice-{n}"), &format!("slice-{n}"))
    });
    assert_bounded("gaps in which much vanished", &sample, |n| {
        if n < LINES / 2 {
            return object(&claim, "added", &format!("claim-{n}"), &format!("claim-{n}"));
        }
        json!({"gap": {"kind": "PersistentVolumeClaim", "reason": "expired", "vanished": [format!("claim-{}", n - LINES / 2)]}})
    });
    assert_bounded("gaps in which one name's lives vanished", &sample, |n| {
        if n < LINES / 2 {
            return object(&claim, "added", "claim", &format!("claim-{n}"));
        }
        json!({"gap": {"kind": "PersistentVolumeClaim", "reason": "expired", "vanished": [format!("claim-{}", n - LINES / 2)]}})
    });
}

fn events() {
    let sample = Sample::read();
    let pod = sample.last("Pod", "web-1")["object"]["Pod"]["metadata"]["uid"].clone();
    let event = |number: u64, about: Value| {
        json!({"change": "added", "object": {"Event": {"metadata": {"name": format!("e-{number}"), "uid": format!("e-{number}")},
            "involvedObject": {"kind": "Pod", "name": "web-1", "uid": about}, "reason": "FailedMount", "message": "no", "type": "Warning", "count": 1}}})
    };
    assert_bounded("many Events of one pod", &sample, |n| event(n, pod.clone()));
    assert_bounded("many Events of many pods", &sample, |n| event(n, json!(format!("pod-{n}"))));
    assert_bounded("one Event, told again and again", &sample, |_| event(1, pod.clone()));
    assert_bounded("Events and steps that end in nothing", &sample, |n| match n % 4 {
        0 => json!({"step": {"name": "observe", "phase": "begin", "asked": {"replicas": 3}}}),
        1 => json!({"step": {"name": "observe", "phase": "stuck"}}),
        _ => event(n, pod.clone()),
    });
}

fn what_the_grader_did_and_read() {
    let sample = Sample::read();
    let (read, canary, lookup) =
        (sample.first("/read"), sample.first("/canary/wrote"), sample.first("/lookup/of"));
    let about = |line: &Value, field: &str, number: u64| {
        let mut line = line.clone();
        line[field]["pod"]["uid"] = json!(format!("pod-{number}"));
        line
    };
    assert_bounded("one pod's files, read again and again", &sample, |_| read.clone());
    assert_bounded("many pods' files", &sample, |n| about(&read, "read", n));
    assert_bounded("files that could not be read", &sample, |_| {
        let mut line = read.clone();
        line["read"]["error"] = json!("no shell");
        line
    });
    assert_bounded("one canary, seen again and again", &sample, |_| canary.clone());
    assert_bounded("many canaries on one claim", &sample, |n| {
        let mut line = about(&canary, "canary", n);
        line["canary"]["wrote"]["token"] = json!(n.to_string());
        line["canary"]["saw"] = json!([{"file": "f", "token": n.to_string()}]);
        line
    });
    assert_bounded("one name, asked again and again", &sample, |_| lookup.clone());
    assert_bounded("one name that nobody answers", &sample, |_| {
        let mut line = lookup.clone();
        (line["lookup"]["addresses"], line["lookup"]["error"]) = (json!([]), json!("NXDOMAIN"));
        line
    });
    assert_bounded("many pods' names", &sample, |n| {
        let mut line = lookup.clone();
        line["lookup"]["of"]["uid"] = json!(format!("pod-{n}"));
        line
    });
    assert_bounded(
        "many logs",
        &sample,
        |n| json!({"diagnosis": {"logs": {"pod": {"name": "web-1", "uid": format!("pod-{}", n % 2)}, "container": "app", "previous": false, "lines": ["no"]}}}),
    );
    assert_bounded(
        "steps",
        &sample,
        |n| json!({"step": {"name": "scaleUp", "phase": if n % 2 == 0 { "begin" } else { "done" }, "asked": {"replicas": n % 9}}}),
    );
}

/// Fails where judging files of four times as many words takes many times as long: numbers that no
/// other pod has stay in a file that each start writes with a new date.
fn numbers_that_stay() {
    let with = |count| Sample::read().with_numbers(count);
    assert_four_times(2_000, "numbers that stay", with);
}

/// Fails where judging four times as many files on each claim takes many times as long, whatever
/// each start makes of them.
fn many_files() {
    let with = |content: fn(usize, &str, &str) -> String| {
        move |count| Sample::read().with_files(count, content)
    };
    const FEW: usize = 500;
    let same = |number, _: &str, _: &str| format!("file-{number}\n");
    assert_four_times(FEW, "files that all pods have", with(same));
    let rewritten = |number, _: &str, newest: &str| format!("{number} {newest}\n");
    assert_four_times(FEW, "files that each start writes anew", with(rewritten));
    let names = |number, name: &str, newest: &str| {
        if number == 0 { format!("{newest}\n") } else { format!("{name}\n") }
    };
    assert_four_times(FEW, "files with the name, beside one with a date", with(names));
    let beside = |number, name: &str, newest: &str| {
        let time = newest.trim_start_matches(name);
        if number == 0 { format!("{name}\n") } else { format!("{number} {time}\n") }
    };
    assert_four_times(FEW, "files with a date, beside one with the name", with(beside));
    let kept = |number, name: &str, newest: &str| match number % 2 {
        0 => format!("{name} {number:07} {newest}\n"),
        _ => format!("{name} {number:07}\n"),
    };
    assert_four_times(FEW, "files of which parts stay", with(kept));
}

/// Fails where judging a recording with four times as many of something takes many times as long.
fn assert_four_times(few: usize, what: &str, with: impl Fn(usize) -> Vec<u8>) {
    assert_four_times_by(judge, what, |times| with(usize::try_from(times).unwrap() * few));
}

/// The same of another way to judge; `with` is of once or of four times as many.
fn assert_four_times_by(judge: impl Fn(&[u8]), what: &str, with: impl Fn(u64) -> Vec<u8>) {
    let lowest = |times: u64| {
        let recording = with(times);
        (0..ROUNDS).map(|_| time(|| judge(&recording))).min().unwrap().as_secs_f64()
    };
    let ratio = lowest(4) / lowest(1);
    println!("{ratio:6.2} times as long: four times as many {what}");
    assert!(ratio < MOST_FOR_FOUR_TIMES, "{ratio:.1} times as long for four times as many {what}");
}

/// Fails where a report on a script of four times the length takes many times as long: what is too
/// long to be a container's is not cut into commands.
fn long_scripts() {
    const BYTES: usize = 250_000;
    let lowest = |script: &str| {
        let recording = Sample::of("fail/identity_persistence/overwrite").running(script);
        (0..ROUNDS).map(|_| time(|| judge(&recording))).min().unwrap().as_secs_f64()
    };
    for part in ["date > /usr/share/nginx/html/a;", "echo \"$(", "echo $POD_NAM;", "cat <<EOF\n"] {
        let script = |times: usize| part.repeat(times * BYTES / part.len());
        let ratio = lowest(&script(4)) / lowest(&script(1));
        println!("{ratio:6.2} times as long: a script of four times as much {part:?}");
        assert!(ratio < MOST_FOR_FOUR_TIMES, "{part:?}: {ratio:.1} times as long");
    }
}

fn main() {
    let all: [(&str, fn()); 9] = [
        ("numbers", numbers_that_stay),
        ("files", many_files),
        ("scripts", long_scripts),
        ("pods", pods),
        ("crashLoops", crash_loops),
        ("sets", sets),
        ("claims", claims_services_and_slices),
        ("events", events),
        ("reads", what_the_grader_did_and_read),
    ];
    // Cargo adds a flag of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    for (name, run) in all {
        if wanted.is_empty() || wanted.iter().any(|it| it == name) {
            run();
        }
    }
}
