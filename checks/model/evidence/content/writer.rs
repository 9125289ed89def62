//! Who wrote it: what tells one pod's files from all others'.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::model::evidence::content::{
    PodFiles, Text, UnreadFile,
    address_index::AddressIndex,
    clock::{Explained, WriteMoments, WrittenNumber, WrittenTime, explains, written_time},
    known::{Meaning, PodWords},
    lexer::{TextToken, TokenKind, lex},
    original::Fate,
};
use crate::model::{
    observation::{Seq, sub_path::NamesPod},
    timeline::{Timeline, lives::PodLife},
};

/// Files larger than this are not searched for numbers that follow the ordinal, in bytes: in enough
/// data every number occurs.
const MAX_BYTES_WITH_NUMBERS: usize = 4096;
/// So many pods make a coincidence among many numbers unlikely.
const MANY_PODS: usize = 5;

/// What the first lives of all pods wrote, side by side.
#[derive(Debug)]
pub struct Contents<'t> {
    pub(crate) timeline: &'t Timeline,
    pub(crate) known: PodWords,
    /// What each ordinal's first life held.
    pub(crate) first_lives: Vec<LexedFiles<'t>>,
    /// What each life held at last, once that is asked.
    all_lives: OnceCell<Vec<LexedFiles<'t>>>,
    /// The ordinals whose first life was the first on its claims, once that is asked.
    first_on_claims: OnceCell<BTreeSet<i32>>,
    /// Who holds the addresses and UIDs of nobody, once that is asked.
    pub(super) addresses: OnceCell<AddressIndex<'t>>,
    /// The files that the pods write anew, by key, once that is asked.
    pub(super) written_anew: OnceCell<BTreeSet<String>>,
    /// What became of the files of pairs of pods, once that is asked.
    pub(super) fates: RefCell<FatesOfPairs<'t>>,
    /// What became of the files beside those, once that is asked.
    pub(super) fates_beside: RefCell<BTreeMap<(&'t str, &'t str), Option<Fate>>>,
    /// By path and line, times and numbers aside: who has it. The same words in another file are
    /// another line: a list of all members beside a file that holds only the own name.
    lines: BTreeMap<(String, String), HeldBy>,
    paths: BTreeMap<&'t str, HeldBy>,
    /// Words that chance may have made: who has them.
    pub(crate) values: BTreeMap<&'t str, HeldBy>,
    /// Where all pods wrote a number that follows the ordinal, by the file's key.
    positions: BTreeMap<String, Vec<NumberPosition>>,
}

/// What became of the files of pairs of pods, by their UIDs: the old one's and the new one's.
type FatesOfPairs<'t> = BTreeMap<(&'t str, &'t str), Rc<[Fate]>>;

/// Whose files hold something, by ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldBy {
    One(i32),
    Several,
}

/// A pod's files, word for word.
#[derive(Clone, Debug)]
pub(crate) struct LexedFiles<'t> {
    pub(crate) pod_files: PodFiles<'t>,
    pub(crate) files: Vec<FileWords<'t>>,
    /// The first file of each key.
    by_key: BTreeMap<String, usize>,
    /// The first file of each claim and path.
    pub(super) by_path: BTreeMap<(&'t str, &'t str), usize>,
}

/// A file, word for word.
#[derive(Clone, Debug)]
pub(crate) struct FileWords<'t> {
    pub(crate) text: Text<'t>,
    /// The same for the files of all pods that play the same part.
    pub(crate) key: String,
    pub(crate) path: Vec<TextToken<'t>>,
    pub(crate) lines: Vec<Vec<TextToken<'t>>>,
}

/// A position at which all pods wrote a number that follows the ordinal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NumberPosition {
    key: String,
    /// The line; the path itself where there is none.
    line: Option<usize>,
    word: usize,
    /// Of the numbers in that word.
    part: usize,
    /// The number of ordinal 0, and how much each further one adds.
    base: i64,
    step: i64,
    /// A coincidence cannot be excluded.
    is_unsure: bool,
}

/// What a pod's files tell of their writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// They tell this pod.
    Known,
    /// They may, or that is a coincidence: why.
    Unsure(&'static str),
    /// They do not.
    Unknown,
}

/// How files tell which pod wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// By their words, their path below the mount, or a number.
    ByItself,
    /// By the folder of the volume that they lie in.
    ByFolder,
}

