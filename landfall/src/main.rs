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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Where clap breaks lines.
    const COLUMNS: usize = 100;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_that_can_be_pasted() {
        let mut commands = vec![Arguments::command()];
        while let Some(command) = commands.pop() {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example"), "{name}");
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() <= COLUMNS, "{name} --help would break {line:?}");
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
