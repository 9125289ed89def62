// Opens pages in headless Chromium and fails where one of them is not as a reader needs it.
//
// check.mjs FOLDER: opens each FOLDER/*.html, and writes pictures of those named in PICTURES beside
// them, at two widths, light and dark.

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// The pages whose pictures a person looks at.
const PICTURES = ["pass", "fail-sequential_creation", "gap", "eleven", "not_graded", "class"];
// At once: one for each of the usual two processors.
const WORKERS = 2;

const folder = path.resolve(process.argv[2]);
const names = fs.readdirSync(folder).filter((it) => it.endsWith(".html")).map((it) => it.slice(0, -5));
const troubles = [];
let passed = 0;

const check = (page, what, is, seen) => {
  if (is) { passed += 1; } else { troubles.push(`${page.told}: ${what}: ${JSON.stringify(seen)}`); }
};

// A page in a window of its own, in which everything that it says and asks for is kept.
const open = async (browser, name, width, scheme, more = {}) => {
  const context = await browser.newContext({
    viewport: { width, height: 900 }, colorScheme: scheme, ...more,
  });
  const page = await context.newPage();
  page.told = `${name} at ${width}, ${scheme}`;
  page.said = [];
  page.on("console", (it) => page.said.push(`${it.type()}: ${it.text()}`));
  page.on("pageerror", (it) => page.said.push(`error: ${it}`));
  const url = pathToFileURL(path.join(folder, `${name}.html`)).href;
  page.asked = [];
  page.on("request", (it) => { if (it.url().split("#")[0] !== url) { page.asked.push(it.url()); } });
  page.refused = [];
  page.on("requestfailed", (it) => page.refused.push(`${it.failure().errorText} ${it.url()}`));
  await page.goto(url);
  return page;
};

const close = async (page) => {
  check(page, "the console is silent", page.said.length === 0, page.said);
  check(page, "nothing is asked of anybody", page.asked.length === 0, page.asked);
  await page.context().close();
};

// As a string by the debugger, which the page's own policy does not bind.
const axe = async (page) => {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate("axe.run(document, { preload: false })");
  const told = violations.map((it) => `${it.id}: ${it.nodes[0].html.slice(0, 200)}`);
  check(page, "axe finds nothing", told.length === 0 && passes.length > 5, told);
};

