//! The name of the Service itself: it must give the addresses of all pods.

use crate::dns_resolution::{LONGER, answer, is_trouble};
use crate::model::{
    PodLife, Recorded, ServiceLife, Standing, SubmissionPart, Timeline, Verdict,
    evidence::dns_evidence::DNS_FOLLOWS_WITHIN_SECONDS, observation::Lookup,
};

/// The answers about the Service's own name, and the pods whose addresses each of them must hold.
struct ServiceAnswers<'t> {
    timeline: &'t Timeline,
    service: &'t str,
    /// Oldest first.
    answers: Vec<&'t Recorded<Lookup>>,
    /// The lives of each ordinal: each life has its own addresses.
    lanes: Vec<&'t [PodLife]>,
}

impl<'t> ServiceAnswers<'t> {
    fn of(timeline: &'t Timeline, service: &'t str) -> Self {
        Self {
            timeline,
            service,
            answers: timeline.lookups_of_service(service).collect(),
            lanes: timeline.ordinals().map(|it| timeline.lane(it)).collect(),
        }
    }

    /// Whether an answer holds an address of any life of an ordinal.
    fn holds(&self, lookup: &Lookup, lane: &[PodLife]) -> bool {
        lane.iter().any(|life| {
            life.addresses.iter().any(|it| lookup.addresses.contains(it))
                && self.timeline.is_selected_alike(life)
                && self.timeline.agrees(self.service, life)
        })
    }

    /// The first answer that holds an address of every ordinal.
    fn right(&self) -> Option<&'t Recorded<Lookup>> {
        let is_right = |it: &Lookup| self.lanes.iter().all(|lane| self.holds(it, lane));
        self.answers.iter().find(|it| is_right(&it.what)).copied()
    }

    /// The answers since the template last changed: what an earlier one lacks of pods of an earlier
    /// template says nothing.
    fn of_this_template(&self) -> impl DoubleEndedIterator<Item = &'t Recorded<Lookup>> {
        let all = self.answers.iter().copied();
        all.filter(move |it| self.timeline.is_since(it.seq, SubmissionPart::Template))
    }

    /// The last answer that lacks an ordinal whose pod every DNS server had to know by then.
    fn wrong(&self) -> Option<&'t Recorded<Lookup>> {
        let lacks = |it: &Recorded<Lookup>, lane: &[PodLife]| {
            !self.holds(&it.what, lane)
                && lane.iter().any(|life| self.timeline.had_its_time(it, life))
        };
        let mut answered = self.of_this_template().filter(|it| !is_trouble(&it.what));
        answered.rfind(|it| self.lanes.iter().any(|lane| lacks(it, lane)))
    }

    /// The newest address of each ordinal.
    fn newest_addresses(&self) -> String {
        let newest = self.lanes.iter().filter_map(|lane| lane.last()?.addresses.last());
        newest.map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// An answer that holds an address of every ordinal that the set asks for shows it; one that lacks
/// one which every DNS server had to know by then breaks it.
pub(super) fn judge_service_name(
    timeline: &Timeline,
    verdict: &mut Verdict,
    service: &ServiceLife,
) {
    let name = &service.service.metadata.name;
    let text = format!("Service {name}'s own DNS name gives all pods' addresses");
    let answers = ServiceAnswers::of(timeline, name);
    let (standing, cited) = if let Some(right) = answers.right() {
        (Standing::Met, Some(right))
    } else if let Some(wrong) = answers.wrong() {
        let expected = format!("{} gives {}", wrong.what.name, answers.newest_addresses());
        (Standing::broken(expected, answer(&wrong.what)), Some(wrong))
    } else if let Some(last) = answers.of_this_template().next_back() {
        (why_not_counted(&last.what), Some(last))
    } else {
        (timeline.standing_unanswered(), None)
    };
    verdict.push("service_name", text, standing, cited.map(|it| it.seq));
}

/// Why an answer about the Service's name that is not right does not count.
fn why_not_counted(lookup: &Lookup) -> Standing {
    let said = answer(lookup);
    if is_trouble(lookup) {
        return Standing::unseen(said);
    }
    Standing::unseen_with(
        format!(
            "{said}, less than {DNS_FOLLOWS_WITHIN_SECONDS} s after the Service's EndpointSlices \
            carried every pod"
        ),
        LONGER,
    )
}
