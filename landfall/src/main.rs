//! The `landfall` command. In scope: arguments, exit codes. Out of scope: the work (the library) and its printing (`command`).

mod command;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Command;

/// Operate a Landfall deployment.
#[derive(Parser, Debug)]
#[command(name = "landfall", version, after_help = command::HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("landfall: {failure}");
            failure.exit_code()
        }
    }
}