impl Writer {
    /// Whether the writer is known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        matches!(self, Self::Known)
    }
}

impl<'t> Contents<'t> {
    /// What the first lives of all pods wrote.
    #[must_use]
    pub fn of(timeline: &'t Timeline) -> Self {
        Self::new(timeline, timeline.originals())
    }

    /// The same, with what one pod wrote in the place of its ordinal's.
    pub(crate) fn with_files_of(timeline: &'t Timeline, own: PodFiles<'t>) -> Self {
        let mut all_pod_files = timeline.originals();
        all_pod_files.retain(|it| it.pod.ordinal != own.pod.ordinal);
        all_pod_files.push(own);
        Self::new(timeline, all_pod_files)
    }

    fn new(timeline: &'t Timeline, all_pod_files: Vec<PodFiles<'t>>) -> Self {
        let known = PodWords::of(timeline);
        let first_lives: Vec<LexedFiles<'t>> =
            all_pod_files.into_iter().map(|it| LexedFiles::of(it, &known)).collect();
        let mut contents = Self {
            timeline,
            known,
            first_lives,
            all_lives: OnceCell::new(),
            first_on_claims: OnceCell::new(),
            addresses: OnceCell::new(),
            written_anew: OnceCell::new(),
            fates: RefCell::default(),
            fates_beside: RefCell::default(),
            lines: BTreeMap::new(),
            paths: BTreeMap::new(),
            values: BTreeMap::new(),
            positions: BTreeMap::new(),
        };
        contents.note_who_has_what();
        for position in contents.find_positions() {
            contents.positions.entry(position.key.clone()).or_default().push(position);
        }
        contents
    }

    fn note_who_has_what(&mut self) {
        for lexed in &self.first_lives {
            let ordinal = lexed.pod_files.pod.ordinal;
            for file in &lexed.files {
                note_holder(&mut self.paths, file.text.path, ordinal);
                for line in &file.lines {
                    let key = (self.known.masked_line(&file.path), self.known.masked_line(line));
                    note_holder(&mut self.lines, key, ordinal);
                }
                for token in file.tokens().filter(|it| is_chance(it)) {
                    note_holder(&mut self.values, token.text, ordinal);
                }
            }
        }
    }

    /// What each life of the present template held at last, those of an ordinal in their order.
    pub(crate) fn all_lives(&self) -> &[LexedFiles<'t>] {
        self.all_lives.get_or_init(|| self.lexed_lives())
    }

    /// Whether an ordinal's first life was the first on its claims.
    pub(crate) fn is_first_on_its_claims(&self, ordinal: i32) -> bool {
        let find = || {
            let first = self.read_pods().filter(|pod| self.timeline.is_first_on_its_claims(pod));
            first.map(|pod| pod.ordinal).collect()
        };
        self.first_on_claims.get_or_init(find).contains(&ordinal)
    }

