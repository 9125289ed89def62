# Tells when files were last written: $1 is a random word, every record is "WORD:key:value"; the mounts follow.
W=$1
shift
bad=0
for d; do
times=$(find "$d" -type f ! -name '.stsgrade-*' -exec stat -c %Y {} + 2>/dev/null) || bad=1
for t in $times; do
printf '%s:at:%s' "$W" "$t"
done
done
printf '%s:end:%s' "$W" "$bad"
