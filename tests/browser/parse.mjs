// Reads every report of a folder by a parser that is not ours: JUnit by its XSD, TAP, CSV, HTML, SVG
// and JSON. Fails where one is not well-formed, or tells of other failures than the JSON report.
//
// parse.mjs FOLDER: of each NAME.json there are the other formats, NAME.FORMAT.

import fs from "node:fs";
import path from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import { FileSystemConfigLoader, HtmlValidate } from "html-validate";
import { Parser as TapParser } from "tap-parser";
import { validateXML } from "xmllint-wasm";

const folder = path.resolve(process.argv[2]);
const XSD = fs.readFileSync(new URL("junit.xsd", import.meta.url), "utf8");
const troubles = [];
let passed = 0;
const check = (what, is, seen) => {
  if (is) { passed += 1; } else { troubles.push(`${what}: ${JSON.stringify(seen).slice(0, 600)}`); }
};

const html = new HtmlValidate({
  extends: ["html-validate:standard", "html-validate:document"],
  rules: {
    // How it is written is no matter of whether it can be read: it is XHTML, too.
    "void-style": "off", "no-inline-style": "error", "attribute-boolean-style": "off",
    "no-trailing-whitespace": "off", "long-title": "off", "no-raw-characters": "error",
    "svg-focusable": "off", "doctype-style": "off",
  },
});

const xml = async (name, text, schema) => {
  const found = await validateXML({ xml: { fileName: name, contents: text }, ...schema });
  check(`${name} is well-formed`, found.valid, found.errors);
};

const readers = {
  junit: async (name, text, failed) => {
    await xml(name, text, { schema: [XSD] });
    check(`${name} tells of the failures`, text.split("<failure").length - 1 === failed, failed);
  },
  svg: (name, text) => xml(name, text, { normalization: "c14n" }),
  tap: (name, text, failed) => {
    const found = TapParser.parse(text);
    const extra = found.filter(([kind]) => kind === "extra");
    const asserted = found.filter(([kind]) => kind === "assert").map(([, it]) => it);
    check(`${name} holds nothing but TAP`, extra.length === 0, extra);
    const lost = asserted.filter((it) => !it.ok && !it.skip && !it.todo).length;
    check(`${name} tells of the failures`, asserted.length === 10 && lost >= failed, [failed, lost]);
  },
  csv: (name, text, failed) => {
    const rows = parseCsv(text, { columns: true });
    const values = Object.values(rows[0]);
    const formula = values.filter((it) => /^[=+@\t\r]/.test(it));
    check(`${name} is one row without a formula`, rows.length === 1 && formula.length === 0, formula);
    check(`${name} tells of the failures`, values.filter((it) => it === "fail").length === failed, failed);
  },
  html: async (name, text) => {
    const found = await html.validateString(text);
    const told = found.results.flatMap((it) => it.messages)
      .map((it) => `${it.line}:${it.column} ${it.ruleId}: ${it.message}`);
    check(`${name} is valid HTML`, found.valid, told);
  },
};

const names = fs.readdirSync(folder).filter((it) => it.endsWith(".json")).map((it) => it.slice(0, -5));
for (const name of names) {
  const read = (format) => fs.readFileSync(path.join(folder, `${name}.${format}`), "utf8");
  const failed = JSON.parse(read("json")).checks.filter((it) => it.outcome === "fail").length;
  for (const [format, reader] of Object.entries(readers)) {
    await reader(`${name}.${format}`, read(format), failed);
  }
}
for (const it of troubles) { console.error(it); }
console.log(`${passed} passed, ${troubles.length} failed`);
process.exit(troubles.length > 0 || names.length === 0 ? 1 : 0);
