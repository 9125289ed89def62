//! `stsgrade restore`: finishes what an interrupted grade left.

use super::{
    grade::leftovers,
    live::{Early, block_on, connect, listen, whereabouts},
};
use crate::{
    cli::{Format, Restore},
    cluster::restore::finish,
    exit::Exit,
    progress::Progress,
};

pub(super) fn run(args: &Restore) -> Exit {
    block_on(async { work(args).await.unwrap_or_else(|early| early.exit(Format::Text)) })
}

async fn work(args: &Restore) -> Result<Exit, Early> {
    let interrupt = listen()?;
    let progress = Progress::to_stderr();
    let cluster = connect(&args.target, &interrupt).await?;
    progress.say(&whereabouts(&cluster));
    let Some(restored) = finish(&cluster, args.force, args.probe_image.as_deref(), &interrupt).await? else {
        progress.say("there is nothing to put back");
        return Ok(Exit::Good);
    };
    let lines = leftovers(&restored, &cluster);
    lines.iter().for_each(|line| progress.say(line));
    if !lines.is_empty() {
        return Ok(Exit::NotRestored);
    }
    progress.say("everything is as it was found");
    Ok(Exit::Good)
}
