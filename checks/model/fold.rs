//! The fold: how a line of the recording changes the timeline.

use crate::model::{
    diagnosis::{self, StepTime},
    observation::{
        CanaryVisit, End, EndReason, Fact, Gap, Inquiry, Kind, ObjectChange, Observation, Phase,
        Seq, Step, StepName,
        object::{Object, OwnerReference, PersistentVolumeClaim, Pod, Service, StatefulSet},
        when::When,
    },
    timeline::{
        PodPosition, Timeline,
        cache::Cache,
        in_the_way::CrashLoop,
        kills::ended_for_a_probe,
        lives::{ClaimLife, PodLife, Recorded, ServiceLife, SetLife, StepLife, WatchGap},
        settled::SettledPeriod,
        times::latest_stamp,
    },
};

/// The most failed steps for which an obstacle is looked for: no tour has more.
const MAX_STEPS: usize = 100;

impl Timeline {
    /// Folds a whole recording.
    #[must_use]
    pub fn of(observations: &[Observation]) -> Self {
        let mut timeline = Self::default();
        for observation in observations {
            timeline.push(observation);
        }
        timeline
    }

    /// Takes in one more line. What follows the end of the judged part is ignored.
    pub fn push(&mut self, observation: &Observation) {
        if self.end.is_none() {
            self.push_owned(observation.clone());
        }
    }

    /// As [`Timeline::push`], for a line that nobody else needs: nothing of it is copied.
    pub fn push_owned(&mut self, observation: Observation) {
        if self.end.is_some() {
            return;
        }
        let Observation { seq, at, what } = observation;
        // No line is older than the one before it.
        let at = self.now.max(at);
        self.last = seq;
        self.now = at;
        self.times.push((seq, at));
        self.cache = Cache::default();
        match what {
            Fact::Subject(subject) => {
                for pod in self.choose(seq, subject) {
                    self.note_crash_loop(&pod);
                }
                self.note_settled(seq);
            }
            Fact::Object(change, object) => {
                self.object(seq, at, change, object);
                self.note_settled(seq);
            }
            Fact::Gap(gap) => self.gap(seq, &gap),
            Fact::Step(step) => {
                self.step(Recorded { seq, at, what: step });
                self.note_settled(seq);
            }
            Fact::Read(read) => {
                self.reads.push(&read.pod.uid.clone(), Recorded { seq, at, what: read })
            }
            Fact::Canary(canary) => self.canary(Recorded { seq, at, what: canary }),
            Fact::Lookup(lookup) => {
                let key = lookup
                    .of
                    .as_ref()
                    .map_or_else(|| Self::service_key(&lookup.service), |of| of.uid.clone());
                self.lookups.push(&key, Recorded { seq, at, what: lookup });
            }
            Fact::Inquiry(fact) => self.inquiry(Recorded { seq, at, what: fact }),
            Fact::End(end) => {
                self.note_settled(seq);
                self.note_end(Recorded { seq, at, what: end });
            }
            Fact::Signature(_) | Fact::Unknown => {}
        }
    }

    /// Takes in the end, with what kept the set from where it was asked to go, and what ended the
    /// tour.
    fn note_end(&mut self, end: Recorded<End>) {
        let is_by_hand = self.steps.is_empty();
        // Somebody who works by hand and cleans up at the end puts nothing in the way.
        let is_cleaned_up =
            is_by_hand && self.set().is_some_and(|set| set.deletion_requested.is_some());
        if self.in_the_way.obstacles.is_empty() && !is_cleaned_up && !self.is_settled() {
            let step_time =
                if end.what.why == EndReason::Timeout { StepTime::Over } else { StepTime::Remains };
            self.in_the_way.obstacles.extend(diagnosis::find(self, step_time));
        }
        // After what was awaited then, which says more.
        if !is_by_hand {
            self.in_the_way.obstacles.extend(diagnosis::obstacle_of_end(self, end.seq, &end.what));
        }
        self.end = Some(end);
    }

