use super::Lookup;
use crate::model::{
    Fact, Fault,
    Outcome::{Fail, Inconclusive, Pass},
    diagnosis,
    observation::{
        Gap, Kind, ObjectChange,
        object::{Endpoint, Object, ObjectReference, PodIp},
    },
    testing::history::History,
};

fn set_with(change: impl FnOnce(&mut crate::model::observation::object::Service)) -> History {
    History::new()
        .service_with(change)
        .set(ObjectChange::Added)
        .subject()
        .up(0)
        .up(1)
        .up(2)
        .inspect()
        .end()
}

#[test]
fn right_answers_pass() {
    History::created().down(1).up(1).inspect_one(1).end().assert("dns_resolution", Pass, &[]);
}

/// Catches a remedy that makes a Service headless although one that would do stands beside it.
#[test]
fn a_fitting_service_beside_the_named_one_is_to_be_named() {
    let history = History::new().service_with(|service| service.metadata.name = "other".to_owned());
    let history = history.service_with(|service| {
        service.spec.iter_mut().for_each(|it| it.cluster_ip = "10.96.0.7".to_owned())
    });
    let history = history.set(ObjectChange::Added).subject().up(0).up(1).up(2).inspect().end();
    history.assert("dns_resolution", Fail, &["wrong_service_name"]);
    let verdict = super::judge(&history.timeline());
    let advice = verdict.criteria[0].advice.as_ref().map(|it| it.after.as_str());
    assert_eq!(advice, Some("spec:\n  serviceName: other"));
    // One that selects other pods would not do.
    let other = |service: &mut crate::model::observation::object::Service| {
        service.metadata.name = "other".to_owned();
        service.spec.iter_mut().for_each(|it| {
            it.selector.insert("app".to_owned(), "else".to_owned()).into_iter().for_each(drop)
        });
    };
    let history = History::new().service_with(other);
    let history = history.service_with(|service| {
        service.spec.iter_mut().for_each(|it| it.cluster_ip = "10.96.0.7".to_owned())
    });
    history.set(ObjectChange::Added).subject().up(0).up(1).up(2).inspect().end().assert(
        "dns_resolution",
        Fail,
        &["service_not_headless"],
    );
}

#[test]
fn the_service_must_exist_be_headless_and_select_the_pods() {
    History::new().set(ObjectChange::Added).subject().up(0).up(1).up(2).end().assert(
        "dns_resolution",
        Fail,
        &["no_service"],
    );
    set_with(|service| service.metadata.name = "other".to_owned()).assert(
        "dns_resolution",
        Fail,
        &["wrong_service_name"],
    );
    set_with(|service| {
        service.spec.iter_mut().for_each(|it| it.cluster_ip = "10.96.1.1".to_owned())
    })
    .assert("dns_resolution", Fail, &["service_not_headless"]);
    let alias = set_with(|service| {
        service.spec.iter_mut().for_each(|it| {
            it.cluster_ip.clear();
            it.r#type = "ExternalName".to_owned();
        });
    });
    alias.assert("dns_resolution", Fail, &["service_not_headless"]);
    // Catches a cluster IP that is told of a Service that has none.
    let told = &alias.verdict("dns_resolution").criteria[0];
    let seen = format!("{:?}", told.standing);
    assert!(seen.contains("is of type ExternalName") && !seen.contains("cluster IP"), "{seen}");
    let remedy = told.advice.as_ref().map(|it| it.remedy.as_str()).unwrap_or_default();
    assert!(remedy.contains("Take out `type: ExternalName`"), "{remedy}");
    set_with(|service| service.spec.iter_mut().for_each(|it| it.selector.clear())).assert(
        "dns_resolution",
        Fail,
        &["selector_mismatch"],
    );
}

#[test]
fn an_answer_for_the_old_address_is_not_yet_and_a_later_life_proves_the_name() {
    let stale = History::created()
        .down(1)
        .up(1)
        .lookup_with(1, |it| it.addresses = vec!["10.88.1.11".to_owned()]);
    // However the record ends, and whether the pod still lives or not.
    stale.clone().assert("dns_resolution", Inconclusive, &[]);
    stale.clone().end().assert("dns_resolution", Inconclusive, &[]);
    stale.clone().down(1).end().assert("dns_resolution", Inconclusive, &[]);
    stale.down(1).up(1).lookup(1).end().assert("dns_resolution", Pass, &[]);
}

