//! The rubric's file: TOML, read strictly, with the place of what cannot be understood.

use std::{collections::BTreeMap, fmt, ops::Range};

use checks::{CHECKS, Check, STAYS_UP};
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::{
    console::count::counted,
    recording::digest_text,
    rubric::{CheckRule, Detail, Points, Rubric, RulePart, UndecidedWorth},
};

/// The most points that a rubric may give for one thing.
const MAX_POINTS: u32 = 1_000_000;

/// How alike a known name must be to be suggested.
const ALIKE: f64 = 0.7;

/// A rubric that cannot be understood, and where. The texts are as the file has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct RubricError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

/// A rubric, as its file has it.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "stsgrade rubric", rename = "Rubric")]
pub struct RubricFile {
    /// From how many points on the submission passes; all of them where it is not said.
    #[schemars(with = "Option<f64>", range(min = 0))]
    pass_mark: Option<Spanned<Decimal>>,
    /// What an undecided test is worth: its points are held back, it is worth nothing, or all.
    #[serde(default)]
    undecided: UndecidedWorth,
    /// How much a report shows: the outcome of each test, the reason too, the remedy too.
    #[serde(default)]
    show: Detail,
    /// By the checks' stable names; those that are left out of this table keep the lab's points.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, CheckEntry>")]
    checks: BTreeMap<Spanned<String>, CheckEntry>,
}

/// A check.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckEntry {
    /// Points for passing: the lab's, or the sum of the criteria's, where it is not said.
    #[schemars(with = "Option<f64>", range(min = 0))]
    points: Option<Spanned<Decimal>>,
    /// The check is left out of the report.
    #[serde(default)]
    omit: bool,
    /// The submission passes only when this check does.
    #[serde(default)]
    required: bool,
    /// Each criterion that is met earns its share of the points.
    #[serde(default)]
    partial: bool,
    /// Points by the criteria's stable names. A criterion that is left out of this table is a
    /// condition for all the others.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, CriterionEntry>")]
    criteria: BTreeMap<Spanned<String>, CriterionEntry>,
}

/// A criterion: its points, and whether each pod for which it is met earns its share.
#[derive(Debug, schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the variants say what the file may hold; `Deserialize` is below")]
enum CriterionForm {
    Points(f64),
    Table(CriterionTable),
}

/// A criterion, in full.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct CriterionTable {
    /// Points for meeting it.
    #[schemars(with = "f64", range(min = 0))]
    points: Decimal,
    /// Each pod for which it is met earns its share.
    #[serde(default)]
    partial: bool,
}

/// A criterion, in either form.
#[derive(Debug)]
struct CriterionEntry(CriterionTable);

impl schemars::JsonSchema for CriterionEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Criterion".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        CriterionForm::json_schema(generator)
    }
}

/// Points as the file has them: a number of at most two decimals.
#[derive(Clone, Copy, Debug)]
struct Decimal(Points);

impl Rubric {
    /// Reads a rubric's file.
    ///
    /// # Errors
    /// The first thing in it that cannot be understood, and where it stands.
    pub fn parse(text: &str) -> Result<Self, RubricError> {
        let file: RubricFile = toml::from_str(text).map_err(|error| of_toml(text, &error))?;
        let mut rubric = Self {
            digest: Some(digest_text(&Sha256::digest(text.as_bytes()))),
            undecided: file.undecided,
            show: file.show,
            pass_mark: file.pass_mark.as_ref().map(|it| it.get_ref().0),
            ..Self::default()
        };
        for (name, entry) in &file.checks {
            let place = known(text, name, "check", CHECKS.iter().map(|check| check.id))?;
            rubric.checks[place] = rule(text, name.span(), &CHECKS[place], entry)?;
        }
        if rubric.total() == Points::ZERO {
            return Err(at(text, 0..0, "the rubric gives no points at all".to_owned()));
        }
        match file.pass_mark {
            Some(mark) if mark.get_ref().0 > rubric.total() => {
                let total = rubric.total();
                Err(at(text, mark.span(), format!("pass_mark is more than all points ({total})")))
            }
            _ => Ok(rubric),
        }
    }
}

