# Looks for words outside of a pod's claims: in the environment, in files of ConfigMaps and Secrets, and in what `ls -i` and `df` say.
#
# $1 is a random word that no file can contain; every record is "WORD:key:value". $2 is how many words to look for. The words
# follow, without white space, and then the paths of the claims' mounts.
#
# Comments and indentation are taken away before it is sent.
LC_ALL=C
export LC_ALL
unset CDPATH
W=$1 k=$2
shift 2
words=
while [ $k -gt 0 ]; do
words="$words $1"
shift
k=$((k - 1))
done
p() { printf '%s:%s:%s' "$W" "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1; }
look() {
set -f
for w in $words; do
case " $1 " in *[!0-9A-Za-z]"$w"[!0-9A-Za-z]*) p found "$w" ;; esac
done
set +f
}
text() {
if has head; then head -c 65536 "$1"; elif has cat; then cat "$1"; else while IFS= read -r l || [ -n "$l" ]; do printf '%s\n' "$l"; done <"$1"; fi 2>/dev/null
}
# No more than what a container with little memory can hold.
first() { if has head; then head -n 1000; else cat; fi; }
# A number like one that changes all the time, as the free space of a disk does.
compare() {
for n in $1; do
case $n in 0* | *[!0-9]* | ????????????????*) continue ;; esac
for w in $words; do
case $w in 0* | *[!0-9]* | ????????????????*) continue ;; esac
d=$((w > n ? w - n : n - w))
[ $((d * 50)) -le $n ] && p near "$w"
done
done
}
look "$(export -p)"
files=0
if [ -r /proc/self/mountinfo ]; then
look "$(text /proc/self/mountinfo)"
while read -r f f f r m f; do
case $m in *\\*) m=$(printf %b "$m") ;; esac
case $m in */serviceaccount) continue ;; esac
for d; do [ "$d" = "$m" ] && continue 2; done
case $r in
/..[0-9]* | *kubernetes.io~configmap/* | *kubernetes.io~secret/* | *kubernetes.io~projected/* | *kubernetes.io~downward-api/*) ;;
*) [ -L "$m/..data" ] || continue ;;
esac
for f in "$m" "$m"/* "$m"/.[!.]* "$m"/*/*; do
[ $files -ge 40 ] && break
[ -f "$f" ] && [ -r "$f" ] || continue
files=$((files + 1))
look "$(text "$f")"
done
done </proc/self/mountinfo
fi
for d; do
look "$(ls -di "$d" "$d/." 2>/dev/null | while read -r i n; do printf '%s ' "$i"; done)"
look "$(ls -Ai "$d" 2>/dev/null | first | while read -r i n; do printf '%s ' "$i"; done)"
look "$(stat -c '%i %d' "$d" 2>/dev/null) $(stat -f -c '%i %s %b %f %a %c %d' "$d" 2>/dev/null)"
f="$(df "$d" 2>/dev/null) $(df -k "$d" 2>/dev/null) $(df -m "$d" 2>/dev/null) $(df -i "$d" 2>/dev/null)"
look "$f"
set -f
compare "$f"
set +f
done
p end