/// Three pods, of which the second one's name is asked `seconds` after the EndpointSlice
/// carried it.
fn asked_after(seconds: u64, with: impl FnOnce(&mut Lookup)) -> History {
    let up = History::new().create().lookup(0).lookup(2);
    let carried = up
        .lines
        .iter()
        .find(|it| matches!(it.what, Fact::Object(_, Object::EndpointSlice(_))))
        .map_or(0, |it| it.at);
    up.lookup_with(1, |it| {
        it.began = carried + seconds * 1_000_000_000;
        with(it);
    })
}

fn nothing(it: &mut Lookup) {
    it.error = Some("NXDOMAIN".to_owned());
}

#[test]
fn a_wrong_answer_counts_when_servers_have_forgotten_the_older_one() {
    asked_after(34, nothing).end().assert("dns_resolution", Inconclusive, &[]);
    asked_after(35, nothing).end().assert("dns_resolution", Fail, &[]);
    asked_after(35, |it| it.addresses = vec!["10.88.9.9".to_owned()]).end().assert(
        "dns_resolution",
        Fail,
        &[],
    );
    // A tool that crashed, or a server that did not answer, is no answer.
    asked_after(90, |it| it.error = Some("Segmentation fault".to_owned())).end().assert(
        "dns_resolution",
        Inconclusive,
        &[],
    );
}

#[test]
fn a_wrong_answer_about_a_pod_that_the_slices_do_not_carry_does_not_count() {
    let up = || History::new().create().inspect_one(0).inspect_one(2);
    let late = |it: &mut Lookup| {
        (it.error, it.began) = (Some("NXDOMAIN".to_owned()), it.began + 60_000_000_000)
    };
    up().lookup_with(1, late).end().assert("dns_resolution", Fail, &[]);
    up().unready(1).lookup_with(1, late).end().assert("dns_resolution", Inconclusive, &[]);
    // A gap may hide that.
    let gap = Gap {
        kind: Kind::EndpointSlice,
        reason: "410 Gone".to_owned(),
        last_sure: None,
        vanished: vec![],
    };
    let hole = asked_after(60, nothing).push(Fact::Gap(gap));
    hole.end().assert("dns_resolution", Inconclusive, &[]);
}

#[test]
fn an_answer_that_the_slices_do_not_agree_with_shows_nothing() {
    // The container's own tool tells the right address, but the Service has no endpoint of this
    // pod.
    let up = History::new().create().slice();
    let Some(Fact::Object(_, Object::EndpointSlice(slice))) =
        up.lines.last().map(|it| it.what.clone())
    else {
        panic!("no slice")
    };
    let others =
        slice.endpoints.into_iter().filter(|it| it.hostname.as_deref() != Some("web-1")).collect();
    let up = History::new().create().slice_of(others);
    let forged = [0, 1, 2].into_iter().fold(up, History::lookup_as_it_is);
    forged.end().assert("dns_resolution", Inconclusive, &[]);
}

#[test]
fn a_name_that_another_pod_has_too_fails() {
    asked_after(60, |it| it.addresses = vec!["10.88.9.9".to_owned(), "10.88.1.11".to_owned()])
        .end()
        .assert("dns_resolution", Fail, &["name_of_two_pods"]);
    // Two wrong ones are nobody's sharing.
    asked_after(60, |it| it.addresses = vec!["10.88.9.9".to_owned(), "10.88.9.8".to_owned()])
        .end()
        .assert("dns_resolution", Fail, &[]);
}

#[test]
fn a_name_that_the_slices_give_to_another_pod_too_fails_whatever_is_answered() {
    let twin = |history: History| {
        let target = ObjectReference {
            kind: "Pod".to_owned(),
            name: "twin-5f".to_owned(),
            uid: "twin".to_owned(),
        };
        let twin = Endpoint {
            addresses: vec!["10.88.7.7".to_owned()],
            hostname: Some("web-1".to_owned()),
            target_ref: Some(target),
            ..Default::default()
        };
        let Some(Fact::Object(_, Object::EndpointSlice(slice))) =
            history.clone().slice().lines.last().map(|it| it.what.clone())
        else {
            panic!("no slice")
        };
        history.slice_of(slice.endpoints.into_iter().chain([twin]).collect())
    };
    let up = || History::new().create();
    let answered = |history: History| [0, 1, 2].into_iter().fold(history, History::lookup_as_it_is);
    answered(twin(up())).end().assert("dns_resolution", Fail, &["name_of_two_pods"]);
    // Once it is gone, the right answer counts.
    answered(twin(up())).inspect().end().assert("dns_resolution", Pass, &[]);
}

