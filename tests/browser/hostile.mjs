// Reads a recording from standard input and prints it with hostile words behind all that people and
// programs write.

import fs from "node:fs";

// Moves the cursor, rings, overprints, reorders, hides, breaks the line, commands CI systems, opens
// and closes markup, and begins a formula; long, and with a NUL.
const WORDS = "\u001b[2J\u001b]0;t\u0007\r\b\u009b\u202e\u2066\u200b\ufeff\u2028\u0000\n::error::x ##[group]x " +
  "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">]]>&amp;`|*x* " +
  "[a](javascript:b) @root # SKIP\\ -->\n  ...\nnot ok 1\n=cmd|' /C calc'!A0," + "x".repeat(10_000);
const FREE = [
  "message", "content", "lines", "error", "answer", "detail", "why", "reason", "log", "path", "image",
  "addresses", "unasked",
];
// By these words a line is understood.
const isMark = (line, place) => place === "end/why" || (place.endsWith("/reason") && !line.gap && !line.object?.Event);

const changed = (line, value, place) => {
  if (typeof value === "string") {
    const isFree = FREE.some((it) => place.split("/").includes(it));
    return isFree && !isMark(line, place) ? value + WORDS : value;
  }
  if (Array.isArray(value)) { return value.map((it) => changed(line, it, place)); }
  if (value === null || typeof value !== "object") { return value; }
  return Object.fromEntries(Object.entries(value).map(
    ([name, it]) => [name, changed(line, it, place === "" ? name : `${place}/${name}`)]));
};

const [header, ...lines] = fs.readFileSync(0, "utf8").trimEnd().split("\n").map((it) => JSON.parse(it));
// What a file's name and a spreadsheet's cell are made of.
header.namespace = "=cmd|' /C calc'!A0<b>\u202e";
console.log([header, ...lines.map((it) => changed(it, it, ""))].map((it) => JSON.stringify(it)).join("\n"));
