//! The files that a script writes, by what its commands name.

use crate::shell::{
    Guards, Paths, ShellToken, ShellTokenKind,
    commands::{commands, inner_scripts, program},
    tokens,
};

/// A file that a command of a script writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileWrite<'s> {
    /// The redirection, or the name of the program.
    pub by: ShellToken<'s>,
    /// What names the file.
    pub file: ShellToken<'s>,
    /// What was in the file is lost; otherwise something is added to it.
    pub overwrites: bool,
}

/// What the commands of a script write by redirections, and by programs that take a file's name.
/// Scripts within it are not looked into.
#[must_use]
pub fn file_writes<'s>(tokens: &[ShellToken<'s>]) -> Vec<FileWrite<'s>> {
    let mut found = vec![];
    for pair in tokens.windows(2).filter(|it| it[1].is_word()) {
        let overwrites = pair[0].kind == ShellTokenKind::Write || pair[0].text == "&>";
        if overwrites || pair[0].is_write_or_append() || pair[0].text == "&>>" {
            found.push(FileWrite { by: pair[0], file: pair[1], overwrites });
        }
    }
    for command in commands(tokens) {
        found.extend(written_by_program(&command));
    }
    found
}

fn written_by_program<'s>(command: &[ShellToken<'s>]) -> Vec<FileWrite<'s>> {
    let Some((name, arguments)) = program(command) else { return vec![] };
    let by = command[command.len() - arguments.len() - 1];
    let is_operand = |it: &&ShellToken<'_>| !it.text.starts_with('-');
    let operands = arguments.iter().filter(is_operand).copied();
    let files: Vec<ShellToken<'s>> = match name {
        "tee" => operands.collect(),
        "cp" | "mv" => operands.skip(1).last().into_iter().collect(),
        "install" if !has_flag(arguments, 'd') => operands.skip(1).last().into_iter().collect(),
        "dd" => {
            let output = |it: &ShellToken<'s>| {
                let text = it.text.strip_prefix("of=")?;
                Some(ShellToken { text, at: it.end() - text.len(), ..*it })
            };
            arguments.iter().filter_map(output).collect()
        }
        _ => return vec![],
    };
    let adds = match name {
        "tee" => has_flag(arguments, 'a'),
        "cp" | "mv" => has_flag(arguments, 'n'),
        _ => arguments.iter().any(|it| matches!(it.text, "conv=notrunc" | "oflag=append")),
    };
    files.into_iter().map(|file| FileWrite { by, file, overwrites: !adds }).collect()
}

/// Whether a command has a flag of one letter, alone or among others: `-n`, `-rn`.
#[must_use]
pub fn has_flag(arguments: &[ShellToken<'_>], flag: char) -> bool {
    let letters = |it: &ShellToken<'_>| {
        it.text.strip_prefix('-').is_some_and(|it| !it.starts_with('-') && it.contains(flag))
    };
    arguments.iter().any(letters)
}

/// How a script writes a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPath {
    /// The file's whole path, as far as it is known.
    pub path: String,
    /// Only where the file is missing.
    pub is_guarded: bool,
    /// What was in the file is lost; otherwise something is added to it.
    pub overwrites: bool,
}

/// The files that a script writes, with those of scripts within it; none where it cannot be cut for
/// certain.
#[must_use]
pub fn written_paths(script: &str) -> Vec<WrittenPath> {
    let Some(own) = tokens(script) else { return vec![] };
    let paths = Paths::of(&own, None);
    let guards = Guards::of(&paths).unwrap_or_default();
    let mut found = of_script(&paths, &guards, |_, _| false);
    for inner in inner_scripts(&own) {
        let tokens = tokens(&inner.text).unwrap_or_default();
        let paths = Paths::of(&tokens, inner.folder.as_deref());
        let own_guards = Guards::of(&paths).unwrap_or_default();
        // Of the script within, the outer one may decide whether it is run.
        let outer = |at: usize, path: &str| guards.hold(inner.place(at), path);
        found.extend(of_script(&paths, &own_guards, outer));
    }
    found
}

