//! How much of the memory one recording may fill.
//!
//! A short line can ask for much memory: `{}` in a list becomes a whole struct. So memory is counted
//! while a line is read, before it is taken: what lists, maps and texts take, whatever they are of.

use std::cell::{Cell, RefCell};

/// What all that is kept of a recording may take, in bytes. A recording that the writer did not have
/// to stop takes less: of its 256 MiB, most are later states of the same objects.
pub(super) const MAX_MEMORY_BYTES: usize = 512 << 20;
/// A list or a map of a line has no more elements.
///
/// An object is no larger than what etcd takes in one request: 1.5 MiB (`--max-request-bytes`). An
/// element with a name takes 16 bytes of it or more, with what the API server fills in.
pub(super) const MAX_ELEMENTS: usize = 100_000;
/// What an allocation takes at least.
const MIN_ALLOCATION_BYTES: usize = 32;
/// An allocation takes a multiple of this.
const ALLOCATION_STEP_BYTES: usize = 16;
/// A list takes memory for so many elements at once when it gets its first one.
const FIRST_CAPACITY: usize = 4;
/// A node of a map has room for so many elements.
const NODE_CAPACITY: usize = 11;
/// A node of a map, but for the first one, holds no fewer elements.
const MIN_NODE_ELEMENTS: usize = 5;

/// The field of a file's text, which is compared word for word with what other pods wrote.
const COMPARED: &str = "content";
/// What comparing takes for each line of such a text, and for each word of it, in bytes.
const COMPARED_LINE_BYTES: usize = 192;
const COMPARED_WORD_BYTES: usize = 64;

/// Which bound a line exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// [`MAX_ELEMENTS`].
    Elements,
    /// [`MAX_MEMORY_BYTES`].
    Memory,
}

/// A bound that a line exceeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exceeded {
    /// Which.
    pub(super) bound: Bound,
    /// The field in which it does.
    pub(super) field: String,
}

/// The memory that is left for a recording, while one line of it is read.
pub(super) struct Budget<'line> {
    room: Cell<usize>,
    /// The name that was read last.
    field: Cell<&'line str>,
    exceeded: RefCell<Option<Exceeded>>,
}

impl<'line> Budget<'line> {
    /// With so many bytes left.
    pub(super) const fn new(room: usize) -> Self {
        Self { room: Cell::new(room), field: Cell::new(""), exceeded: RefCell::new(None) }
    }

    /// How many bytes are left, or which bound is exceeded.
    pub(super) fn end(self) -> Result<usize, Exceeded> {
        self.exceeded.into_inner().map_or(Ok(self.room.get()), Err)
    }

    /// The name of a field was read.
    pub(super) fn enter(&self, field: &'line str) {
        self.field.set(field);
    }

    /// The name of the field that is being read.
    pub(super) const fn field(&self) -> &'line str {
        self.field.get()
    }

    /// Takes memory for the next element of a list: `count` are there with it, each of `size`.
    pub(super) fn list(&self, count: usize, size: usize, field: &str) -> bool {
        let more = match count {
            1 => FIRST_CAPACITY,
            // It doubles.
            _ if count > FIRST_CAPACITY && (count - 1).is_power_of_two() => count - 1,
            _ => 0,
        };
        self.is_few(count, field) && self.take(more.saturating_mul(size), field)
    }

    /// Takes memory for the next element of a map: `count` are there with it, each of `size`.
    pub(super) fn map(&self, count: usize, size: usize, field: &str) -> bool {
        let more = if count % MIN_NODE_ELEMENTS == 1 { NODE_CAPACITY } else { 0 };
        self.is_few(count, field) && self.take(more.saturating_mul(size), field)
    }

    /// Takes memory for a text, and for what is made of it.
    pub(super) fn text(&self, text: &str) -> bool {
        // An empty one takes none.
        if text.is_empty() {
            return true;
        }
        let field = self.field();
        let kept = text.len().next_multiple_of(ALLOCATION_STEP_BYTES).max(MIN_ALLOCATION_BYTES);
        let compared = if field == COMPARED { compared_bytes(text) } else { 0 };
        self.take(kept.saturating_add(compared), field)
    }

    fn is_few(&self, count: usize, field: &str) -> bool {
        count <= MAX_ELEMENTS || self.exceed(Bound::Elements, field)
    }

    fn take(&self, bytes: usize, field: &str) -> bool {
        match self.room.get().checked_sub(bytes) {
            Some(room) => {
                self.room.set(room);
                true
            }
            None => self.exceed(Bound::Memory, field),
        }
    }

    fn exceed(&self, bound: Bound, field: &str) -> bool {
        let exceeded = Exceeded { bound, field: field.to_owned() };
        self.exceeded.borrow_mut().get_or_insert(exceeded);
        false
    }
}

/// What comparing a text takes.
fn compared_bytes(text: &str) -> usize {
    let (mut lines, mut words, mut is_in_word) = (1_usize, 0_usize, false);
    for byte in text.bytes() {
        let is_of_word = byte.is_ascii_alphanumeric() || !byte.is_ascii();
        words += usize::from(is_of_word && !is_in_word);
        lines += usize::from(byte == b'\n');
        is_in_word = is_of_word;
    }
    lines * COMPARED_LINE_BYTES + words * COMPARED_WORD_BYTES
}
