//! An image that is misspelt.

use checks::model::observation::object::{Container, StatefulSetSpec};

use crate::remedy::edit::{Loss, nearest};

/// Corrects the images that the words about the pull name; all, where they name none.
pub(super) fn correct_misspelt(loss: &Loss<'_>, spec: &mut StatefulSetSpec) {
    let is_named = |it: &Container| names(loss.why(), &it.image);
    let names_any = spec.template.spec.all_containers().any(is_named);
    let is_wrong = |it: &Container| !names_any || is_named(it);
    let right = spec.template.spec.all_containers().filter(|it| !is_wrong(it));
    let right: Vec<String> = right.map(|it| it.image.clone()).collect();
    for container in spec.template.spec.all_containers_mut().filter(|it| is_wrong(it)) {
        correct(container, &right);
    }
}

/// Whether the words about a pull name an image: as the manifest has it, or as the container runtime
/// completes it.
fn names(why: &str, image: &str) -> bool {
    ["", "docker.io/", "docker.io/library/"].iter().any(|registry| {
        ["", ":latest"].iter().any(|tag| why.contains(&format!("\"{registry}{image}{tag}\"")))
    })
}

/// Puts the image that is meant in place of one that is misspelt; nothing where none is near.
/// `right`: the images of the containers whose pull did not fail.
fn correct(container: &mut Container, right: &[String]) {
    const KNOWN: [&str; 9] =
        ["busybox", "nginx", "alpine", "httpd", "redis", "postgres", "mysql", "debian", "ubuntu"];
    /// So many letters may be wrong.
    const MAX_DISTANCE: usize = 3;
    let image = container.image.to_ascii_lowercase();
    let (name, tag) = image.split_once(':').unwrap_or((image.as_str(), ""));
    let Some(known) = nearest(name, KNOWN, MAX_DISTANCE) else { return };
    let is_of_it = |image: &String| image.split(':').next() == Some(known);
    // Where the name is written right, the tag is wrong: without one it is the newest.
    container.image = if is_of_it(&container.image) {
        right.iter().find(|it| is_of_it(it)).cloned().unwrap_or_else(|| known.to_owned())
    } else if tag.is_empty() {
        known.to_owned()
    } else {
        format!("{known}:{tag}")
    };
}

#[cfg(test)]
mod tests {
    use checks::model::{
        Obstacle,
        observation::object::{Container, StatefulSetSpec},
    };

    use super::{correct, correct_misspelt};
    use crate::remedy::edit::Loss;

    /// Catches an image that is pulled, and is changed beside the one that is not, such as one whose
    /// name ends in the same.
    #[test]
    fn only_the_image_that_is_not_pulled_is_corrected() {
        let container = |image: &str| Container { image: image.to_owned(), ..Container::default() };
        for (why, images, corrected) in [
            (
                "failed to pull \"docker.io/library/busybocks:1.36\": not found",
                ["busybocks:1.36", "nginx:1.25"],
                ["busybox:1.36", "nginx:1.25"],
            ),
            (
                "failed to pull and unpack image \"docker.io/library/ngnix:latest\": not found",
                ["ngnix", "busybox:1.36"],
                ["nginx", "busybox:1.36"],
            ),
            (
                "failed to pull \"docker.io/library/busybox:1.36x\": not found",
                ["busybox:1.36x", "busybox:1.36"],
                ["busybox:1.36", "busybox:1.36"],
            ),
            (
                "Failed to pull image \"my/nginx:1.25\": not found",
                ["my/nginx:1.25", "nginx:1.25"],
                ["nginx:1.25", "nginx:1.25"],
            ),
        ] {
            let mut spec = StatefulSetSpec::default();
            spec.template.spec.containers = images.map(container).into();
            let obstacle = Obstacle::of_no_pod("image_missing", "web-0", why, "", vec![]);
            let loss = Loss {
                id: "image_missing",
                obstacle: Some(&obstacle),
                objects: &[],
                knows_programs: true,
            };
            correct_misspelt(&loss, &mut spec);
            let all = spec.template.spec.all_containers();
            assert_eq!(all.map(|it| it.image.as_str()).collect::<Vec<_>>(), corrected, "{why}");
        }
    }

    /// Catches an image of somebody's own, with a short name, for which another one is put.
    #[test]
    fn a_short_name_is_not_taken_for_another() {
        for image in ["api:latest", "etcd:9.9", "web", "app:1"] {
            let mut container = Container { image: image.to_owned(), ..Container::default() };
            correct(&mut container, &[]);
            assert_eq!(container.image, image);
        }
    }

    /// Catches a tag that is lost with a misspelt name, and one that stays though it is wrong.
    #[test]
    fn the_tag_goes_only_where_it_is_wrong() {
        for (image, corrected) in [
            ("ngnix:1.25", "nginx:1.25"),
            ("BusyBox:1.36", "busybox:1.36"),
            ("busybox:1.99", "busybox"),
            ("Nginx", "nginx"),
            ("registry.example/lab:1", "registry.example/lab:1"),
        ] {
            let mut container = Container { image: image.to_owned(), ..Container::default() };
            correct(&mut container, &[]);
            assert_eq!(container.image, corrected);
        }
    }
}