    fn lexed_lives(&self) -> Vec<LexedFiles<'t>> {
        let timeline = self.timeline;
        let lives =
            timeline.lanes().flat_map(|(_, lane)| lane).filter(|pod| timeline.is_current(pod));
        lives.filter_map(|pod| Some(self.lexed(timeline.pod_files(pod)?))).collect()
    }

    pub(crate) fn lexed(&self, pod_files: PodFiles<'t>) -> LexedFiles<'t> {
        LexedFiles::of(pod_files, &self.known)
    }

    /// What an ordinal's first life held.
    #[must_use]
    pub fn pod_files(&self, ordinal: i32) -> Option<&PodFiles<'t>> {
        self.first_life(ordinal).map(|it| &it.pod_files)
    }

    pub(crate) fn first_life(&self, ordinal: i32) -> Option<&LexedFiles<'t>> {
        self.first_lives.iter().find(|it| it.pod_files.pod.ordinal == ordinal)
    }

    /// The pods whose files were read, as their ordinals' first lives.
    pub fn read_pods(&self) -> impl Iterator<Item = &'t PodLife> {
        self.first_lives.iter().map(|it| it.pod_files.pod)
    }

    /// Whether all pods hold the same files with the same content.
    #[must_use]
    pub fn are_alike(&self) -> bool {
        let texts = |lexed: &LexedFiles<'t>| {
            lexed.pod_files.texts.iter().map(|it| (it.path, it.content)).collect::<BTreeSet<_>>()
        };
        let Some(first) = self.first_lives.first().map(texts) else { return false };
        self.first_lives.len() > 1 && self.first_lives.iter().all(|it| texts(it) == first)
    }

    /// The first of a pod's texts that another pod has, too, with another content: that pod's name,
    /// and its text.
    #[must_use]
    pub fn other_text<'f>(
        &self,
        ordinal: i32,
        own: &[&'f Text<'f>],
    ) -> Option<(&'f Text<'f>, &str, &Text<'t>)> {
        let mut others: BTreeMap<&str, Vec<(&str, &Text<'t>)>> = BTreeMap::new();
        for lexed in self.first_lives.iter().filter(|it| it.pod_files.pod.ordinal != ordinal) {
            for text in &lexed.pod_files.texts {
                others.entry(text.path).or_default().push((lexed.pod_files.pod.name(), text));
            }
        }
        own.iter().find_map(|own| {
            let mut there = others.get(own.path)?.iter();
            let (name, other) = there.find(|(_, it)| it.content != own.content)?;
            Some((*own, *name, *other))
        })
    }

    /// What an ordinal's first life tells of the writer of its files.
    #[must_use]
    pub fn writer(&self, ordinal: i32) -> Writer {
        let Some(lexed) = self.first_life(ordinal) else {
            return Writer::Unknown;
        };
        const MAY_NAME_IT: &str = "subPathExpr puts it into a folder of the volume that may be \
            named after the pod: what its variable holds is not known";
        let mut unsure = None;
        for file in &lexed.files {
            if self.tells(lexed, file) {
                return Writer::Known;
            }
            if file.is_in_folder_that(NamesPod::Unknown) {
                unsure = Some(MAY_NAME_IT);
            }
            if self.number_tells(lexed, file, true) {
                unsure = Some(
                    "a number in it follows the ordinal, but so do the times at which the pods \
                    started, or other numbers hide it",
                );
            }
        }
        if unsure.is_none() && lexed.files.iter().any(|it| self.digits_follow_names(lexed, it)) {
            unsure = Some(
                "a word in it begins with the pod's name, but digits follow at once, as in the name \
                of another pod",
            );
        }
        for unread in &lexed.pod_files.unread {
            match unread.folder.names_pod {
                NamesPod::Yes => return Writer::Known,
                NamesPod::Unknown => unsure = Some(MAY_NAME_IT),
                NamesPod::No => {}
            }
            match self.search_tells(ordinal, &unread.file.holds) {
                Some(true) => return Writer::Known,
                Some(false) => {
                    unsure = Some("a file that is no text names it, and other pods as well")
                }
                None => {}
            }
        }
        unsure.map_or(Writer::Unknown, Writer::Unsure)
    }

    /// Whether a file of a pod tells which pod wrote it, by itself or by the folder that it lies in.
    pub(crate) fn tells(&self, lexed: &LexedFiles<'t>, file: &FileWords<'t>) -> bool {
        file.is_in_folder_that(NamesPod::Yes) || self.tells_by_itself(lexed, file)
    }

    /// Which of a pod's files are to be the original: those that tell the pod by themselves; where
    /// none does, those in a folder that is named after it.
    pub(crate) fn telling(&self, lexed: &LexedFiles<'t>) -> Telling {
        let ordinal = lexed.pod_files.pod.ordinal;
        let tells = |it: &UnreadFile<'_>| self.search_tells(ordinal, &it.file.holds) == Some(true);
        let is_by_itself = lexed.files.iter().any(|it| self.tells_by_itself(lexed, it))
            || lexed.pod_files.unread.iter().any(tells);
        if is_by_itself { Telling::ByItself } else { Telling::ByFolder }
    }

    /// Whether a file of a pod tells which pod wrote it, in this way.
    pub(crate) fn tells_so(
        &self,
        lexed: &LexedFiles<'t>,
        file: &FileWords<'t>,
        way: Telling,
    ) -> bool {
        match way {
            Telling::ByItself => self.tells_by_itself(lexed, file),
            Telling::ByFolder => file.is_in_folder_that(NamesPod::Yes),
        }
    }

    fn tells_by_itself(&self, lexed: &LexedFiles<'t>, file: &FileWords<'t>) -> bool {
        let ordinal = lexed.pod_files.pod.ordinal;
        let is_own = |seen: Option<&HeldBy>| seen.is_none_or(|it| *it == HeldBy::One(ordinal));
        let by_path =
            || self.known.names(&file.path, ordinal) && is_own(self.paths.get(file.text.path));
        let by_line = |line: &Vec<TextToken<'_>>| {
            let key = (self.known.masked_line(&file.path), self.known.masked_line(line));
            self.known.names(line, ordinal) && is_own(self.lines.get(&key))
        };
        by_path()
            || file.lines.iter().any(by_line)
            || self.number_tells(lexed, file, false)
            || self.search_tells(ordinal, file.text.holds) == Some(true)
    }

    /// Whether a search found a word that names the pod; `Some(false)` where it found other pods'
    /// names as well.
    pub(crate) fn search_tells(&self, ordinal: i32, holds: &[String]) -> Option<bool> {
        let entries = || {
            holds
                .iter()
                .filter_map(|it| self.known.exact_word(it))
                .map(|it| self.known.entry_at(it))
        };
        if !entries().any(|it| it.ordinals.contains(&ordinal)) {
            return None;
        }
        Some(entries().all(|it| it.ordinals.contains(&ordinal)))
    }

    /// Whether each pod wrote its name with digits right behind it, all in the same line of this file:
    /// a number that is joined to the name, such as the time of `echo $HOSTNAME$(date +%s)`.
    fn digits_follow_names(&self, lexed: &LexedFiles<'t>, file: &FileWords<'t>) -> bool {
        let is_so = |pod: &PodLife, line: &str| has_digits_behind(line, pod.name());
        let own = file.text.content;
        if own.len() > MAX_BYTES_WITH_NUMBERS {
            return false;
        }
        let held = || self.first_lives.iter().filter(|it| !it.files.is_empty());
        let is_of_all = |(place, own): (usize, &str)| {
            is_so(lexed.pod_files.pod, own)
                && held().count() > 1
                && held().all(|other| {
                    let pod = other.pod_files.pod;
                    let text = other.file(&file.key).map(|it| it.text.content);
                    let line = text.and_then(|it| it.lines().nth(place));
                    // A line that all write names nobody.
                    let is_another = |it: &str| it != own || pod.uid() == lexed.pod_files.pod.uid();
                    line.is_some_and(|it| is_so(pod, it) && is_another(it))
                })
        };
        own.lines().enumerate().any(is_of_all)
    }

    fn number_tells(&self, lexed: &LexedFiles<'t>, file: &FileWords<'t>, unsure: bool) -> bool {
        let ordinal = lexed.pod_files.pod.ordinal;
        let is_there = |position: &NumberPosition| {
            position.number(file).is_some_and(|it| position.is_of(ordinal, it))
        };
        let mut positions = self.positions.get(&file.key).into_iter().flatten();
        positions.any(|position| position.is_unsure == unsure && is_there(position))
    }

    /// Whether a number is one that follows the ordinal.
    pub(crate) fn follows(&self, file: &FileWords<'_>, ordinal: i32, number: i64) -> bool {
        let mut positions = self.positions.get(&file.key).into_iter().flatten();
        positions.any(|it| it.is_of(ordinal, number))
    }

    /// The positions at which all pods wrote a number that follows the ordinal, the same at every
    /// reading.
    fn find_positions(&self) -> Vec<NumberPosition> {
        let asked = self.timeline.ordinals();
        let must = |lexed: &&LexedFiles<'_>| {
            asked.contains(&lexed.pod_files.pod.ordinal) || !lexed.files.is_empty()
        };
        let lexed: Vec<&LexedFiles<'t>> = self.first_lives.iter().filter(must).collect();
        let [first, _, ..] = lexed.as_slice() else { return vec![] };
        let mut positions = vec![];
        for file in &first.files {
            let rows: Vec<(&LexedFiles<'t>, &FileWords<'t>)> =
                lexed.iter().filter_map(|it| Some((*it, it.file(&file.key)?))).collect();
            let is_small = |(_, file): &(&LexedFiles<'_>, &FileWords<'_>)| {
                file.text.content.len() <= MAX_BYTES_WITH_NUMBERS
            };
            if rows.len() < lexed.len() || !rows.iter().all(is_small) {
                continue;
            }
            let lines = rows.iter().map(|(_, it)| it.lines.len()).min().unwrap_or(0);
            for line in std::iter::once(None).chain((0..lines).map(Some)) {
                positions.extend(SameLine { rows: &rows, line }.positions(&file.key));
            }
        }
        if !positions.is_empty() {
            let later = self.later_lives();
            positions.retain(|position| later.iter().all(|lexed| position.is_same_in(lexed)));
        }
        positions
    }

    /// What every other reading of the pods' first and later lives told.
    fn later_lives(&self) -> Vec<LexedFiles<'t>> {
        let timeline = self.timeline;
        let shown: BTreeSet<&[Seq]> =
            self.first_lives.iter().map(|it| it.pod_files.reads.as_slice()).collect();
        let lives =
            timeline.lanes().flat_map(|(_, lane)| lane).filter(|pod| timeline.is_current(pod));
        let readings =
            lives.flat_map(|pod| [timeline.first_pod_files(pod), timeline.pod_files(pod)]);
        let counts = |it: &PodFiles<'_>| !shown.contains(it.reads.as_slice());
        readings.flatten().filter(counts).map(|it| self.lexed(it)).collect()
    }
}

