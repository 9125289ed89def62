//! Reading a recording.
pub struct Folded;
pub struct Reader;
pub struct ReadError;
pub fn fold() {}
