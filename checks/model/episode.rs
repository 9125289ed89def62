//! Episodes.
/// x
#[derive(Debug)] pub struct Episode;