const fits = async (page) => {
  const [wide, room] = await page.evaluate(
    () => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  check(page, "nothing is wider than the window", wide <= room, [wide, room]);
};

// A line of code that is too long is broken so that it is seen, or scrolled to in a narrow window, and never cut off.
const wraps = async (page) => {
  const cut = await page.evaluate(() => Array.from(document.querySelectorAll("pre"))
    .filter((it) => it.scrollWidth > it.clientWidth && getComputedStyle(it).overflowX !== "auto").map((it) => it.textContent.slice(0, 80)));
  check(page, "no code is cut off", cut.length === 0, cut);
};

const tip = (page) => page.evaluate(() => {
  const it = document.getElementById("tip");
  const box = it.getBoundingClientRect();
  const inside = box.left >= 0 && box.right <= document.documentElement.clientWidth;
  return { hidden: it.hidden, text: it.textContent, inside };
});

// Whether the tip beside a bar tells what the bar's row of the table tells.
const tells = async (page, what, bar) => {
  const shown = await tip(page);
  const facts = await bar.evaluate((it) => {
    const row = document.getElementById(it.getAttribute("href").slice(1));
    // Numbers of the recording's lines are for the tables.
    const told = (cell) => cell.textContent.trim().replace(/ \(line \d+\)/g, "");
    return Array.from(row.querySelectorAll("[data-fact]"), told);
  });
  const is = !shown.hidden && shown.inside && facts.length > 2 &&
    facts.every((it) => shown.text.includes(it)) && !shown.text.includes("seq");
  check(page, `a bar tells its facts on ${what}`, is, shown);
};

const hover = async (page) => {
  const bars = page.locator(".timeline a.life");
  const bar = bars.nth(await bars.count() - 1);
  await bar.scrollIntoViewIfNeeded();
  const box = await bar.boundingBox();
  await page.mouse.move(box.x + box.width - 2, box.y + box.height / 2);
  await tells(page, "hover", bar);
  const apart = await bar.evaluate((it) => {
    const [one, other] = [it, document.getElementById("tip")].map((at) => at.getBoundingClientRect());
    return Math.max(one.top - other.bottom, other.top - one.bottom);
  });
  check(page, "the tip leaves the rows beside it free", apart > 60, apart);
  await page.mouse.move(0, 0);
  check(page, "the tip goes with the mouse", (await tip(page)).hidden, await tip(page));
};

const tap = async (browser, name) => {
  const page = await open(browser, name, 390, "light", { hasTouch: true, isMobile: true });
  const bar = page.locator(".timeline a.life").first();
  await bar.tap({ position: { x: 2, y: 5 } });
  await tells(page, "tap", bar);
  await page.locator(".timeline a.cite .hit").first().tap();
  const mark = await tip(page);
  const isTold = !mark.hidden && mark.inside && /test/.test(mark.text);
  check(page, "a mark tells its tests on tap", isTold, mark);
  await page.locator(".timeline a.step").last().tap();
  const step = await tip(page);
  check(page, "a step tells what it is on tap", /scale down/.test(step.text), step);
  check(page, "a tap leads nowhere", await page.evaluate(() => location.hash === ""), "");
  await close(page);
};

// From the top, by keys alone: a link to a test, the picture's bars, a bar's row in the table.
const keyboard = async (page) => {
  const focused = () => page.evaluate(() => {
    const it = document.activeElement;
    return { link: it.getAttribute("href"), isBar: it.matches(".timeline a.life") };
  });
  let at = await focused();
  for (let tabs = 0; tabs < 400 && !at.isBar; tabs += 1) {
    await page.keyboard.press("Tab");
    at = await focused();
  }
  check(page, "the keyboard gets to a bar", at.isBar, at);
  await tells(page, "focus", page.locator(".timeline a.life:focus"));
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  check(page, "the focus is seen", outline !== "none", outline);
  await page.keyboard.press("Escape");
  check(page, "Escape hides the tip", (await tip(page)).hidden, await tip(page));
  await page.keyboard.press("Enter");
  const hash = await page.evaluate(() => location.hash);
  check(page, "Enter leads to the bar's row", hash === at.link, hash);
};

// From a mark of the picture to the test that it costs, by keys alone.
const marks = async (page) => {
  const mark = page.locator(".timeline a.cite").first();
  if (await mark.count() === 0) { return; }
  await mark.focus();
  check(page, "a mark tells its tests on focus", /test/.test((await tip(page)).text), await tip(page));
  await page.keyboard.press("Enter");
  // The browser tells the page of its new address only after the key.
  const isOpen = await page
    .waitForFunction(() => document.querySelector(":target")?.open, null, { timeout: 5000 })
    .then(() => true, () => false);
  check(page, "a mark leads to its test, which opens", isOpen, await page.evaluate(() => location.hash));
};

// What a finding cites is marked in the picture; without such a link there is nothing to show.
const cites = async (page) => {
  const link = page.locator("details[open] a[href^='#line-']").first();
  if (await link.count() === 0) { return; }
  await link.click();
  const shown = await page.evaluate(() => {
    const target = document.querySelector(":target");
    const line = target?.querySelector(".line");
    const isDrawn = target?.closest("svg") !== null;
    return { target: target?.id, seen: isDrawn && getComputedStyle(line).visibility };
  });
  check(page, "a finding leads to its line in the picture", shown.seen === "visible", shown);
};

// The table of a class: the filter hides rows, and a heading sorts them by number, both ways.
const table = async (page) => {
  const rows = page.locator("#results tbody tr");
  const all = await rows.count();
  await page.fill("#filter", "ada");
  const left = await rows.filter({ visible: true }).count();
  check(page, "the filter hides rows", left === 1 && all > 20, [left, all]);
  await page.fill("#filter", "");
  const points = page.locator("#results thead th").nth(2);
  const order = async () => {
    const cells = await rows.locator("td:nth-child(3)").allTextContents();
    return cells.filter((it) => it !== "").map((it) => Number(it.split(" ")[0]));
  };
  const rises = (list) => list.every((it, at) => at === 0 || list[at - 1] <= it);
  await points.getByRole("button").click();
  check(page, "a heading sorts", rises(await order()), await order());
  check(page, "it says so", await points.getAttribute("aria-sort") === "ascending", "");
  await points.getByRole("button").click();
  check(page, "and the other way", rises((await order()).reverse()), await order());
};

// The policy of the page: what got into it does not run.
const policy = async (page) => {
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    const image = document.createElement("img");
    image.src = "https://example.invalid/a.png";
    image.setAttribute("onerror", "window.ran = true");
    document.body.append(image);
  });
  await page.waitForFunction(() => document.images[0].complete);
  check(page, "no other script runs", !(await page.evaluate(() => window.ran)), "it ran");
  const isRefused = page.refused.length === 1 && page.refused[0].startsWith("csp ");
  check(page, "the policy refuses a picture from elsewhere", isRefused, page.refused);
  [page.said, page.asked] = [[], []];
};

// All of it is on paper, opened, within the page's width.
const print = async (page) => {
  await page.emulateMedia({ media: "print" });
  const pdf = await page.pdf({ preferCSSPageSize: true });
  check(page, "it prints", pdf.length > 10_000, pdf.length);
  const closed = await page.evaluate(() => document.querySelectorAll("details:not([open])").length);
  check(page, "all is open in print", closed === 0, closed);
  await page.emulateMedia({ media: null });
};

// Each width and each scheme once; the pictured pages in every combination.
const WINDOWS = [[1280, "light"], [390, "dark"], [1280, "dark"], [390, "light"]];

const look = async (browser, name) => {
  const isPictured = PICTURES.includes(name);
  for (const [place, [width, scheme]] of WINDOWS.slice(0, isPictured ? 4 : 2).entries()) {
    const page = await open(browser, name, width, scheme);
    await fits(page);
    await wraps(page);
    await axe(page);
    // What the hostile words would do.
    check(page, "no words run", await page.title() !== "ran", "they ran");
    if (isPictured) {
      const file = path.join(folder, `${name}-${width}-${scheme}.png`);
      await page.screenshot({ path: file, fullPage: true });
    }
    if (place === 0 && await page.locator("#results").count() > 0) { await table(page); }
    if (place === 0 && await page.locator(".timeline a.life").count() > 0) {
      await hover(page);
      await keyboard(page);
      await marks(page);
      await cites(page);
      if (isPictured) { await print(page); await policy(page); }
    }
    await close(page);
  }
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"],
});
const queue = [...names];
const work = async () => { while (queue.length > 0) { await look(browser, queue.shift()); } };
await Promise.all(Array.from({ length: WORKERS }, work));
await tap(browser, "eleven");
await browser.close();
for (const it of troubles) { console.error(it); }
console.log(`${passed} passed, ${troubles.length} failed`);
process.exit(troubles.length > 0 || names.length === 0 ? 1 : 0);