    fn canary(&mut self, noted: Recorded<CanaryVisit>) {
        /// A canary is random: more pods than a few that wrote the same one are no grader's.
        const MAX_WRITERS: usize = 8;
        if let Some(canary) = &noted.what.wrote {
            let writers = self.writers.entry(canary.clone()).or_default();
            if writers.len() < MAX_WRITERS {
                writers.insert((noted.what.pod.name.clone(), noted.what.claim.clone()));
            }
        }
        self.canaries.push(&noted.what.claim.clone(), noted);
    }

    fn inquiry(&mut self, noted: Recorded<Inquiry>) {
        let pod = match &noted.what {
            Inquiry::Logs { pod, .. } | Inquiry::Surroundings { pod, .. } => pod.uid.clone(),
            Inquiry::StorageClasses { classes } => {
                self.storage_classes = Some(classes.clone());
                return;
            }
            Inquiry::ManifestRefused(refusal) => {
                self.refusal = Some(refusal.clone());
                return;
            }
            Inquiry::Unavailable { .. } => String::new(),
        };
        self.inquiries.push(&pod, noted);
        self.note_crash_loop(&pod);
    }

    /// When a line of this kind tells of something new.
    fn when(&self, kind: Kind, seq: Seq, change: ObjectChange) -> When {
        let after = match change {
            ObjectChange::Listed => self.last_sure_lines.get(&kind).copied(),
            _ => Some(seq - 1),
        };
        When { after, by: seq }
    }

    fn object(&mut self, seq: Seq, at: u64, change: ObjectChange, object: Object) {
        let when = self.when(object.kind(), seq, change);
        match object {
            Object::StatefulSet(it) => self.update_set(when, change, it),
            Object::Pod(it) => self.update_pod(when, at, change, it),
            Object::PersistentVolumeClaim(it) => self.update_claim(when, change, it),
            Object::Service(it) => self.update_service(when, change, it),
            Object::EndpointSlice(it) => {
                self.endpoints.update(seq, at, change, &it);
                if change == ObjectChange::Deleted {
                    self.slices.remove(&it.metadata.uid);
                } else {
                    self.slices.insert(it.metadata.uid.clone(), it);
                }
            }
            Object::Event(it) => {
                if it.reason == "Started" {
                    self.said_to_run.insert(it.involved_object.uid.clone());
                }
                if change != ObjectChange::Deleted
                    && (it.r#type == "Warning"
                        || it.involved_object.kind == "PersistentVolumeClaim"
                        || matches!(
                            it.reason.as_str(),
                            "Pulling" | "Pulled" | "Killing" | "Preempted"
                        ))
                {
                    let killed = ended_for_a_probe(&it)
                        .map(|container| (it.involved_object.uid.clone(), container.to_owned()));
                    self.events.push(seq, it, change == ObjectChange::Listed);
                    if let Some((pod, container)) = killed {
                        self.note_kills(at, &pod, &container);
                    }
                }
            }
        }
    }

    /// Counts how often the kubelet has said that it ends a container because a probe fails.
    fn note_kills(&mut self, at: u64, pod: &str, container: &str) {
        let told = self.events.about(pod).map(|it| &it.event);
        let kills = told.filter(|it| ended_for_a_probe(it) == Some(container));
        let count = kills.fold(0_i32, |sum, it| sum.saturating_add(it.count.max(1)));
        if let Some(life) = self.pod_life_mut(pod) {
            life.take_kills(container, count, at);
        }
    }

    fn update_set(&mut self, when: When, change: ObjectChange, it: StatefulSet) {
        self.names.insert(it.metadata.uid.clone(), it.metadata.name.clone());
        let lives = self.sets.entry(it.metadata.name.clone()).or_default();
        let known = lives.len();
        if lives.last().is_none_or(|life| life.uid != it.metadata.uid) {
            if let Some(life) = lives.last_mut() {
                life.deleted.get_or_insert(when);
            }
            lives.push(SetLife::begin(when, change, &it));
        }
        let mut is_another = lives.len() > known;
        let Some(life) = lives.last_mut() else { return };
        let changed = life.changed;
        life.update(when, it.spec, it.status, &it.metadata);
        is_another |= life.changed != changed;
        if it.metadata.deletion_timestamp.is_some() {
            life.deletion_requested.get_or_insert(when);
        }
        if change == ObjectChange::Deleted {
            life.go(when);
        }
        if life.deleted.is_some() {
            self.alive_sets.remove(&it.metadata.name);
        } else {
            self.alive_sets.insert(it.metadata.name.clone());
        }
        if is_another {
            self.in_the_way_of_others.remove(&it.metadata.name);
            if self.set().is_none_or(|set| set.uid == it.metadata.uid) {
                self.in_the_way.forget_crash_loops();
            }
        }
    }

