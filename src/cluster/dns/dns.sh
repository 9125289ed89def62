# Asks names of a DNS server, each once, and what name an address has: `@` is the server's own.
#
# $1 is a random word; every record is "WORD:key:value". $2 is the server (empty: the first one of the
# pod's resolver), $3 the tools that may be used, best first, $4 all questions as DNS over TCP has them, in
# octal, and $5 how many they are. Names follow, with a dot at their end; an address has none.
LC_ALL=C
export LC_ALL
W=$1 s=$2 tools=$3 raw=$4 k=$5
shift 5
p() { printf '%s:%s:%s' "$W" "$1" "$2"; }
t=
for c in $tools; do
command -v $c >/dev/null 2>&1 && t=$c && break
done
p by "$t"
if [ -z "$s" ] && [ -r /etc/resolv.conf ]; then
while read -r key value rest; do
[ "$key" = nameserver ] && s=$value && break
done </etc/resolv.conf
fi
p server "$s"
# bash reads bytes one by one, an empty one being a zero, and knows when an answer is whole.
case $t in
bash)
p hex
bash -c 'exec 3<>"/dev/tcp/$1/53" || exit
printf "$2" >&3
get() {
n=0
IFS= read -r -d "" -n 1 -t 3 -u 3 c || exit
[ -z "$c" ] || printf -v n %d "'\''$c"
n=$((n & 255))
printf %02x $n
}
for ((k = $3; k; k--)); do
get
l=$n
get
for ((l = l * 256 + n; l; l--)); do get; done
done' bash "$s" "$raw" "$k" 2>/dev/null
p end
exit
;;
nc)
p bytes
# Some wait for the server to hang up, which may take long.
{ printf "$raw"; sleep 2; } | nc -w 2 "$s" 53 2>/dev/null &
n=$!
sleep 2
kill $n 2>/dev/null
wait $n
p end
exit
;;
esac
for n; do
p name "$n"
p said
case $n in
*.) ;;
*)
[ "$n" = @ ] && n=$s
case $t in
nslookup) nslookup "$n" $s 2>&1 ;;
dig) dig +tries=1 +time=3 ${s:+"@$s"} -x "$n" 2>&1 ;;
host) host -W 3 "$n" $s 2>&1 ;;
getent) getent hosts "$n" 2>&1 ;;
esac
p code $?
continue
;;
esac
case $t in
nslookup) nslookup "$n" $s 2>&1 ;;
dig) dig +tries=1 +time=3 ${s:+"@$s"} "$n" A "$n" AAAA 2>&1 ;;
host) host -W 3 "$n" $s 2>&1 ;;
getent) getent ahosts "$n" 2>&1 ;;
esac
p code $?
done
p end
