# What the benchmarks on a cluster share. Sourced, never run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export STSGRADE=${STSGRADE:-${CARGO_TARGET_DIR:-$root/target}/release/stsgrade}
submission=$root/fixtures/pass/standing/submission.yaml

need() { echo "$1" >&2; exit 2; }
: "${KUBECONFIG:?is not set: run this by tests/cluster/run}"
# Only these benchmarks compare with kubectl; neither stsgrade nor its tests need it.
command -v kubectl >/dev/null || need "kubectl is missing, and the comparison is with kubectl: install it (any version within one of the cluster's)"
[[ -x /usr/bin/time ]] || need "GNU time is missing, which measures memory: apt-get install time"
[[ -x $STSGRADE ]] || need "$STSGRADE is missing: cargo build --release, or set STSGRADE"

work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
export work

# stand NAMESPACE...: a set of three that is Ready in each, all at once.
stand() {
  local namespace
  for namespace; do
    kubectl create namespace "$namespace" >/dev/null && kubectl apply -n "$namespace" -f "$submission" >/dev/null || return
  done
  for namespace; do
    kubectl rollout status -n "$namespace" sts/web --timeout=300s >/dev/null || return
  done
  sleep 5 # until the controllers are at rest
}

# measure NAME COMMAND...: its seconds and the kilobytes of its largest process in $work/NAME.cost.
measure() {
  /usr/bin/time -o "$work/$1.cost" -f '%e %M' "${@:2}"
}

# grade NAMESPACE: by stsgrade; ends with 1 unless the set has all its points.
grade() {
  measure "$1" "$STSGRADE" grade -n "$1" --save "$work/$1.jsonl" >"$work/$1.report" 2>"$work/$1.log" && return
  cat "$work/$1.log" "$work/$1.report" >&2
  return 1
}

# by_hand NAMESPACE: the same moves by kubectl.
by_hand() {
  measure "$1" "$root/tests/bench/by-hand" "$1" "$work/$1.log" >"$work/$1.out" && return
  tail -n 20 "$work/$1.out" "$work/$1.log" >&2
  return 1
}

# requests NAMESPACE: how many the run in it made, by its own count: stsgrade says it, kubectl writes a line for each.
requests() {
  sed -n 's/.*(\([0-9]*\) API requests).*/\1/p' "$work/$1.log" | grep . ||
    grep -cE 'verb="[A-Z]+" .*status="[0-9]{3}|(GET|POST|PUT|PATCH|DELETE) https?://[^ ]+ [0-9]{3} ' "$work/$1.log"
}

# median: of the numbers on standard input.
median() { sort -n | awk '{ it[NR] = $1 } END { print NR % 2 ? it[(NR + 1) / 2] : (it[NR / 2] + it[NR / 2 + 1]) / 2 }'; }