pub(super) fn note_holder<K: Ord>(seen: &mut BTreeMap<K, HeldBy>, what: K, ordinal: i32) {
    seen.entry(what)
        .and_modify(|it| *it = if *it == HeldBy::One(ordinal) { *it } else { HeldBy::Several })
        .or_insert(HeldBy::One(ordinal));
}

/// Whether a word is one that chance may have made, and hardly twice.
pub(crate) fn is_chance(token: &TextToken<'_>) -> bool {
    /// Shorter numbers may be the same by chance.
    const LEAST_DIGITS: usize = 5;
    match token.kind {
        TokenKind::Number => token.text.len() >= LEAST_DIGITS,
        // With the point.
        TokenKind::Decimal => token.text.len() > LEAST_DIGITS,
        _ => token.is_random(),
    }
}

impl<'t> LexedFiles<'t> {
    fn of(pod_files: PodFiles<'t>, known: &PodWords) -> Self {
        let mut files: Vec<FileWords<'t>> = pod_files
            .texts
            .iter()
            .map(|text| FileWords::of(*text, pod_files.pod.ordinal, known))
            .collect();
        let own_name = pod_files.pod.name();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for file in &mut files {
            // Claims are named after their pods.
            file.key = format!("{}\n{}", file.text.claim.replace(own_name, ""), file.key);
            *times.entry(file.key.clone()).or_default() += 1;
        }
        for file in &mut files {
            if times.get(&file.key).is_some_and(|it| *it > 1) {
                file.key = format!("{}\n{}", file.text.claim.replace(own_name, ""), file.text.path);
            }
        }
        let (mut by_key, mut by_path) = (BTreeMap::new(), BTreeMap::new());
        for (place, file) in files.iter().enumerate() {
            by_key.entry(file.key.clone()).or_insert(place);
            by_path.entry((file.text.claim, file.text.path)).or_insert(place);
        }
        Self { pod_files, files, by_key, by_path }
    }

