# Reads what lies on claims, writes and lists canaries. Only a shell's built-ins are needed.
#
# $1 is a random word that no file can contain; every record is "WORD:key:value". $2 is how many files
# to read of each mount. Then, per mount: its path, how deep to go, a canary's file name and content
# (empty: write none), how many files to read before any other, and their names.
#
# Before the first canary it waits for the line "go" on its standard input, which nobody sends for a grade that has
# died: a command that the node begins late must not write after everything was put back.
#
# below.sh stands before it. Comments and indentation are taken away before it is sent.
LC_ALL=C
export LC_ALL
unset CDPATH
IFS=' 	
'
W=$1 most=$2
shift 2
p() { printf '%s:%s:%s' "$W" "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1; }
C=read
has cat && C=cat
has dd && C=dd
has head && echo | head -c 1 >/dev/null 2>&1 && C=head
S=
if stat -c %s / >/dev/null 2>&1; then S=stat; elif ls -ldn / >/dev/null 2>&1; then S=ls; fi
# Size and modification time, where the image can tell: in seconds since the epoch and the nanoseconds on top.
measure() {
size= mtime= nanos=
case $S in
stat) set -- $(stat -c '%s %Y %y' "$1" 2>/dev/null); size=$1 mtime=$2; case $4 in *.*) nanos=${4#*.} ;; esac ;;
ls) set -f; set -- $(ls -ldn "$1" 2>/dev/null); set +f; size=$5 ;;
esac
case $size in '' | *[!0-9]*) size= ;; esac
}
# A shell variable holds no NUL: with nothing but the shell, only text comes through.
slowly() {
n=0
while IFS= read -r l; do
printf '%s\n' "$l"
n=$((n + ${#l} + 1))
[ $n -gt 16384 ] && return
done
n=$((n + ${#l}))
printf %s "$l"
}
body() {
if [ $left -le 0 ] || [ $reads -ge $most ]; then p without 'left out'; return; fi
if [ ! -r "$1" ]; then p without unreadable; return; fi
reads=$((reads + 1))
m=${size:-16384}
[ $m -gt 16384 ] && m=16384
p body
# A file that is larger than what is kept must not be read whole by cat.
case $C$size in
head*) head -c 16385 <"$1" ;;
dd*) dd bs=16385 count=1 <"$1" 2>/dev/null ;;
cat | cat??????*) slowly <"$1" ;;
cat*) cat <"$1" ;;
*) slowly <"$1" ;;
esac
# Where nothing else tells its size, the shell has counted.
[ $C = read ] && [ -z "$size" ] && m=$n
left=$((left - m))
}
# What is known of a file, and its content. What a link leads to is read under its own name, if it is on the claim.
tell() {
p file "$2"
[ -n "$size" ] && p size $size
[ -n "$mtime" ] && p mtime $mtime
[ -n "$nanos" ] && p nanos "$nanos"
body "$1"
}
# Never opened before it is known to be a regular file: a FIFO would hang.
is_file() { [ ! -L "$1" ] && [ -f "$1" ]; }
# Files are kept by number in f1, f2 and so on; s, t and u are their sizes, times and nanoseconds, r that they were told of.
# This measures those from $1 to $2 at once, or one by one where that fails.
survey() {
j=$1 q=$1 hi=$2
set --
while [ $j -le $hi ]; do
eval "set -- \"\$@\" \"\$d/\$f$j\"; s$j= t$j= u$j= r$j="
j=$((j + 1))
done
if [ "$S" = stat ]; then
c=0
set -f
for w in $(stat -c '%s %Y %y /' "$@" 2>/dev/null); do
case $c$w in
*/) q=$((q + 1)) c=-1 ;;
0*) eval "s$q=\$w" ;;
1*) eval "t$q=\$w" ;;
3*.*) eval "u$q=\${w#*.}" ;;
esac
c=$((c + 1))
[ $q -gt $hi ] && break
done
set +f
[ $q -gt $hi ] && return
fi
q=$((hi + 1 - $#))
for f; do
measure "$f"
eval "s$q=\$size t$q=\$mtime u$q=\$nanos"
q=$((q + 1))
done
}
# Their numbers, the smallest first, or the oldest.
by_size() {
j=1
while [ $j -le $files ]; do
eval "s=\$s$j"
printf '%012d %d\n' "${s:-0}" $j
j=$((j + 1))
done | sort | while read -r k j; do printf '%d ' $j; done
}
by_age() {
j=1
while [ $j -le $files ]; do
eval "t=\$t$j u=\$u$j"
printf '%012d%.9s %d\n' "${t:-0}" "${u}000000000" $j
j=$((j + 1))
done | sort | while read -r k j; do printf '%d ' $j; done
}
# The same for the next one, where the image has no sort, or tells no times.
next_by_size() {
next= j=1
while [ $j -le $most_picked ]; do
eval "x=\$r$j y=\${s$j:-0}"
[ -z "$x" ] && { [ -z "$next" ] || [ $y -lt $least ]; } && next=$j least=$y
j=$((j + 1))
done
}
next_by_age() {
next= j=1
while [ $j -le $most_picked ]; do
eval "x=\$r$j y=\$d/\$f$j"
[ -z "$x" ] && { [ -z "$next" ] || [ "$y" -ot "$least" ]; } && next=$j least=$y
j=$((j + 1))
done
}
# Tells of one file, once. More than that are counted only.
number() {
[ -n "$1" ] || return
eval "x=\$r$1 r$1=1 n=\$f$1 size=\$s$1 mtime=\$t$1 nanos=\$u$1"
[ -z "$x" ] && [ $told -lt 500 ] && is_file "$d/$n" || return
told=$((told + 1))
tell "$d/$n" "$n"
}
# All files, in turns the oldest and the smallest that is left: what was written first, and what is soon read, tells the most.
in_order() {
j=1
while [ $j -le $files ]; do
survey $j $((j + 99 < files ? j + 99 : files))
j=$((hi + 1))
done
most_picked=$((files < 150 ? files : 150)) sizes= ages=
if has sort; then
[ -n "$S" ] && sizes=$(by_size)
[ "$S" = stat ] && ages=$(by_age)
fi
o=0
while [ $o -lt $files ]; do
o=$((o + 1))
if [ -n "$ages" ]; then number "${ages%% *}"; ages=${ages#* }; else next_by_age; number "$next"; fi
if [ -n "$sizes" ]; then number "${sizes%% *}"; sizes=${sizes#* }; elif [ -n "$S" ]; then next_by_size; number "$next"; fi
[ $told -ge 500 ] && return
[ -z "$ages$next" ] && break
done
o=1
while [ $o -le $files ]; do number $o; o=$((o + 1)); done
}
# Whether the grade still lives, asked once.
may_write() {
[ -n "$may" ] || { read -r may && [ "$may" = go ]; }
}
# How long the node has run, which tells the container's age beside when its first process was started.
uptime() { [ -r /proc/uptime ] && read -r u f </proc/uptime && p uptime "$u"; }
walk() {
set -- "$1" "$2" "$3" $seen
for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
[ $seen -gt 5000 ] && return
[ -e "$f" ] || [ -L "$f" ] || continue
seen=$((seen + 1))
[ -L "$f" ] && continue
n=$2${f##*/}
case $others in *"//$n//"*) continue ;; esac
case $n in
lost+found) ;;
.stsgrade-????????????????????????????????)
if [ -f "$f" ]; then
p canary "$n"
p token
slowly <"$f"
# A copy of it has another inode, and another time of change.
[ "$S" = stat ] && p mark "$(stat -c '%i %z' "$f" 2>/dev/null)"
fi
;;
*)
if [ -d "$f" ]; then
if [ $3 -gt 0 ] && [ -x "$f" ] && [ -r "$f" ]; then walk "$f" "$n/" $(($3 - 1)); else p closed "$n"; fi
else
case $first in
*"//$n//"*) ;;
*) is_file "$f" && { files=$((files + 1)); eval "f$files=\$n"; } ;;
esac
fi
;;
esac
done
# Nothing was seen in it.
if [ $seen -eq $4 ] && [ -n "$2" ] && [ $folders -lt 100 ]; then
folders=$((folders + 1))
p folder "${2%/}"
fi
}
may=
uptime
[ -r /proc/1/stat ] && p first && slowly </proc/1/stat
i=0
while [ $# -gt 4 ]; do
d=$1 depth=$2 canary=$3 token=$4 k=$5
shift 5
p mount $i
i=$((i + 1)) left=131072 reads=0 told=0 seen=0 files=0 folders=0 first=//
if [ ! -d "$d" ]; then p error 'the mount is not a folder'; elif [ ! -r "$d" ] || [ ! -x "$d" ]; then p error 'the folder may not be read'; fi
below "$d"
# Before looking: of two pods that share a claim, at least one then sees the other's.
if [ -n "$canary" ]; then
may_write || exit
if e=$({ printf %s "$token" >"$d/$canary"; } 2>&1); then
p wrote "$canary"
# What the time is for those who write there: a claim may be another machine's.
uptime
measure "$d/$canary"
[ -n "$nanos" ] && p now "$mtime.$nanos"
else
p unwritten "$e"
fi
fi
named=0
while [ $k -gt 0 ]; do
if is_file "$d/$1"; then
named=$((named + 1)) told=$((told + 1))
measure "$d/$1"
tell "$d/$1" "$1"
fi
first="$first$1//"
shift
k=$((k - 1))
done
[ $depth -gt 0 ] && walk "$d" '' $depth
in_order
p listed $((named + files))
p seen $seen
done
p resolv
[ -r /etc/resolv.conf ] && slowly </etc/resolv.conf
p tools
for t in nslookup dig host bash nc getent; do has $t && printf '%s ' $t; done
p end
