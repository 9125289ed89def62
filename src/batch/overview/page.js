"use strict";
const body = document.querySelector("#results tbody");
const rows = [...body.rows];
const filter = document.querySelector("#filter");
const shown = document.querySelector("#shown");
function show() {
  const wanted = filter.value.toLowerCase();
  let count = 0;
  for (const row of rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    count += row.hidden ? 0 : 1;
  }
  shown.textContent = count + " of " + rows.length + " shown";
}
filter.addEventListener("input", show);
for (const button of document.querySelectorAll("#results th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const place = head.cellIndex;
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.cells) {
      if (other.hasAttribute("aria-sort")) { other.setAttribute("aria-sort", "none"); }
    }
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => row.cells[place].dataset.key || row.cells[place].textContent;
    rows.sort((one, other) => {
      const order = key(one).localeCompare(key(other), "en", { numeric: true });
      return rising ? order : -order;
    });
    body.append(...rows);
  });
}
show();
