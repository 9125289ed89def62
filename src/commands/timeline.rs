//! `stsgrade timeline`: what a recording shows, as lanes of text.

use crate::{
    cli::Timeline,
    commands::{fail, judge, show},
    console::terminal::TermStyle,
    exit::Exit,
    report::{Kept, drawing::Drawing, text_lanes},
};

pub(super) fn run(args: &Timeline) -> Exit {
    match judge::read(&args.recording, args.statefulset.as_deref()) {
        Ok(folded) => {
            let drawing = Drawing::of(&folded.timeline, &judge::report(&folded, Kept::Named));
            show(text_lanes::page(&drawing, TermStyle::of_stdout(args.style.color)).as_bytes())
        }
        Err(failure) => fail(&failure),
    }
}
