//! Every format read back by a reader that is not ours: each document is well-formed, and says of
//! each test what the report says.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use checks::model::Outcome;
use quick_xml::events::Event;
use serde_json::Value;
use stsgrade::report::{Format, Report};

use crate::platform_schemas::assert_follows_its_platform;

/// Fails where the document is not well-formed; `report` is what it must tell of, where it was
/// judged.
#[track_caller]
pub(crate) fn assert_well_formed(format: Format, page: &str, report: Option<&Report>) {
    assert_follows_its_platform(format, page);
    let told = match format {
        Format::Text => return,
        Format::Json => json(page, "checks", |test| test["outcome"].as_str() == Some("fail")),
        Format::Markdown => markdown(page),
        Format::Junit => junit(page),
        Format::Tap => tap(page),
        Format::Github => github(page),
        Format::Gradescope => json(page, "tests", |test| test["status"] == "failed"),
        Format::Classroom50 => {
            json(page, "tests", |test| test["passed"] == false && test["outcome"] == "fail")
        }
        Format::Prairielearn => {
            pictures(page);
            json(page, "tests", |test| test["description"] == "fail")
        }
        Format::Autolab => autolab(page),
        Format::Check50 => json(page, "results", |test| test["passed"] == false),
        Format::Csv => csv(page),
        Format::Html => html(page),
        Format::Svg => return drop(xml(page)),
    };
    let Some(report) = report else { return };
    let failed = report.checks.iter().filter(|it| it.outcome == Outcome::Fail).count();
    assert_eq!(told, failed, "{format:?} tells of other failures: {page}");
}

/// How many tests of a list failed.
fn json(page: &str, tests: &str, is_failed: impl Fn(&Value) -> bool) -> usize {
    let page: Value = serde_json::from_str(page).unwrap();
    page[tests].as_array().map_or(0, |tests| tests.iter().filter(|it| is_failed(it)).count())
}

/// A document of at most 1 MB, whose pictures are SVG that runs and loads nothing.
fn pictures(page: &str) {
    assert!(page.len() <= 1_000_000, "{} bytes", page.len());
    let page: Value = serde_json::from_str(page).unwrap();
    for image in page["images"].as_array().into_iter().flatten() {
        let url = image["url"].as_str().unwrap();
        let picture = url.strip_prefix("data:image/svg+xml;base64,").unwrap();
        let picture = STANDARD.decode(picture).unwrap();
        let elements = xml(std::str::from_utf8(&picture).unwrap());
        assert!(elements.iter().all(|(name, _)| name != "script" && name != "foreignObject"));
    }
}

fn junit(page: &str) -> usize {
    let mut reader = quick_xml::Reader::from_str(page);
    reader.config_mut().enable_all_checks(true);
    let (mut counts, mut depth) = (BTreeMap::<String, usize>::new(), 0_i32);
    loop {
        let name = match reader.read_event().unwrap() {
            Event::Start(tag) => {
                depth += 1;
                tag.attributes().for_each(|it| {
                    quick_xml::escape::unescape(&it.unwrap().value).unwrap();
                });
                tag.name().as_ref().to_owned()
            }
            Event::End(_) => {
                depth -= 1;
                continue;
            }
            Event::Eof => break,
            Event::PI(_) | Event::DocType(_) | Event::CData(_) => panic!("only text: {page}"),
            _ => continue,
        };
        *counts.entry(name).or_default() += 1;
    }
    assert_eq!(depth, 0, "{page}");
    assert_eq!((counts["testsuites"], counts["testsuite"]), (1, 1), "{page}");
    let known = ["testsuites", "testsuite", "testcase", "failure", "error", "properties"]
        .map(str::to_owned);
    assert!(counts.keys().all(|it| known.contains(it)), "an element of another's: {counts:?}");
    counts.get("failure").copied().unwrap_or_default()
}

/// All elements by name, with the text of those that are asked for. Nothing but elements,
/// attributes, text and references is let through.
fn xml(page: &str) -> Vec<(String, String)> {
    let mut reader = quick_xml::Reader::from_str(page);
    reader.config_mut().enable_all_checks(true);
    let (mut open, mut closed): (Vec<(String, String)>, _) = (vec![], vec![]);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                assert_attributes(&tag);
                open.push((tag.name().as_ref().to_owned(), String::new()));
            }
            Event::Empty(tag) => assert_attributes(&tag),
            Event::End(_) => {
                let ended = open.pop().unwrap();
                if let Some(around) = open.last_mut() {
                    around.1.push_str(&ended.1);
                }
                closed.push(ended);
            }
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.1.push_str(&text);
                }
            }
            Event::GeneralRef(_) | Event::DocType(_) => {}
            Event::Eof => break,
            other => panic!("{other:?} in {page}"),
        }
    }
    assert!(open.is_empty() && !closed.is_empty(), "{page}");
    closed
}

