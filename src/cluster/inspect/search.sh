# Searches what lies on claims for what names pods, as a person does with `grep -r` and `strings`.
#
# $1 is a random word that no file can contain; every record is "WORD:key:value". $2 is an extended regular
# expression. Then, per mount: its path.
#
# below.sh stands before it. Comments and indentation are taken away before it is sent.
LC_ALL=C
export LC_ALL
unset CDPATH
W=$1 pattern=$2
shift 2
p() { printf '%s:%s:%s' "$W" "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1; }
if ! has find || ! has grep || ! has tr || ! has head || ! has sort; then
p end
exit
fi
size() { stat -c '%s' "$1" 2>/dev/null; }
mtime() { stat -c '%Y' "$1" 2>/dev/null; }
# Files that hold it, by lines and by what stands between zero bytes: not every grep reads on behind one.
list() {
find "$1" -type f ! -name '.stsgrade-*' -exec grep -lE "$pattern" {} + 2>/dev/null
find "$1" -type f ! -name '.stsgrade-*' -exec grep -lzE "$pattern" {} + 2>/dev/null
}
is_theirs() {
case $1 in lost+found/* | */lost+found/*) return 1 ;; esac
o=$others
while [ "$o" != // ]; do
o=${o#//}
case $1 in "${o%%//*}"/*) return 1 ;; esac
o=//${o#*//}
done
}
i=0
while [ $# -gt 0 ]; do
d=$1
shift
p mount $i
i=$((i + 1))
below "$d"
list "$d" | sort -u | head -n 20 | while IFS= read -r f; do
n=${f#"$d"/}
if [ -f "$f" ] && [ ! -L "$f" ] && is_theirs "$n"; then
p file "$n"
p size "$(size "$f")"
p mtime "$(mtime "$f")"
p body
head -c 16385 <"$f"
tr -c ' -~' '\n' <"$f" 2>/dev/null | grep -oE "$pattern" | sort -u | head -n 20 | while IFS= read -r m; do
p holds "$m"
done
fi
done
p searched
done
p end