/// `is_guarded` is asked of each write, by its place and path, that the script itself does not guard.
fn of_script(
    paths: &Paths<'_, '_>,
    guards: &Guards,
    is_guarded: impl Fn(usize, &str) -> bool,
) -> Vec<WrittenPath> {
    let mut found = vec![];
    for FileWrite { file, overwrites, .. } in file_writes(paths.tokens) {
        let own = paths.whole(&file);
        let is_guarded =
            own.is_some_and(|it| guards.hold(file.at, &it) || is_guarded(file.at, &it));
        let written = |path| WrittenPath { path, is_guarded, overwrites };
        found.extend(paths.possible(&file).into_iter().map(written));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::written_paths;

    /// What a script writes, in words: `!` marks what is written wherever it is, `+` what is added.
    fn told(script: &str) -> String {
        let told = written_paths(script).into_iter().map(|it| {
            let mark = if it.is_guarded { "" } else { "!" };
            format!("{mark}{}{}", if it.overwrites { "" } else { "+" }, it.path)
        });
        told.collect::<Vec<_>>().join(" ")
    }

    /// Catches a file that a script is not known to write, one whose name begins as another's does,
    /// and a line that is appended taken for one that overwrites.
    #[test]
    fn the_files_that_a_script_writes_are_known() {
        for (script, expected) in [
            ("[ -f /data/id ] || date >/data/id\ndate >/data/id2", "/data/id !/data/id2"),
            ("date 1>> /data/log; date >| \"/data/my id\"", "!+/data/log !/data/my id"),
            ("date &> /data/a; date &>> /data/b; date 2> /data/c", "!/data/a !+/data/b"),
            (
                "date | tee /data/a \"/data/b\"; date | tee -a /data/c",
                "!/data/a !/data/b !+/data/c",
            ),
            ("cp /etc/hostname /data/a; exec /bin/cp -rn x /data/b", "!/data/a !+/data/b"),
            ("date > /tmp/a; mv -f /tmp/a /data/a", "!/tmp/a !/data/a"),
            ("date | dd of=/data/a; dd if=x of=\"/data/b\" conv=notrunc", "!/data/a !+/data/b"),
            ("install -m 644 x /data/a; install -d /data/b; cp /data/c", "!/data/a"),
            ("cd /data; date > a; date > ./b; cd $D; date > c", "!/data/a !/data/b"),
            ("D=/data/; date > $D/a; date > $E", "!/data/a !$E"),
            ("for F in /a \"/b\"; do [ -f $F ] || date > $F; done", "/a /b"),
            ("cd /data; sh -c '[ -f a ] || date > a; date > b'", "/data/a !/data/b"),
            ("[ -f /data/a ] || sh -c 'date > /data/a'", "/data/a"),
            ("trap 'date > /data/a' TERM; [ -f /data/a ] || date > /data/a", "/data/a !/data/a"),
            ("echo 'date > /data/a'; cat /data/b", ""),
            ("date > /data/a; echo it's", ""),
        ] {
            assert_eq!(told(script), expected, "{script}");
        }
    }

    /// Catches a script that takes minutes, because its lines are compared with all others again and
    /// again.
    #[test]
    fn a_long_script_is_read_at_once() {
        let long = format!("F=/data/id\n{}", "echo a > $F\n".repeat(1300));
        assert_eq!(told(&long).matches("!/data/id").count(), 1300);
        let long = format!("cd /data\n{}", "[ -f a ]||b > a\n".repeat(900));
        assert_eq!(told(&long).matches("/data/a").count(), 900);
        // Nothing so long is a path.
        let long = format!("D={}; a > {}", "x".repeat(7900), "$D".repeat(4000));
        assert!(told(&long).len() < 20_000);
        let long = format!("cd /data\n{}{}", "cd a;".repeat(1500), "a >a\n".repeat(1700));
        assert_eq!(told(&long).matches("/data/a/a").count(), 1700);
    }
}
