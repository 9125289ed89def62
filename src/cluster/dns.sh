# Asks names of a DNS server, each once.
#
# $1 is a random word; every record is "WORD:key:value". $2 is the server (empty: the resolver of the
# pod), $3 the tools that may be used, best first. Names follow.
LC_ALL=C
export LC_ALL
W=$1 s=$2 tools=$3
shift 3
p() { printf '%s:%s:%s' "$W" "$1" "$2"; }
t=
for c in $tools; do
command -v $c >/dev/null 2>&1 && t=$c && break
done
p by "$t"
for n; do
p name "$n"
p said
case $t in
nslookup) nslookup "$n" $s 2>&1 ;;
dig) dig +tries=1 +time=3 ${s:+"@$s"} "$n" A "$n" AAAA 2>&1 ;;
host) host -W 3 "$n" $s 2>&1 ;;
getent) getent ahosts "$n" 2>&1 ;;
esac
p code $?
done
p end
