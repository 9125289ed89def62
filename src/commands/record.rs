//! `stsgrade record`: what happens in a namespace, without changing anything.

use crate::commands::{
    other_namespace::{near_namespace, with_hint},
    session::{Early, begin, block_on, connect, listen, whereabouts},
};
use crate::{
    cli::Record,
    cluster::{Failure, client::namespace::exists, passive},
    console::{progress::Progress, sanitize::sanitize, terminal::Colour},
    exit::Exit,
    recording::AskedOptions,
    remedy::shell_word_or,
};

pub(super) fn run(args: &Record) -> Exit {
    block_on(async { work(args).await.unwrap_or_else(|early| early.exit()) })
}

async fn work(args: &Record) -> Result<Exit, Early> {
    let interrupt = listen()?;
    let progress = Progress::to_stderr(false, Colour::Auto);
    let cluster = connect(&args.target, &interrupt, &progress).await?;
    progress.say(&whereabouts(&cluster));
    let asked = AskedOptions {
        command: "record".to_owned(),
        statefulset: args.statefulset.clone(),
        timeout_seconds: args.timeout.map(|it| it.as_secs()),
        ..AskedOptions::default()
    };
    let (_, journal, path) = begin(&cluster, args.save.as_deref(), asked)?;
    let path = path.display().to_string();
    let stop = async {
        match args.timeout {
            Some(timeout) => tokio::select! {
                () = interrupt.first() => {}
                () = tokio::time::sleep(timeout) => {}
            },
            None => interrupt.first().await,
        }
    };
    if let Err(failure) = exists(&cluster).await {
        let near = near_namespace(&failure, &args.target, &cluster).await;
        let hint = near.map(|it| format!(". Did you mean {it}?")).unwrap_or_default();
        progress.say(&format!("note: {failure}; what will be made there is recorded{hint}"));
    }
    let ready = || {
        progress
            .say(&format!("recording to {}; nothing is changed; Ctrl-C ends it", sanitize(&path)))
    };
    let recorded = tokio::select! {
        recorded = passive::record(&cluster, &journal, args.statefulset.as_deref(), stop, ready) => recorded,
        () = progress.follow(&journal) => return Err(Failure::new("progress", "the journal ended", "Report this as a bug.").into()),
    };
    progress.clear();
    journal.flush();
    let recorded = match recorded {
        Ok(recorded) => recorded,
        Err(failure) => {
            return Err(with_hint(failure, &args.target, &cluster, "record").await.into());
        }
    };
    if let Some(trouble) = journal.trouble() {
        return Err(Failure::new(
            "recording_file",
            format!("the recording {}", sanitize(&trouble)),
            "Make room, and record again.",
        )
        .into());
    }
    if let Some((since, why)) = &recorded.blind {
        progress.say(&format!(
            "warning: the API server has not answered for {} s ({}): what happened since is not \
            recorded, and the recording has no end",
            since.as_secs(),
            sanitize(why)
        ));
    }
    progress.say(&format!(
        "{} lines in {} s; next: stsgrade judge {}",
        recorded.lines,
        recorded.took.as_secs(),
        shell_word_or(&path, "FILE")
    ));
    Ok(Exit::Good)
}