fn rule(
    text: &str,
    span: Range<usize>,
    check: &Check,
    entry: &CheckEntry,
) -> Result<CheckRule, RubricError> {
    let mut rule =
        CheckRule { is_omitted: entry.omit, is_required: entry.required, ..CheckRule::of(check) };
    if entry.omit && (entry.required || entry.partial || entry.points.is_some()) {
        let what = format!("{} is left out by omit: nothing else can be said of it", check.id);
        return Err(at(text, span, what));
    }
    if let Some(points) = &entry.points {
        rule.points = points.get_ref().0;
    }
    if entry.criteria.is_empty() {
        if entry.partial {
            rule.parts = vec![RulePart { criterion: None, points: rule.points, is_partial: true }];
        }
        return Ok(rule);
    }
    if entry.partial {
        let what = "with criteria, partial is said of each criterion".to_owned();
        return Err(at(text, span, what));
    }
    for (name, CriterionEntry(criterion)) in &entry.criteria {
        let names = check.criteria.iter().chain([&STAYS_UP]).copied();
        let place = known(text, name, "criterion", names.clone())?;
        rule.parts.push(RulePart {
            criterion: names.clone().nth(place),
            points: criterion.points.0,
            is_partial: criterion.partial,
        });
    }
    let sum: Points = rule.parts.iter().map(|part| part.points).sum();
    match &entry.points {
        Some(points) if points.get_ref().0 != sum => {
            let sum = counted(sum, "point", "points");
            let what = format!("the criteria of {} have {sum} together", check.id);
            Err(at(text, points.span(), what))
        }
        _ => Ok(CheckRule { points: sum, ..rule }),
    }
}

/// The place of a name among the known ones.
fn known(
    text: &str,
    name: &Spanned<String>,
    what: &str,
    names: impl Iterator<Item = &'static str> + Clone,
) -> Result<usize, RubricError> {
    names.clone().position(|it| it == name.get_ref()).ok_or_else(|| {
        let hint = nearest(name.get_ref(), names);
        at(text, name.span(), format!("there is no {what} {:?}{hint}", name.get_ref()))
    })
}

/// `; did you mean …?`, or the known names where none is near.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let alike = |it: &&str| strsim::jaro_winkler(it, name);
    let near = names.clone().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match near.filter(|it| alike(it) > ALIKE) {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; there are {}", names.collect::<Vec<_>>().join(", ")),
    }
}

/// An error of the parser. What it says of an unknown key lists the known ones in backquotes.
fn of_toml(text: &str, error: &toml::de::Error) -> RubricError {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let what = match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(key)) => format!("there is no key {key:?}{}", nearest(key, quoted)),
        _ => message.lines().collect::<Vec<_>>().join(" "),
    };
    at(text, error.span().unwrap_or(0..0), what)
}

fn at(text: &str, span: Range<usize>, what: String) -> RubricError {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    RubricError { line, column, what }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl de::Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "points: a number from 0 to {MAX_POINTS}, with at most two decimals")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
        let points = u32::try_from(number).ok().filter(|it| *it <= MAX_POINTS);
        let points =
            points.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))?;
        Ok(Decimal(Points::whole(points)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
        // A number of two decimals is the nearest double to it: rounding finds it again.
        let hundredths = (number * 100.0).round();
        let is_exact = hundredths / 100.0 == number;
        if !is_exact || !(0.0..=f64::from(MAX_POINTS)).contains(&number) {
            return Err(E::invalid_value(de::Unexpected::Float(number), &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number from 0 to 100 million"
        )]
        let hundredths = hundredths as u32;
        Ok(Decimal(Points::hundredths(hundredths)))
    }
}

impl<'de> Deserialize<'de> for CriterionEntry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CriterionVisitor)
    }
}

struct CriterionVisitor;

impl<'de> de::Visitor<'de> for CriterionVisitor {
    type Value = CriterionEntry;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("points, or a table of points and partial")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<CriterionEntry, E> {
        let points = DecimalVisitor.visit_i64(number)?;
        Ok(CriterionEntry(CriterionTable { points, partial: false }))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<CriterionEntry, E> {
        let points = DecimalVisitor.visit_f64(number)?;
        Ok(CriterionEntry(CriterionTable { points, partial: false }))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<CriterionEntry, A::Error> {
        let table = de::value::MapAccessDeserializer::new(map);
        CriterionTable::deserialize(table).map(CriterionEntry)
    }
}