#[test]
fn one_of_a_pod_s_ip_families_is_enough() {
    let both = |history: History, ordinal: i32| {
        history.up(ordinal).pod(ordinal, ObjectChange::Modified, |pod| {
            pod.status.pod_ips.push(PodIp { ip: format!("fd00::{ordinal}") })
        })
    };
    let up = [0, 1, 2]
        .into_iter()
        .fold(History::new().service().set(ObjectChange::Added).subject(), both);
    up.inspect().end().assert("dns_resolution", Pass, &[]);
}

#[test]
fn a_server_that_does_not_answer_is_the_clusters_trouble() {
    let history = History::new().create();
    let asked = [0, 1, 2].into_iter().fold(history, |history, ordinal| {
        history.lookup_with(ordinal, |it| it.error = Some("timed out".to_owned()))
    });
    asked.end().assert("dns_resolution", Inconclusive, &[]);
}

/// Catches points that are lost because a policy of the namespace keeps the pods from the DNS, and a
/// policy that is blamed though the names were answered.
#[test]
fn a_policy_that_keeps_the_pods_from_the_dns_is_the_clusters_obstacle() {
    let denied = |names: &[&str]| {
        [0, 1, 2].into_iter().fold(History::new().create(), |history, ordinal| {
            history.lookup_with(ordinal, |it| {
                it.undecided = Some("no server answered".to_owned());
                it.denied_by = names.iter().map(|it| (*it).to_owned()).collect();
            })
        })
    };
    let blocked_by = |names: &[&str]| {
        let verdict = denied(names).end().verdict("dns_resolution");
        assert_eq!(verdict.outcome(), Inconclusive, "{verdict:?}");
        verdict.blocked_by().map(|it| (it.id, it.fault, it.who.clone()))
    };
    let by = |who: &str| Some(("dns_denied", Fault::NotTheSubmission, who.to_owned()));
    assert_eq!(blocked_by(&["deny-all"]), by("NetworkPolicy deny-all"));
    assert_eq!(blocked_by(&["a", "b", "c"]), by("NetworkPolicies a, b and c"));
    assert_eq!(blocked_by(&[]), None);
    denied(&["deny-all"]).inspect().end().assert("dns_resolution", Pass, &[]);
    // A batch that tries again meets it again.
    assert!(diagnosis::comes_again("dns_denied"));
}

#[test]
fn every_label_of_the_selector_must_match() {
    let half = |service: &mut crate::model::observation::object::Service| {
        service.spec.iter_mut().for_each(|it| {
            it.selector.insert("tier".to_owned(), "front".to_owned());
        });
    };
    set_with(half).assert("dns_resolution", Fail, &["selector_mismatch"]);
}

#[test]
fn the_service_s_own_name_must_give_all_addresses() {
    let asked = |with: &dyn Fn(&mut Lookup)| {
        let mut history = History::created();
        for line in &mut history.lines {
            if let Fact::Lookup(lookup) = &mut line.what
                && lookup.of.is_none()
            {
                lookup.began = line.at + 60_000_000_000;
                with(lookup);
            }
        }
        history.end()
    };
    let error = |words: &'static str| {
        move |it: &mut Lookup| {
            it.addresses.clear();
            it.error = Some(words.to_owned());
        }
    };
    asked(&|it| it.addresses.truncate(1)).assert("dns_resolution", Fail, &[]);
    asked(&|it| it.addresses.push("10.99.0.1".to_owned())).assert("dns_resolution", Pass, &[]);
    asked(&error("NXDOMAIN")).assert("dns_resolution", Fail, &[]);
    asked(&error("no address")).assert("dns_resolution", Fail, &[]);
    asked(&error("timed out")).assert("dns_resolution", Inconclusive, &[]);
    let early = |it: &mut Lookup| {
        it.began -= 60_000_000_000;
        error("NXDOMAIN")(it);
    };
    asked(&early).assert("dns_resolution", Inconclusive, &[]);
}
