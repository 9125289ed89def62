//! The lab's sections, by the numbers and titles that its text has.

/// A section of the lab that a report sends its reader to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What makes a Service headless.
    HeadlessService,
    /// The whole manifest, field by field.
    StatefulSet,
    /// Which pod waits for which.
    OrderedCreation,
    /// A PVC for each pod, and what is on it.
    PersistentStorage,
    /// The pods' DNS names.
    DnsIdentity,
    /// What a pod that was deleted comes back to.
    IdentityPersistence,
    /// The order of scaling, and what stays after it.
    OrderedScaling,
    /// What is on the PVCs that a pod comes back to.
    ExistingPvcs,
    /// What a system of one's own must have.
    Constraints,
    /// The first of the common mistakes.
    MistakeNoService,
    /// The second.
    MistakeLabels,
    /// The third.
    MistakeServiceName,
    /// The fourth.
    MistakePvcDeletion,
    /// The sixth.
    MistakeOrder,
    /// The seventh.
    MistakeTemplates,
    /// The eighth.
    MistakeAccessMode,
}

impl Section {
    /// Its number and its title: `1.2 Create the Headless Service`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::HeadlessService => "1.2 Create the Headless Service",
            Self::StatefulSet => "1.3 Create the StatefulSet",
            Self::OrderedCreation => "1.4 Observe Ordered Pod Creation",
            Self::PersistentStorage => "1.5 Verify Persistent Storage",
            Self::DnsIdentity => "1.6 Verify DNS Identity",
            Self::IdentityPersistence => "1.7 Test Pod Identity Persistence",
            Self::OrderedScaling => "1.8 Test Ordered Scaling",
            Self::ExistingPvcs => "1.9 Test Scale-Up with Existing PVCs",
            Self::Constraints => "3.2 Constraints",
            Self::MistakeNoService => "Common Mistakes, 1. Forgetting the Headless Service",
            Self::MistakeLabels => "Common Mistakes, 2. Mismatched Labels",
            Self::MistakeServiceName => "Common Mistakes, 3. Wrong serviceName",
            Self::MistakePvcDeletion => "Common Mistakes, 4. Expecting Automatic PVC Deletion",
            Self::MistakeOrder => "Common Mistakes, 6. Not Understanding Ordered Operations",
            Self::MistakeTemplates => "Common Mistakes, 7. Incorrect volumeClaimTemplates",
            Self::MistakeAccessMode => "Common Mistakes, 8. Wrong Access Mode",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Section;

    /// Catches a section by a title that the lab does not have: a student is sent there.
    #[test]
    fn titles_are_the_labs() {
        let guided = [
            (Section::HeadlessService, "1.2 Create the Headless Service"),
            (Section::StatefulSet, "1.3 Create the StatefulSet"),
            (Section::OrderedCreation, "1.4 Observe Ordered Pod Creation"),
            (Section::PersistentStorage, "1.5 Verify Persistent Storage"),
            (Section::DnsIdentity, "1.6 Verify DNS Identity"),
            (Section::IdentityPersistence, "1.7 Test Pod Identity Persistence"),
            (Section::OrderedScaling, "1.8 Test Ordered Scaling"),
            (Section::ExistingPvcs, "1.9 Test Scale-Up with Existing PVCs"),
            (Section::Constraints, "3.2 Constraints"),
        ];
        for (section, title) in guided {
            assert_eq!(section.title(), title);
        }
    }
}