    /// A crash loop is an obstacle wherever it is seen, whatever was awaited then, and whoever was
    /// Ready for a moment. One of another set's pod is judged once that set is the subject.
    fn note_crash_loop(&mut self, uid: &str) {
        let Some(pod) = self.pod_life(uid).filter(|it| it.may_be_in_a_crash_loop()) else { return };
        if let Some(other) = self.other_set_of(uid) {
            self.in_the_way_of_others.entry(other).or_default().to_judge.insert(uid.to_owned());
            return;
        }
        if self.set().is_none_or(SetLife::awaits_controller) {
            return;
        }
        // Its last words may be told after its end.
        let known = self.in_the_way.crash_loops.get(uid);
        if known.is_some_and(|known| !known.obstacle.log.is_empty()) {
            return;
        }
        let Some((obstacle, container)) = diagnosis::crash_loop(self, pod) else { return };
        match self.in_the_way.crash_loops.get_mut(uid) {
            Some(known) => {
                self.in_the_way
                    .obstacles
                    .iter_mut()
                    .filter(|it| **it == known.obstacle)
                    .for_each(|it| it.clone_from(&obstacle));
                known.obstacle = obstacle;
            }
            None => {
                self.in_the_way.note(obstacle.clone());
                self.in_the_way
                    .crash_loops
                    .insert(uid.to_owned(), CrashLoop { seq: self.last, container, obstacle });
                self.cache = Cache::default();
            }
        }
    }

    fn update_pod(&mut self, when: When, at: u64, change: ObjectChange, it: Pod) {
        let uid = it.metadata.uid.clone();
        let owner = controller(&it.metadata.owner_references)
            .filter(|owner| owner.kind == "StatefulSet")
            .map_or("", |owner| &owner.uid);
        match self.pod_index.get(&uid).map(|position| position.set == owner) {
            Some(true) => {}
            Some(false) => self.change_owner(&uid, owner),
            None => self.insert_pod(owner, PodLife::begin(when, &it)),
        }
        self.clock = self.clock.max(latest_stamp(&it).unwrap_or(0));
        if let Some(life) = self.pod_life_mut(&uid) {
            life.update(when, at, change, it);
        }
        self.note_alive(&uid);
        self.note_crash_loop(&uid);
    }

    /// Puts a pod that was not seen before at the end of its ordinal's lane, or among the pods that
    /// no set owns.
    fn insert_pod(&mut self, owner: &str, mut fresh: PodLife) {
        let (uid, ordinal) = (fresh.uid().to_owned(), fresh.ordinal);
        let mut position = PodPosition { set: owner.to_owned(), ordinal, index: 0 };
        if owner.is_empty() {
            self.unowned_pods.insert(uid.clone(), fresh);
        } else {
            let lane = self.lanes.entry(owner.to_owned()).or_default().entry(ordinal).or_default();
            position.index = lane.len();
            // Two pods of one name never stand at once: the earlier one went unseen.
            let before = lane.last_mut().map(|before| {
                before.go(fresh.added);
                before.uid().to_owned()
            });
            if let Some(before) = before {
                self.note_alive(&before);
                if let Some(before) = self.pod_life(&before) {
                    fresh.ended_before = self.left_by(before, &fresh);
                }
            }
            self.lanes.entry(owner.to_owned()).or_default().entry(ordinal).or_default().push(fresh);
        }
        self.pod_index.insert(uid, position);
    }

    /// Updates the index of existing pods after a line about a pod of a set.
    fn note_alive(&mut self, uid: &str) {
        let Some(position) = self.pod_index.get(uid).filter(|position| !position.set.is_empty())
        else {
            return;
        };
        let Some(life) = self.pod_life(uid) else { return };
        let (set, entry, is_alive) =
            (position.set.clone(), (life.ordinal, life.added.by, uid.to_owned()), life.is_alive());
        let alive = self.alive.entry(set).or_default();
        if is_alive {
            alive.insert(entry);
        } else {
            alive.remove(&entry);
        }
    }

