//! Which Kubernetes a server is, and what depends on that.

/// The minor versions of Kubernetes 1 on which the tool was tried (`.ci/run versions`), ascending.
pub const TRIED_MINORS: [u32; 6] = [30, 33, 34, 35, 36, 37];

/// The first minor version whose server demands `create` on pods/exec for a command by WebSocket
/// (feature gate `AuthorizePodWebsocketUpgradeCreatePermission`). Before it, `get` was enough.
const EXEC_NEEDS_CREATE: u32 = 35;

/// The minor version of `v1.37.2`, `v1.34.1+k3s1` or `v1.31.0-eks-5c6a3f1`; `None` where it is not
/// a version of Kubernetes 1.
#[must_use]
pub fn minor(version: &str) -> Option<u32> {
    version.trim_start_matches('v').strip_prefix("1.")?.split('.').next()?.parse().ok()
}

/// Whether the tool was tried on this version.
#[must_use]
pub fn is_tried(version: &str) -> bool {
    minor(version).is_some_and(|it| TRIED_MINORS.contains(&it))
}

/// Whether a command in a container needs `create` on pods/exec, and not only `get`. A version that
/// is not known or cannot be read is taken for a new one.
pub(crate) fn exec_needs_create(version: Option<&str>) -> bool {
    version.and_then(minor).is_none_or(|it| it >= EXEC_NEEDS_CREATE)
}

#[cfg(test)]
mod tests {
    use super::{exec_needs_create, minor};

    /// Catches a distribution's version that is not read, and a major version that is ignored.
    #[test]
    fn the_minor_version_is_read_of_every_distribution() {
        for (version, expected) in [
            ("v1.37.2", Some(37)),
            ("v1.34.1+k3s1", Some(34)),
            ("v1.31.0-eks-5c6a3f1", Some(31)),
            ("1.30", Some(30)),
            ("v2.34.0", None),
            ("v0.0.0-master+$Format:%H$", None),
            ("", None),
        ] {
            assert_eq!(minor(version), expected, "{version}");
        }
    }

    /// Catches an account without `create` that is begun with on a server that refuses it.
    #[test]
    fn create_is_needed_from_1_35_on() {
        let needs = |version| exec_needs_create(Some(version));
        assert!(!needs("v1.30.14") && !needs("v1.34.4"));
        assert!(needs("v1.35.0") && needs("v1.37.2"));
        assert!(needs("unknown") && exec_needs_create(None));
    }
}
