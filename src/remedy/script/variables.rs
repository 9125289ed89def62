//! Variables of a script that are empty, because nothing sets them.

use checks::shell::{
    MAX_SCRIPT_BYTES, is_of_name, may_set_any_variable, sets_variables, split_name,
};

/// What may stand behind a name within `${…}`, so that it counts where the name is not set.
const DEFAULTS: [char; 5] = [':', '-', '=', '?', '+'];

/// The first variable that is meant for the pod's name, by what it is called, and that neither the
/// script nor a shell, a container runtime or Kubernetes sets.
///
/// `None` where that is not certain: the script runs another one in its own shell, writes a
/// here-document in which nothing is replaced, or is longer than scripts are.
#[must_use]
pub fn unset_name(script: &str) -> Option<&str> {
    let may_set_any = script.split_whitespace().any(may_set_any_variable);
    let is_quoted = ["<<'", "<<\"", "<<\\", "<<-'", "<<-\""].iter().any(|it| script.contains(it));
    if may_set_any || is_quoted || script.len() > MAX_SCRIPT_BYTES {
        return None;
    }
    read(script).into_iter().find(|name| is_for_the_name(name) && !is_set(script, name))
}

/// Whether a variable is called like one that holds the pod's name, and is not the one that a
/// container runtime sets.
fn is_for_the_name(variable: &str) -> bool {
    const RUNTIME: &str = "HOSTNAME";
    let name = variable.to_ascii_uppercase().replace('_', "");
    let name = name.strip_prefix("MY").unwrap_or(&name);
    let is_near = |meant, letters| strsim::damerau_levenshtein(name, meant) <= letters;
    variable != RUNTIME
        && (is_near(RUNTIME, 2) || is_near("PODNAME", 1) || matches!(name, "HOST" | "POD" | "NAME"))
}

/// The variables that a shell replaces in a script, in their order; without those that have a
/// default.
fn read(script: &str) -> Vec<&str> {
    let mut names = vec![];
    let mut is_double_quoted = false;
    let mut before = '\n';
    let mut at = 0;
    while let Some(c) = script[at..].chars().next() {
        let rest = &script[at + c.len_utf8()..];
        let mut length = c.len_utf8();
        match c {
            '\\' => length += rest.chars().next().map_or(0, char::len_utf8),
            '"' => is_double_quoted = !is_double_quoted,
            '\'' if !is_double_quoted => length += rest.find('\'').map_or(rest.len(), |it| it + 1),
            '#' if !is_double_quoted && before.is_whitespace() => {
                length += rest.find('\n').unwrap_or(rest.len());
            }
            '$' => {
                let inner = rest.strip_prefix('{');
                let (name, behind) = split_name(inner.unwrap_or(rest));
                let has_default = inner.is_some() && behind.starts_with(DEFAULTS);
                if !name.is_empty() && !has_default {
                    names.push(name);
                }
            }
            _ => {}
        }
        before = c;
        at += length;
    }
    names
}

/// Whether a script may set a variable.
fn is_set(script: &str, variable: &str) -> bool {
    script.match_indices(variable).any(|(at, _)| {
        let (before, behind) = (&script[..at], &script[at + variable.len()..]);
        // `${NAME:=default}`, which `:` often stands before.
        if before.ends_with("${") && (behind.starts_with(":=") || behind.starts_with('=')) {
            return true;
        }
        if before.ends_with(|c| is_of_name(c) || c == '$' || c == '{')
            || behind.starts_with(is_of_name)
        {
            return false;
        }
        let start = before.rfind(['\n', ';', '&', '|', '(']).map_or(0, |it| it + 1);
        let mut command = before[start..].split_whitespace();
        behind.starts_with(['=', '+']) || command.any(sets_variables)
    })
}

#[cfg(test)]
mod tests {
    use super::unset_name;

    /// Catches a misspelt variable that is not found, and one that is blamed though it is set, has a
    /// default, stands where a shell replaces nothing, or means something else.
    #[test]
    fn a_variable_that_nothing_sets_is_named() {
        for (script, name) in [
            ("echo \"I am $HOST_NAME\" > /data/id; sleep 9", Some("HOST_NAME")),
            ("echo $hostname > /data/id", Some("hostname")),
            ("echo \"it's ${POD_NAME}\" > /data/id", Some("POD_NAME")),
            ("date > /data/$MY_POD_NAME.txt", Some("MY_POD_NAME")),
            ("echo \\\"${HOSTNAM%-*}\\\" > /data/id", Some("HOSTNAM")),
            ("cat > /data/id <<EOF\nname: $NAME\nEOF\n", Some("NAME")),
            ("echo \"HOST_NAME is $HOST_NAME\" > /data/id", Some("HOST_NAME")),
            ("echo $HOSTNAME ${HOSTNAME} $(hostname) > /data/id", None),
            ("HOST_NAME=$(hostname); echo $HOST_NAME > /data/id", None),
            ("set -e; export POD_NAME=x && echo $POD_NAME", None),
            ("hostname | while read -r name; do echo $name > /data/id; done", None),
            ("for host in a b; do echo $host; done", None),
            ("echo ${POD_NAME:-$(hostname)} ${HOST_NAME-x} > /data/id", None),
            (": \"${NAME:=world}\"; echo $NAME > /data/id", None),
            (": ${POD_NAME=$(hostname)}; echo $POD_NAME > /data/id", None),
            ("echo ${NAME:-x} $NAME > /data/id", Some("NAME")),
            ("echo '$HOST_NAME' > /data/id", None),
            ("echo \\$HOST_NAME > /data/id # $POD_NAME", None),
            ("cat > /data/id <<'EOF'\n$HOST_NAME\nEOF\n", None),
            (". /etc/names; echo $HOST_NAME > /data/id", None),
            ("echo $DB_HOST $NODE_NAME $KUBERNETES_SERVICE_HOST $1 $$ > /data/id", None),
            ("echo \u{e9}$", None),
        ] {
            assert_eq!(unset_name(script), name, "{script}");
        }
    }
}
