//! Which edits mend which mistake or obstacle.

use checks::model::{Timeline, observation::object::StatefulSetSpec};

use crate::remedy::{
    change::Change,
    edit::{
        Loss, Object, executable, hooks, image, keep_running, others, program,
        spec::{self, ServiceFault},
        text::{self, SetText},
    },
    manifest::Edit,
    script::ScriptNotes,
};

/// A way to make edits of a manifest.
pub(super) enum Repair {
    /// Of the set's spec, as far as it is recorded.
    Set(fn(&Loss<'_>, &mut StatefulSetSpec)),
    /// The same, of scripts too, besides what the words about it tell: what that brings in.
    Scripts(fn(&Loss<'_>, &mut StatefulSetSpec) -> ScriptNotes),
    /// Lets a container write its pod's name to its claim, perhaps by an init container.
    NameWritten(fn(&mut StatefulSetSpec) -> ScriptNotes),
    /// Of the set's own text, where that is known.
    Text(fn(&Loss<'_>, &SetText<'_>) -> Vec<Edit>),
    /// Of the scripts that hooks run, which stand in that text alone: what that brings in, too.
    Hooks(fn(&SetText<'_>) -> (Vec<Edit>, ScriptNotes)),
    /// Of the governing Service, and of the set's name for it.
    Service(ServiceFault),
    /// Of other objects of the manifest.
    Others(fn(&Loss<'_>, &Timeline, &[Object<'_>]) -> Vec<Change>),
    /// Makes a set of what stands in place of one.
    NewSet(fn(&Timeline, &[Object<'_>]) -> Vec<Change>),
    /// There is none, and why: the report shows what to look at.
    Unknown(#[expect(dead_code, reason = "it is for who reads the table")] &'static str),
}

use Repair::{Hooks, NameWritten, NewSet, Others, Scripts, Service, Set, Text, Unknown};

/// The edits of each mistake, and of each obstacle that is the submission's fault. A test fails if
/// one is missing.
const TABLE: &[(&str, &[Repair])] = &[
    ("no_service", &[Service(ServiceFault::NotHeadless)]),
    ("wrong_service_name", &[Service(ServiceFault::NotHeadless)]),
    ("service_not_headless", &[Service(ServiceFault::NotHeadless)]),
    ("selector_mismatch", &[Service(ServiceFault::Selector)]),
    ("name_of_two_pods", &[Others(others::own_names)]),
    ("too_few_replicas", &[Set(spec::enough_replicas)]),
    ("zero_replicas", &[Set(spec::enough_replicas)]),
    ("parallel", &[Set(spec::ordered)]),
    ("empty_dir", &[Set(spec::claims_for_empty_dirs)]),
    ("host_path", &[Set(spec::claims_for_host_paths)]),
    ("ephemeral_volume", &[Set(spec::claims_for_ephemeral)]),
    ("shared_claim", &[Set(spec::claims_for_shared)]),
    ("claim_missing", &[Set(spec::claims_for_shared)]),
    ("no_volume", &[Scripts(spec::new_claim)]),
    ("not_mounted", &[Scripts(spec::mounted_template)]),
    ("shared_storage", &[Unknown("the volumes are the cluster's, not the manifest's")]),
    ("too_small", &[Set(spec::large_enough), Others(others::large_enough)]),
    ("wrong_access_mode", &[Set(spec::one_node_at_once)]),
    ("when_scaled_delete", &[Set(spec::claims_retained)]),
    ("no_fs_group", &[Set(spec::volumes_of_a_group)]),
    ("folder_of_one_pod", &[Set(spec::folder_of_the_name)]),
    ("nothing_written", &[NameWritten(spec::written_to_claim)]),
    ("same_content", &[NameWritten(spec::name_written)]),
    ("tells_no_pod", &[NameWritten(spec::name_written)]),
    ("earlier_content", &[Unknown("the manifest is right already")]),
    ("overwritten_at_start", &[Scripts(spec::kept_at_start)]),
    ("overwritten_at_stop", &[Set(spec::appended_at_stop), Hooks(hooks::appended_at_stop)]),
    ("wiped_at_start", &[Scripts(spec::nothing_removed), Hooks(hooks::nothing_removed)]),
    ("image_name_invalid", &[Set(image::correct_misspelt)]),
    ("image_missing", &[Set(image::correct_misspelt)]),
    ("image_never_pulled", &[Text(text::pulled_image)]),
    (
        "config_error",
        &[
            Set(program::edit),
            Text(text::known_key),
            Text(executable::permitted),
            Others(others::named_object),
        ],
    ),
    ("out_of_memory", &[Set(spec::enough_memory)]),
    ("liveness_fails", &[Text(text::no_liveness_probe)]),
    ("post_start_fails", &[Text(hooks::succeeds_again)]),
    ("container_ends", &[Scripts(keep_running::edit), Text(text::no_probe_that_ends_it)]),
    ("storage_limit", &[Unknown("how much the program writes is not known")]),
    ("node_named", &[Set(spec::any_node)]),
    ("probe_fails", &[Text(text::no_readiness_probe)]),
    ("init_never_ends", &[Text(text::no_such_init_container)]),
    ("volume_missing", &[Set(spec::any_volume), Others(others::any_volume)]),
    ("claim_impossible", &[Text(text::plain_claims)]),
    ("class_missing", &[Set(spec::default_class), Others(others::default_class)]),
    ("class_none", &[Set(spec::default_class), Others(others::default_class)]),
    ("placement_impossible", &[Set(spec::placed_anywhere), Text(text::no_spread_constraints)]),
    ("host_port", &[Text(text::no_host_ports)]),
    ("pod_security", &[Set(spec::claims_for_host_paths), Text(text::nothing_refused)]),
    ("name_taken_by_own_pod", &[Others(others::own_pod_taken_out)]),
    ("pod_refused", &[Text(text::nothing_refused)]),
    ("no_stateful_set_but_others", &[NewSet(others::into_a_set)]),
    ("no_stateful_set", &[Unknown("nothing was handed in that could be changed")]),
];

/// The edits that mend a mistake or an obstacle; none for what is neither, such as a check whose
/// loss nothing of the catalogue explains.
pub(super) fn repairs(id: &str) -> &'static [Repair] {
    TABLE.iter().find(|(it, _)| *it == id).map_or(&[], |(_, repairs)| repairs)
}

#[cfg(test)]
mod tests {
    use checks::{
        mistakes::MISTAKES,
        model::{Fault, diagnosis},
    };

    use super::TABLE;

    /// Catches a mistake or an obstacle whose edit nobody has thought of, and an edit whose id is
    /// misspelt, which is never made.
    #[test]
    fn each_mistake_and_each_obstacle_of_the_submission_has_its_row() {
        let own = diagnosis::obstacles().filter(|(_, fault, _)| *fault == Fault::Submission);
        let mut asked: Vec<&str> = MISTAKES.iter().map(|it| it.id).collect();
        asked.extend(own.map(|(id, ..)| id));
        asked.sort_unstable();
        asked.dedup();
        let mut known: Vec<&str> = TABLE.iter().map(|(id, _)| *id).collect();
        known.sort_unstable();
        assert_eq!(known, asked);
    }
}
