//! `stsgrade restore`: finishes what a killed grade left.

use crate::commands::{
    other_namespace::with_hint,
    session::{Early, REPLICAS_ARE_BACK, block_on, connect, listen, tell_restored, whereabouts},
};
use crate::{
    cli::Restore,
    cluster::restore::finish,
    console::{progress::Progress, terminal::Colour},
    exit::Exit,
};

pub(super) fn run(args: &Restore) -> Exit {
    block_on(async { work(args).await.unwrap_or_else(|early| early.exit()) })
}

async fn work(args: &Restore) -> Result<Exit, Early> {
    let interrupt = listen()?;
    let progress = Progress::to_stderr(false, Colour::Auto);
    let cluster = connect(&args.target, &interrupt, &progress).await?;
    progress.say(&whereabouts(&cluster));
    let say = |line: &str| progress.say(line);
    let probe_image = args.probe_image.as_deref();
    let restored = match finish(&cluster, args.force, probe_image, &interrupt, &say).await {
        Ok(restored) => restored,
        Err(failure) => {
            return Err(with_hint(failure, &args.target, &cluster, "restore").await.into());
        }
    };
    let Some(restored) = restored else {
        progress.say("there is nothing to put back");
        return Ok(Exit::Good);
    };
    Ok(if tell_restored(&restored, REPLICAS_ARE_BACK, &cluster, &progress) {
        Exit::Good
    } else {
        Exit::NotRestored
    })
}