    pub(crate) fn file(&self, key: &str) -> Option<&FileWords<'t>> {
        self.by_key.get(key).map(|place| &self.files[*place])
    }
}

impl<'t> FileWords<'t> {
    /// Whether it lies in a folder of the volume that so names the pod. A folder without a file is
    /// the kubelet's.
    fn is_in_folder_that(&self, names_pod: NamesPod) -> bool {
        self.text.folder.names_pod == names_pod && !self.text.path.ends_with('/')
    }

    fn of(text: Text<'t>, ordinal: i32, known: &PodWords) -> Self {
        let path = lex(text.path, known);
        let lines = text
            .content
            .split('\n')
            .map(|line| lex(line, known))
            .filter(|it| !it.is_empty())
            .collect();
        let key = known.masked_line_without_own_name(&path, ordinal).join(" ");
        let key = if key.is_empty() { text.path.to_owned() } else { key };
        Self { text, key, path, lines }
    }

    /// Every word of its path and content.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &TextToken<'t>> {
        self.path.iter().chain(self.lines.iter().flatten())
    }

    /// Whether it tells times, and none to the second: a new start within the minute writes them
    /// again.
    pub(crate) fn tells_only_the_minute(&self) -> bool {
        let times = || self.tokens().filter(|it| it.kind == TokenKind::Time).map(written_time);
        times().any(WrittenTime::is_to_the_minute) && !times().any(WrittenTime::is_exact)
    }
}

