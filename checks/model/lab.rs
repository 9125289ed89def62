//! What the lab asks for at least, where more than one rule needs it.

/// Replicas of the set.
pub const LEAST_REPLICAS: i32 = 3;
/// Storage that a pod's claim requests, as the lab writes it.
pub const LEAST_STORAGE: &str = "50Mi";
/// The same, in bytes.
pub const LEAST_STORAGE_BYTES: u128 = 50 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use crate::model::{lab, quantity};

    /// Catches one of the two that is changed alone.
    #[test]
    fn the_least_storage_is_what_it_says() {
        assert_eq!(quantity::bytes(lab::LEAST_STORAGE), Some(lab::LEAST_STORAGE_BYTES));
    }
}
