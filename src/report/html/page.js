"use strict";
// Shows a bar's facts beside it. They are taken from the bar's row in the table below the picture.
(function () {
  const tip = document.getElementById("tip");
  if (!tip) { return; }
  const hide = function () { tip.hidden = true; };
  const show = function (bar) {
    const row = document.getElementById(bar.getAttribute("href").slice(1));
    if (!row) { return; }
    const facts = Array.from(row.querySelectorAll("[data-fact]"), function (cell) {
      return cell.textContent.trim();
    });
    tip.textContent = facts.join("\n");
    tip.hidden = false;
    const box = bar.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    const left = Math.max(8, Math.min(box.left, room));
    tip.style.left = (left + window.scrollX) + "px";
    tip.style.top = (box.bottom + window.scrollY + 6) + "px";
  };
  for (const bar of document.querySelectorAll(".timeline a.life")) {
    for (const title of bar.querySelectorAll("title")) { title.remove(); }
    bar.addEventListener("mouseenter", function () { show(bar); });
    bar.addEventListener("mouseleave", hide);
    bar.addEventListener("focus", function () { show(bar); });
    bar.addEventListener("blur", hide);
    // A tap or a click shows the facts; only the keyboard follows the link to the table.
    bar.addEventListener("click", function (event) {
      if (event.detail > 0) {
        event.preventDefault();
        show(bar);
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