    /// Moves a pod that has got another owner, or lost its own, to where that one's pods are kept. One
    /// that another pod of its name has followed is gone, and stays where it was.
    fn change_owner(&mut self, uid: &str, owner: &str) {
        let Some(position) = self.pod_index.get_mut(uid) else { return };
        let taken = if position.set.is_empty() {
            self.unowned_pods.remove(uid)
        } else {
            self.lanes
                .get_mut(&position.set)
                .and_then(|lanes| lanes.get_mut(&position.ordinal))
                .and_then(|lane| lane.pop_if(|newest| newest.uid() == uid))
        };
        let Some(mut life) = taken else { return };
        if let Some(alive) = self.alive.get_mut(&position.set) {
            alive.remove(&(life.ordinal, life.added.by, uid.to_owned()));
        }
        owner.clone_into(&mut position.set);
        life.adopted = true;
        if owner.is_empty() {
            self.unowned_pods.insert(uid.to_owned(), life);
        } else {
            let lane =
                self.lanes.entry(owner.to_owned()).or_default().entry(life.ordinal).or_default();
            position.index = lane.len();
            lane.push(life);
        }
    }

    fn pod_life_mut(&mut self, uid: &str) -> Option<&mut PodLife> {
        let position = self.pod_index.get(uid)?;
        if position.set.is_empty() {
            return self.unowned_pods.get_mut(uid);
        }
        self.lanes.get_mut(&position.set)?.get_mut(&position.ordinal)?.get_mut(position.index)
    }

    fn update_claim(&mut self, when: When, change: ObjectChange, it: PersistentVolumeClaim) {
        self.names.insert(it.metadata.uid.clone(), it.metadata.name.clone());
        let lives = self.claims.entry(it.metadata.name.clone()).or_default();
        if lives.last().is_none_or(|life| life.uid() != it.metadata.uid) {
            if let Some(life) = lives.last_mut() {
                life.deleted.get_or_insert(when);
            }
            let is_new = change == ObjectChange::Added && it.status.phase != "Bound";
            let names_its_volume =
                is_new && it.spec.as_ref().is_some_and(|spec| !spec.volume_name.is_empty());
            lives.push(ClaimLife {
                claim: it.clone(),
                added: when,
                names_its_volume,
                bound: None,
                owned_by_pod: None,
                deletion_requested: None,
                deleted: None,
            });
        }
        let Some(life) = lives.last_mut() else { return };
        let spec = it.spec.or_else(|| life.claim.spec.take());
        life.claim = PersistentVolumeClaim { spec, ..it };
        let it = &life.claim;
        if it.status.phase == "Bound" {
            life.bound.get_or_insert(when);
        }
        if it.metadata.owner_references.iter().any(|owner| owner.kind == "Pod") {
            life.owned_by_pod.get_or_insert(when);
        }
        if it.metadata.deletion_timestamp.is_some() {
            life.deletion_requested.get_or_insert(when);
        }
        if change == ObjectChange::Deleted {
            life.go(when);
        }
    }

    fn update_service(&mut self, when: When, change: ObjectChange, it: Service) {
        self.names.insert(it.metadata.uid.clone(), it.metadata.name.clone());
        let lives = self.services.entry(it.metadata.name.clone()).or_default();
        if lives.last().is_none_or(|life| life.service.metadata.uid != it.metadata.uid) {
            if let Some(life) = lives.last_mut() {
                life.deleted.get_or_insert(when);
            }
            lives.push(ServiceLife {
                service: it.clone(),
                added: when,
                changed: None,
                deleted: None,
            });
        }
        let Some(life) = lives.last_mut() else { return };
        if it.spec.is_some() && it.spec != life.service.spec {
            life.changed = Some(when);
        }
        let spec = it.spec.or_else(|| life.service.spec.take());
        life.service = Service { spec, ..it };
        if change == ObjectChange::Deleted {
            life.deleted.get_or_insert(when);
        }
    }