/// No attribute twice, none that runs anything, and all values whole.
fn assert_attributes(tag: &quick_xml::events::BytesStart<'_>) {
    for attribute in tag.attributes() {
        let attribute = attribute.unwrap();
        let (name, value) = (attribute.key.as_ref().to_owned(), attribute.value.to_string());
        quick_xml::escape::unescape(&value).unwrap();
        assert!(!name.starts_with("on") && name != "style", "{name}={value}");
        assert!(name != "href" || value.starts_with('#'), "{name}={value}");
        assert!(name != "src" && name != "srcdoc", "{name}={value}");
    }
}

/// A page that may run its own script alone, and loads nothing.
fn html(page: &str) -> usize {
    let elements = xml(page);
    let count = |name: &str| elements.iter().filter(|(it, _)| it == name).count();
    assert_eq!((count("html"), count("body"), count("style")), (1, 1, 1), "{page}");
    assert!(count("script") <= 1 && count("iframe") + count("object") == 0, "{page}");
    assert!(page.contains("content=\"default-src &#39;none&#39;; style-src"), "{page}");
    let failed = |(name, text): &&(String, String)| name == "summary" && text.ends_with("failed");
    elements.iter().filter(failed).count()
}

fn csv(page: &str) -> usize {
    let mut reader = csv::Reader::from_reader(page.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1, "{page}");
    let formula = rows[0].iter().find(|it| it.starts_with(['=', '+', '-', '@', '\t', '\r']));
    assert_eq!(formula, None, "{page}");
    rows[0].iter().filter(|it| *it == "fail").count()
}

fn autolab(page: &str) -> usize {
    let (shown, scores) = page.trim_end().rsplit_once('\n').unwrap();
    let (shown, scores): (Value, Value) =
        (serde_json::from_str(shown).unwrap(), serde_json::from_str(scores).unwrap());
    for stage in shown["stages"].as_array().unwrap() {
        assert!(shown[stage.as_str().unwrap()].is_object(), "{page}");
    }
    scores["scores"].as_object().unwrap().values().filter(|it| *it == 0).count()
}

/// A reader of TAP 14: its version, one plan, and as many test points, numbered, as planned.
fn tap(page: &str) -> usize {
    let mut lines = page.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    let (mut planned, mut seen, mut failed, mut bailed, mut is_yaml) = (0, 0, 0, false, false);
    for line in lines {
        match line {
            "  ---" => is_yaml = true,
            "  ..." => is_yaml = false,
            _ if is_yaml => {
                let (_, value) = line.split_once(": ").unwrap();
                if value.starts_with('"') {
                    serde_json::from_str::<String>(value).unwrap();
                } else {
                    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_. ".contains(c);
                    assert!(value.chars().all(is_plain), "{line}");
                }
            }
            _ if line.starts_with("# ") => {}
            _ if line.starts_with("1..") => planned = line[3..].parse().unwrap(),
            _ if line.starts_with("Bail out! ") => bailed = true,
            _ => {
                let point = line.strip_prefix("not ").unwrap_or(line);
                seen += 1;
                assert!(point.starts_with(&format!("ok {seen} - ")), "{line}");
                failed += usize::from(point != line);
                // One directive at most: any other sharp is escaped.
                let sharps = line.replace("\\\\", "").replace("\\#", "").matches('#').count();
                assert_eq!(sharps, usize::from(line.contains(" # SKIP ")), "{line}");
            }
        }
    }
    assert!(!is_yaml && (bailed || planned == seen), "{page}");
    failed
}

/// Commands of GitHub Actions: nothing else stands at the beginning of a line.
fn github(page: &str) -> usize {
    for line in page.lines() {
        let command = line.strip_prefix("::").unwrap_or_else(|| panic!("no command: {line}"));
        let (command, _) = command.split_once("::").unwrap();
        let (level, properties) = command.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&level), "{line}");
        for property in properties.split(',') {
            let (name, _) = property.split_once('=').unwrap();
            assert!(["title", "file", "line"].contains(&name), "{line}");
        }
    }
    for level in ["error", "warning", "notice"] {
        let count = page.lines().filter(|it| it.starts_with(&format!("::{level} "))).count();
        assert!(count <= 10, "GitHub shows ten: {page}");
    }
    page.lines().filter(|it| it.starts_with("::error title=Test ")).count()
}

/// Text, one table and code: no markup of another's, no link and no picture.
fn markdown(page: &str) -> usize {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let (mut tables, mut text) = (0, String::new());
    for event in Parser::new_ext(page, Options::all()) {
        match event {
            Event::Html(it) | Event::InlineHtml(it) => panic!("markup {it:?} in {page}"),
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strong) => {
                panic!("markup in {page}")
            }
            Event::Start(Tag::Table(columns)) => {
                tables += 1;
                assert_eq!(columns.len(), 5);
            }
            Event::Text(it) => text.push_str(&it),
            Event::End(_) => text.push('\n'),
            _ => {}
        }
    }
    assert!(tables <= 1, "{page}");
    text.lines().filter(|it| *it == "❌ fail").count()
}
