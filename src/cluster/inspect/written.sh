# Lists files: $1 is a random word, every record is "WORD:key:value"; the mounts follow. A line is when a file was last written, when it was last changed in any way (also by `cp -p`), and its path.
W=$1
shift
bad=0
for d; do
printf '%s:files:' "$W"
cd "$d" && find . -type f ! -name '.stsgrade-*' -exec stat -c '%Y %Z %n' {} + 2>/dev/null || bad=1
done
printf '%s:end:%s' "$W" "$bad"
