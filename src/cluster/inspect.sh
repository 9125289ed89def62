# Reads what lies on claims, writes and lists canaries. Only a shell's built-ins are needed.
#
# $1 is a random word that no file can contain; every record is "WORD:key:value". $2 is how many files
# to read of each mount. Then, per mount: its path, how deep to go, a canary's file name and content
# (empty: write none), how many files to read before any other, and their names.
#
# Comments and indentation are taken away before it is sent.
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
printf %s "$l"
}
body() {
if [ $left -le 0 ] || [ $reads -ge $most ]; then p without 'left out'; return; fi
if [ ! -r "$1" ]; then p without unreadable; return; fi
reads=$((reads + 1))
m=${size:-16384}
[ $m -gt 16384 ] && m=16384
left=$((left - m))
p body
# A file that is larger than what is kept must not be read whole by cat.
case $C$size in
head*) head -c 16385 <"$1" ;;
dd*) dd bs=16385 count=1 <"$1" 2>/dev/null ;;
cat | cat??????*) slowly <"$1" ;;
cat*) cat <"$1" ;;
*) slowly <"$1" ;;
esac
}
# Never opened before it is known to be a regular file: a FIFO would hang. What a link leads to is
# read under its own name, if it is on the claim.
one() {
[ -L "$1" ] && return
[ -f "$1" ] || return
listed=$((listed + 1))
[ $listed -gt 500 ] && return
measure "$1"
p file "$2"
[ -n "$size" ] && p size $size
[ -n "$mtime" ] && p mtime $mtime
[ -n "$nanos" ] && p nanos "$nanos"
body "$1"
}
# How long the node has run, which tells the container's age beside when its first process was started.
uptime() { [ -r /proc/uptime ] && read -r u f </proc/uptime && p uptime "$u"; }
# What is mounted below a mount is not on the claim; the kernel knows best where (a space is \040 there).
below() {
others=//
[ -r /proc/self/mountinfo ] || return
r=$(cd -P "$1" 2>/dev/null && pwd -P)
r=${r%/}
while read -r f f f f m f; do
case $m in *\\*) m=$(printf %b "$m") ;; esac
case $m in "$r"/*) others="$others${m#"$r"/}//" ;; esac
done </proc/self/mountinfo
}
walk() {
for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
[ $seen -gt 5000 ] && return
seen=$((seen + 1))
[ -L "$f" ] && continue
n=$2${f##*/}
case $others in *"//$n//"*) continue ;; esac
case $n in
lost+found) ;;
.stsgrade-????????????????????????????????) [ -f "$f" ] && p canary "$n" && p token && slowly <"$f" ;;
*)
if [ -d "$f" ]; then
if [ $3 -gt 0 ] && [ -x "$f" ] && [ -r "$f" ]; then walk "$f" "$n/" $(($3 - 1)); else p closed "$n"; fi
else
case $first in *"//$n//"*) ;; *) one "$f" "$n" ;; esac
fi
;;
esac
done
}
uptime
[ -r /proc/1/stat ] && p first && slowly </proc/1/stat
i=0
while [ $# -gt 4 ]; do
d=$1 depth=$2 canary=$3 token=$4 k=$5
shift 5
p mount $i
i=$((i + 1)) left=131072 reads=0 listed=0 seen=0 first=//
if [ ! -d "$d" ]; then p error 'the mount is not a folder'; elif [ ! -r "$d" ] || [ ! -x "$d" ]; then p error 'the folder may not be read'; fi
below "$d"
# Before looking: of two pods that share a claim, at least one then sees the other's.
if [ -n "$canary" ]; then
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
while [ $k -gt 0 ]; do
one "$d/$1" "$1"
first="$first$1//"
shift
k=$((k - 1))
done
[ $depth -gt 0 ] && walk "$d" '' $depth
p listed $listed
p seen $seen
done
p resolv
[ -r /etc/resolv.conf ] && slowly </etc/resolv.conf
p tools
for t in nslookup dig host bash timeout cat getent nc; do has $t && printf '%s ' $t; done
p end