impl PodWords {
    /// Whether one of these words names a pod of this ordinal.
    fn names(&self, tokens: &[TextToken<'_>], ordinal: i32) -> bool {
        let names = |index| {
            let entry = self.entry_at(index);
            entry.meaning != Meaning::Claim && entry.ordinals.contains(&ordinal)
        };
        tokens.iter().any(|it| matches!(it.kind, TokenKind::Known(index) if names(index)))
    }

    /// A known word, if the whole text is one.
    pub(crate) fn exact_word(&self, text: &str) -> Option<usize> {
        self.at_start(text)
            .filter(|(length, _)| *length == text.len())
            .map(|(_, index)| index)
            .or_else(|| self.digest(text))
    }

    /// A line with times, numbers and what chance may have made taken out, and the names of pods
    /// left in.
    pub(crate) fn masked_line(&self, tokens: &[TextToken<'_>]) -> String {
        let words: Vec<String> = tokens.iter().map(masked).collect();
        words.join(" ")
    }

    /// The same, with what names the writer itself taken out as well.
    pub(crate) fn masked_line_without_own_name(
        &self,
        tokens: &[TextToken<'_>],
        ordinal: i32,
    ) -> Vec<String> {
        let is_own = |token: &TextToken<'_>| matches!(token.kind, TokenKind::Known(index) if self.entry_at(index).ordinals.contains(&ordinal));
        tokens
            .iter()
            .map(|it| if is_own(it) { "\u{1}own".to_owned() } else { masked(it) })
            .collect()
    }
}

fn masked(token: &TextToken<'_>) -> String {
    match token.kind {
        TokenKind::Known(_) => token.text.to_ascii_lowercase(),
        // Seconds since the epoch, or a large number.
        TokenKind::Time if token.text.bytes().all(|it| it.is_ascii_digit()) => {
            "\u{1}number".to_owned()
        }
        TokenKind::Time => "\u{1}time".to_owned(),
        TokenKind::Number | TokenKind::Decimal => "\u{1}number".to_owned(),
        TokenKind::Word if token.is_random() => "\u{1}chance".to_owned(),
        TokenKind::Word => token.text.replace(|it: char| it.is_ascii_digit(), "#"),
    }
}

/// The same line of all pods, or the path of the file.
struct SameLine<'r, 't> {
    rows: &'r [(&'r LexedFiles<'t>, &'r FileWords<'t>)],
    line: Option<usize>,
}

impl<'r, 't> SameLine<'r, 't> {
    fn words(&self, file: &'r FileWords<'t>) -> &'r [TextToken<'t>] {
        self.line.map_or(file.path.as_slice(), |line| file.lines[line].as_slice())
    }

    fn positions(&self, key: &str) -> Vec<NumberPosition> {
        let lines: Vec<&[TextToken<'t>]> =
            self.rows.iter().map(|(_, file)| self.words(file)).collect();
        let length = lines[0].len();
        if lines.iter().any(|it| it.len() != length) {
            return vec![];
        }
        let mut positions = vec![];
        let mut noise = 0;
        for word in 0..length {
            let column: Vec<TextToken<'t>> = lines.iter().map(|it| it[word]).collect();
            if column.iter().all(|it| it.text == column[0].text)
                || column.iter().all(|it| it.kind == TokenKind::Time)
            {
                continue;
            }
            noise += usize::from(column.iter().any(|it| it.kind == TokenKind::Decimal));
            for (part, digits) in numbers(&column).into_iter().enumerate() {
                if digits.iter().all(|it| *it == digits[0]) {
                    continue;
                }
                match self.follow(&digits) {
                    Some((_, _, Explained::Yes)) => {}
                    Some((base, step, explained)) => positions.push(NumberPosition {
                        key: key.to_owned(),
                        line: self.line,
                        word,
                        part,
                        base,
                        step,
                        is_unsure: matches!(explained, Explained::Perhaps),
                    }),
                    None => noise += 1,
                }
            }
        }
        // Where other numbers differ for no known reason, few pods may agree by chance.
        if noise > 0 {
            positions
                .retain(|position| self.rows.iter().all(|(_, file)| position.is_constant_in(file)));
            positions.iter_mut().for_each(|it| it.is_unsure |= self.rows.len() < MANY_PODS);
        }
        positions
    }

    /// The base and step by which numbers follow the ordinals, and whether the time explains them
    /// as well.
    fn follow(&self, digits: &[&'t str]) -> Option<(i64, i64, Explained)> {
        let ordinal = |row: usize| i64::from(self.rows[row].0.pod_files.pod.ordinal);
        let values: Vec<i64> = digits.iter().map(|it| it.parse().ok()).collect::<Option<_>>()?;
        let (rise, run) = (values[1].checked_sub(values[0])?, ordinal(1) - ordinal(0));
        let step = Some(rise / run).filter(|step| rise % run == 0 && *step != 0)?;
        let base = values[0].checked_sub(step.checked_mul(ordinal(0))?)?;
        let is_on_it = |(row, value): (usize, &i64)| {
            step.checked_mul(ordinal(row)).and_then(|it| it.checked_add(base)) == Some(*value)
        };
        if !values.iter().enumerate().all(is_on_it) || values.len() == 2 && step.abs() != 1 {
            return None;
        }
        let written = self.rows.iter().zip(digits).map(|((lexed, file), digits)| {
            let moments = WriteMoments::of(lexed.pod_files.pod, file.text.mtime);
            WrittenNumber { digits, moments }
        });
        Some((base, step, explains(&written.collect::<Vec<_>>())))
    }
}

/// Whether a text holds a name, as the beginning of a word that goes on with a digit.
fn has_digits_behind(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(char::is_alphanumeric)
            && text[at + name.len()..].starts_with(|it: char| it.is_ascii_digit())
    })
}

/// The numbers in words that are alike but for their digits: for each number, its digits in each
/// word.
fn numbers<'t>(column: &[TextToken<'t>]) -> Vec<Vec<&'t str>> {
    if column.iter().any(|it| !matches!(it.kind, TokenKind::Number | TokenKind::Word)) {
        return vec![];
    }
    let parts_without = |word: &TextToken<'t>, is_between: fn(char) -> bool| {
        word.text.split(is_between).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let letters = |word: &TextToken<'t>| parts_without(word, |c| c.is_ascii_digit());
    let digits = |word: &TextToken<'t>| parts_without(word, |c| !c.is_ascii_digit());
    let (first, parts) = (letters(&column[0]), digits(&column[0]).len());
    let all: Vec<Vec<&'t str>> = column.iter().map(digits).collect();
    let is_alike =
        column.iter().all(|word| letters(word) == first) && all.iter().all(|it| it.len() == parts);
    /// No word with a number of a pod is longer, in bytes.
    const MAX_BYTES: usize = 64;
    if !is_alike || column.iter().any(|it| it.text.len() > MAX_BYTES) {
        return vec![];
    }
    (0..parts).map(|part| all.iter().map(|it| it[part]).collect()).collect()
}

