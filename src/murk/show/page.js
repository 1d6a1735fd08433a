"use strict";

// Charts: the still picture stays until the live one stands, and for paper.
for (const chart of document.querySelectorAll(".chart")) {
  const still = chart.querySelector(".still"), live = chart.querySelector(".live");
  const spec = JSON.parse(chart.querySelector("script").textContent);
  still.hidden = true;
  live.hidden = false;
  vegaEmbed(live, spec, {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  }).catch(() => { still.hidden = false; live.hidden = true; });
}

// Tables: a click on a head sorts by it, another turns the order round.
const compare = new Intl.Collator(undefined, { numeric: true }).compare;
for (const button of document.querySelectorAll("th button")) {
  button.disabled = false;
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), at = head.cellIndex;
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const key = (row) => { const cell = row.cells[at]; return [cell.dataset.order, cell.textContent]; };
    const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
    rows.sort(([[a, textA]], [[b, textB]]) => sign * (a !== "" && b !== "" ? a - b : compare(textA, textB)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  });
}
