"use strict";
// Shows what a bar, a step or a mark of the picture says, at that edge of the window that is farther
// away. A bar's and a step's facts are taken from its row in the tables.
(function () {
  const tip = document.getElementById("tip");
  if (!tip) { return; }
  const hide = function () { tip.hidden = true; };
  const show = function (mark) {
    const row = document.getElementById(mark.getAttribute("href").slice(1));
    const cells = row ? row.querySelectorAll("[data-fact]") : [];
    const facts = Array.from(cells, function (cell) { return cell.textContent.trim().replace(/ \(line \d+\)/g, ""); });
    tip.textContent = facts.length > 0 ? facts.join("\n") : mark.getAttribute("aria-label");
    tip.hidden = false;
    const box = mark.getBoundingClientRect();
    const page = document.documentElement;
    const left = Math.max(8, Math.min(box.left, page.clientWidth - tip.offsetWidth - 8));
    const isLow = box.top + box.bottom > page.clientHeight;
    tip.style.left = left + "px";
    tip.style.top = isLow ? "8px" : "auto";
    tip.style.bottom = isLow ? "auto" : "8px";
  };
  for (const mark of document.querySelectorAll(".timeline a")) {
    for (const title of mark.querySelectorAll("title")) { title.remove(); }
    mark.addEventListener("mouseenter", function () { show(mark); });
    mark.addEventListener("mouseleave", hide);
    mark.addEventListener("focus", function () { show(mark); });
    mark.addEventListener("blur", hide);
    // A tap or a click shows the facts; only the keyboard follows the link.
    mark.addEventListener("click", function (event) {
      if (event.detail > 0) {
        event.preventDefault();
        show(mark);
      }
    });
  }
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { hide(); }
  });
  // What a link leads to must be open, and so must all be in print.
  const openTarget = function () {
    const target = document.getElementById(location.hash.slice(1));
    const around = target ? target.closest("details") : null;
    if (around) { around.open = true; }
  };
  window.addEventListener("hashchange", openTarget);
  openTarget();
  window.addEventListener("beforeprint", function () {
    for (const it of document.querySelectorAll("details")) { it.open = true; }
  });
})();
