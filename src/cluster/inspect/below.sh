# What the scripts that look at claims share.
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
