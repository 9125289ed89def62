//! The program `stsgrade`. Everything is in the library; only this file exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(stsgrade::commands::run(std::env::args_os()).code())
}