impl NumberPosition {
    /// Whether a pod of this ordinal has this number there.
    fn is_of(&self, ordinal: i32, number: i64) -> bool {
        let above = self.step.checked_mul(i64::from(ordinal));
        above.and_then(|it| it.checked_add(self.base)) == Some(number)
    }

    fn number(&self, file: &FileWords<'_>) -> Option<i64> {
        let words = match self.line {
            None => file.path.as_slice(),
            Some(line) => file.lines.get(line)?.as_slice(),
        };
        let numbers = numbers(&[*words.get(self.word)?]);
        numbers.get(self.part)?.first()?.parse().ok()
    }

    /// Whether the number is the same in every line of the file that is written in the same form. A
    /// pod keeps its ordinal, and a load or a counter does not stay.
    fn is_constant_in(&self, file: &FileWords<'_>) -> bool {
        let Some(own) = self.line.and_then(|line| file.lines.get(line)) else { return true };
        let form = |line: &[TextToken<'_>]| line.iter().map(masked).collect::<Vec<String>>();
        let own_form = form(own);
        let own_number = self.number(file);
        (0..file.lines.len()).all(|line| {
            form(&file.lines[line]) != own_form
                || Self { line: Some(line), ..self.clone() }.number(file) == own_number
        })
    }

    /// Whether the number is there at another reading of a pod as well, as far as the file still
    /// has such a position.
    fn is_same_in(&self, lexed: &LexedFiles<'_>) -> bool {
        let Some(file) = lexed.file(&self.key) else { return true };
        let is_wanted = |it: i64| self.is_of(lexed.pod_files.pod.ordinal, it);
        let Some(line) = self.line else { return self.number(file).is_some_and(is_wanted) };
        // The line may stand elsewhere now.
        let at = |line: usize| Self { line: Some(line), ..self.clone() }.number(file);
        at(line).is_none() || (0..file.lines.len()).any(|line| at(line).is_some_and(is_wanted))
    }
}