    fn gap(&mut self, seq: Seq, gap: &Gap) {
        // Without a line before the gap, the first list was empty: what is found now came after the
        // recording's beginning.
        let after = gap.last_sure.unwrap_or(0);
        self.last_sure_lines.insert(gap.kind, after);
        let when = When { after: Some(after), by: seq };
        self.watch_gaps.push(WatchGap { kind: gap.kind, when, reason: gap.reason.clone() });
        if gap.kind == Kind::EndpointSlice {
            self.endpoints.gap(seq);
        }
        for uid in &gap.vanished {
            let name = self.names.get(uid).map_or("", String::as_str);
            match gap.kind {
                Kind::Pod => {
                    if let Some(life) = self.pod_life_mut(uid) {
                        life.miss(when);
                        life.go(when);
                    }
                    self.note_alive(uid);
                }
                Kind::PersistentVolumeClaim => {
                    if let Some(life) = recent(self.claims.get_mut(name), |life| life.uid() == uid)
                    {
                        life.go(when);
                    }
                }
                Kind::StatefulSet => {
                    if let Some(life) = recent(self.sets.get_mut(name), |life| life.uid == *uid) {
                        life.go(when);
                    }
                    let newest = self.sets.get(name).and_then(|lives| lives.last());
                    if newest.is_some_and(|life| life.deleted.is_some()) {
                        self.alive_sets.remove(name);
                    }
                }
                Kind::Service => {
                    if let Some(life) = recent(self.services.get_mut(name), |life| {
                        life.service.metadata.uid == *uid
                    }) {
                        life.deleted.get_or_insert(when);
                    }
                }
                Kind::EndpointSlice => {
                    self.slices.remove(uid);
                }
                Kind::Event => {}
            }
        }
    }

    fn step(&mut self, line: Recorded<Step>) {
        let (seq, step) = (line.seq, &line.what);
        if step.phase == Phase::Begin {
            let requested = step.requested.clone().map(|change| (seq, change));
            self.requested.extend(requested.clone());
            match self.steps.last_mut().filter(|last| last.name == step.name && last.end.is_none())
            {
                Some(open) => open.requested.extend(requested),
                None => self.steps.push(StepLife {
                    name: step.name,
                    begin: seq,
                    requested: requested.into_iter().collect(),
                    end: None,
                }),
            }
            return;
        }
        if let Some(open) =
            self.steps.iter_mut().rev().find(|it| it.name == step.name && it.end.is_none())
        {
            open.end = Some(line.clone());
            if step.name == StepName::Apply {
                self.in_the_way.forget_crash_loops();
            }
        }
        if step.phase == Phase::Refused
            && step.name != StepName::Apply
            && self.ended_early < MAX_STEPS
        {
            self.ended_early += 1;
            let found = diagnosis::refused(self, seq, step);
            self.in_the_way.obstacles.push(found);
        }
        if matches!(step.phase, Phase::Stuck | Phase::TimedOut) && self.ended_early < MAX_STEPS {
            self.ended_early += 1;
            let step_time =
                if step.phase == Phase::TimedOut { StepTime::Over } else { StepTime::Remains };
            if let Some(found) = diagnosis::find(self, step_time) {
                self.in_the_way.note(found);
            }
        }
    }

    fn note_settled(&mut self, seq: Seq) {
        let is_settled = self.is_settled();
        let set = self.set().map(|set| set.uid.clone());
        let open = self.settled_periods.last_mut().filter(|period| period.until.is_none());
        let goes_on = match open {
            Some(period) if is_settled && Some(&period.set) == set.as_ref() => true,
            Some(period) => {
                period.until = Some(seq);
                false
            }
            None => false,
        };
        if is_settled && !goes_on {
            let period = SettledPeriod::now(self, seq);
            self.settled_periods.push(period);
        }
        self.cache = Cache::default();
    }
}

/// What vanished in a gap was there before: it is the last life of its name, or the one before a
/// life that the gap's list brought.
fn recent<T>(lives: Option<&mut Vec<T>>, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
    lives?.iter_mut().rev().take(2).find(|life| is_it(life))
}

/// The owner that manages the object.
pub(crate) fn controller(owners: &[OwnerReference]) -> Option<&OwnerReference> {
    owners.iter().find(|owner| owner.controller)
}
