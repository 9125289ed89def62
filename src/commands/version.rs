//! `stsgrade version`: the versions of the tool and of the cluster, and whether they were tried
//! together.

use serde_json::json;

use crate::{
    cli::{Version, VersionFormat},
    cluster::{
        Cluster,
        server_version::{TRIED_MINORS, is_tried},
    },
    commands::{
        session::{Early, block_on, connect, listen},
        show,
    },
    console::{progress::Progress, sanitize::sanitize, terminal::Colour},
    exit::Exit,
    report::TOOL,
};

pub(super) fn run(args: &Version) -> Exit {
    if args.client {
        return show(page(None, args.output).as_bytes());
    }
    block_on(async {
        ask(args).await.unwrap_or_else(|early| {
            // Without a cluster the tool still has a version.
            show(page(None, args.output).as_bytes());
            early.exit()
        })
    })
}

async fn ask(args: &Version) -> Result<Exit, Early> {
    let interrupt = listen()?;
    let cluster =
        connect(&args.target, &interrupt, &Progress::to_stderr(false, Colour::Auto)).await?;
    Ok(show(page(Some(&Server::of(&cluster)), args.output).as_bytes()))
}

/// What a cluster says of itself.
struct Server {
    version: Option<String>,
    context: String,
    address: String,
}

impl Server {
    fn of(cluster: &Cluster) -> Self {
        Self {
            version: cluster.version.as_deref().map(sanitize),
            context: sanitize(&cluster.context),
            address: sanitize(&cluster.server),
        }
    }
}

/// The versions on which the tool was tried, ascending: `1.30`.
fn tried_versions() -> Vec<String> {
    TRIED_MINORS.iter().map(|minor| format!("1.{minor}")).collect()
}

fn page(server: Option<&Server>, format: Option<VersionFormat>) -> String {
    if format == Some(VersionFormat::Json) {
        let mut page = json!({"client": {"version": TOOL, "tried": tried_versions()}});
        if let Some(server) = server {
            page["server"] = json!({
                "version": server.version,
                "context": server.context,
                "address": server.address,
                "isTried": server.version.as_deref().is_some_and(is_tried),
            });
        }
        return format!("{page:#}\n");
    }
    let mut page = format!("stsgrade {TOOL}\n");
    if let Some(Server { version, context, address }) = server {
        let shown = version.as_deref().unwrap_or("version unknown");
        page += &format!("Kubernetes {shown} (context {context}, {address})\n");
        let tried = tried_versions().join(", ");
        page += &match version {
            None => format!(
                "note: this account may not read the version (`get` on the path /version); stsgrade \
                was tried with Kubernetes {tried}\n"
            ),
            Some(version) if !is_tried(version) => format!(
                "note: stsgrade was not tried with this version; it was with Kubernetes {tried}\n"
            ),
            Some(_) => String::new(),
        };
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{Server, page};
    use crate::cli::VersionFormat;

    fn server(version: &str) -> Server {
        Server {
            version: Some(version.to_owned()),
            context: "lab".to_owned(),
            address: "https://10.0.0.1".to_owned(),
        }
    }

    /// Catches a version that was not tried and is not told so, and one that is told by mistake.
    #[test]
    fn a_version_that_was_not_tried_is_told() {
        for (version, tried) in
            [("v1.37.2", true), ("v1.34.1+k3s1", true), ("v1.29.9", false), ("v2.37.0", false)]
        {
            let text = page(Some(&server(version)), None);
            assert_eq!(text.contains("note: "), !tried, "{text}");
            let json = page(Some(&server(version)), Some(VersionFormat::Json));
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["server"]["isTried"], tried);
            assert_eq!(json["server"]["version"], version);
        }
        assert!(!page(None, None).contains("Kubernetes"));
        let hidden = Server { version: None, ..server("") };
        let text = page(Some(&hidden), None);
        assert!(text.contains("Kubernetes version unknown (context lab, "), "{text}");
        assert!(text.contains("note: this account may not read the version"), "{text}");
        let json = page(Some(&hidden), Some(VersionFormat::Json));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["server"]["version"], serde_json::Value::Null);
        assert_eq!(json["server"]["isTried"], false);
    }
}
