"use strict";
// The theme follows the system until the reader chooses one, which holds on all pages.
(() => {
  const KEPT = "evalharness-theme";
  const root = document.documentElement;
  // A browser may forbid pages to keep anything.
  const attempt = (action) => { try { return action(); } catch { return null; } };
  const kept = attempt(() => localStorage.getItem(KEPT));
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    attempt(() => localStorage.setItem(KEPT, root.dataset.theme));
    label();
  });
  system.addEventListener("change", label);
  label();
})();

// A menu closes when the reader turns to something else.
for (const turned of ["click", "focusin"]) {
  document.addEventListener(turned, (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const held = menu.contains(document.activeElement);
    menu.open = false;
    if (held) menu.querySelector("summary").focus();
  }
});

// The leaderboard: sorting, filters, columns, heat colours, exports. Ranks are never computed here.
(() => {
  const board = document.getElementById("board");
  if (!board) return;
  const body = board.tBodies[0];
  const headings = [...board.tHead.rows[0].cells];
  const rows = [...body.rows].filter((row) => !row.classList.contains("series"));
  const seriesRows = [...body.rows].filter((row) => row.classList.contains("series"));
  const original = [...body.rows];
  const search = document.getElementById("search");
  const family = document.getElementById("family");
  const heat = document.getElementById("heat");
  const status = document.getElementById("shown");
  const choices = [...document.querySelectorAll("#tools select[data-choice]")];
  const own = (select) => [...select.options].find((option) => option.defaultSelected).value;
  const view = { column: -1, descending: false, hidden: new Set() };
  const nameOf = (row) => row.cells[0].firstChild.textContent.trim();

  // --- Sorting: missing values stand last in both directions.

  const buttons = headings.map((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = "↕";
    button.setAttribute("aria-label", `Sort by ${heading.dataset.name}`);
    button.addEventListener("click", () => {
      const again = view.column === column;
      view.descending = again ? !view.descending : heading.dataset.direction === "up";
      view.column = column;
      apply();
    });
    heading.querySelector(".label").after(button);
    return button;
  });

  function sortRows() {
    headings.forEach((heading, column) => {
      const sorted = column === view.column;
      buttons[column].textContent = sorted ? (view.descending ? "↓" : "↑") : "↕";
      if (sorted) heading.setAttribute("aria-sort", view.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    if (view.column < 0) {
      body.append(...original);
      return;
    }
    const sign = view.descending ? -1 : 1;
    const keys = new Map(rows.map((row) => {
      const text = view.column ? row.cells[view.column].dataset.sort : nameOf(row);
      return [row, view.column ? (text === "" ? NaN : Number(text)) : text];
    }));
    const compare = (one, other) => {
      const a = keys.get(one), b = keys.get(other);
      if (typeof a === "string") return sign * a.localeCompare(b);
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    };
    body.append(...[...rows].sort(compare));
  }

  // --- What is shown.

  function showRows() {
    const wanted = search.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = wanted !== "" && !nameOf(row).toLowerCase().includes(wanted);
      count += !row.hidden;
    }
    for (const row of seriesRows) row.hidden = view.column >= 0 || wanted !== "";
    return count;
  }

  function isShown(column) {
    const heading = headings[column];
    const chosen = family ? family.value : "";
    const otherFamily = chosen && heading.dataset.family && heading.dataset.family !== chosen;
    return !view.hidden.has(column) && !otherFamily;
  }

  let shownBefore = headings.map(() => true);
  function showColumns() {
    const shown = headings.map((_, column) => isShown(column));
    for (let column = 0; column < shown.length; column += 1) {
      if (shown[column] === shownBefore[column]) continue;
      headings[column].hidden = !shown[column];
      for (const row of rows) row.cells[column].hidden = !shown[column];
    }
    shownBefore = shown;
    return shown.filter(Boolean).length - 1;
  }

  function apply() {
    sortRows();
    const models = showRows();
    const columns = showColumns();
    status.textContent = `${models} of ${rows.length} models, ${columns} of ${headings.length - 1} columns`;
    remember();
  }

  // --- Heat: five steps from the worst to the best score of a column.

  function paint() {
    document.getElementById("heat-note").hidden = !heat.checked;
    headings.forEach((heading, column) => {
      if (!heading.classList.contains("task")) return;
      const cells = rows.map((row) => row.cells[column]);
      const values = cells.map((cell) => (cell.dataset.sort ? Number(cell.dataset.sort) : NaN));
      const known = values.filter((value) => !Number.isNaN(value));
      const low = Math.min(...known), high = Math.max(...known);
      cells.forEach((cell, index) => {
        for (let step = 1; step <= 5; step += 1) cell.classList.remove(`heat-${step}`);
        if (!heat.checked || !heading.dataset.direction || !(high > low)) return;
        if (Number.isNaN(values[index])) return;
        const share = (values[index] - low) / (high - low);
        const good = heading.dataset.direction === "up" ? share : 1 - share;
        const step = Math.ceil(5 * good);
        if (step > 0) cell.classList.add(`heat-${step}`);
      });
    });
  }

  // --- The column picker.

  const picker = document.querySelector("#columns fieldset");
  const secondary = headings.map((_, column) => column).filter((column) => "secondary" in headings[column].dataset);
  const boxes = headings.map((heading, column) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.addEventListener("change", () => {
      if (box.checked) view.hidden.delete(column);
      else view.hidden.add(column);
      apply();
    });
    const name = document.createElement("bdi");
    name.textContent = heading.dataset.name;
    label.append(box, " ", name);
    if (column) picker.append(label);
    return box;
  });

  // Hides these columns and no others.
  function hide(columns) {
    view.hidden = new Set(columns);
    boxes.forEach((box, column) => { box.checked = !view.hidden.has(column); });
  }
  const tasks = headings.map((_, column) => column).filter((column) => headings[column].classList.contains("task"));
  const offers = [["All", () => []], ["No tasks", () => [...new Set([...view.hidden, ...tasks])]]];
  if (tasks.length > 1) {
    const row = document.createElement("div");
    row.className = "buttons";
    row.append(...offers.map(([text, hidden]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => { hide(hidden()); apply(); });
      return button;
    }));
    picker.querySelector("legend").after(row);
  }
  hide(secondary);

  // --- A link to the view: in the part of the address that no server sees.

  function remember() {
    const state = new URLSearchParams();
    if (search.value) state.set("model", search.value);
    if (family && family.value) state.set("family", family.value);
    if (view.column >= 0) state.set("sort", `${view.descending ? "-" : ""}${headings[view.column].dataset.name}`);
    for (const one of choices) if (one.value !== own(one)) state.set(one.dataset.choice, one.value);
    // Columns that are shown though they usually are not, or the other way round.
    headings.forEach((heading, column) => {
      if (view.hidden.has(column) !== secondary.includes(column)) state.append("turned", heading.dataset.name);
    });
    if (heat.checked) state.set("heat", "1");
    view.address = `#view?${state}`;
  }

  function recall() {
    if (!location.hash.startsWith("#view?")) return;
    const state = new URLSearchParams(location.hash.slice(6));
    search.value = state.get("model") || "";
    if (family) family.value = state.get("family") || "";
    const sort = state.get("sort") || "";
    view.descending = sort.startsWith("-");
    const name = view.descending ? sort.slice(1) : sort;
    view.column = headings.findIndex((heading) => heading.dataset.name === name);
    for (const one of choices) {
      const asked = state.get(one.dataset.choice);
      one.value = [...one.options].some((option) => option.value === asked) ? asked : own(one);
    }
    const turned = state.getAll("turned");
    hide(headings.map((_, column) => column).filter(
      (column) => turned.includes(headings[column].dataset.name) !== secondary.includes(column),
    ));
    heat.checked = state.get("heat") === "1";
    paint();
    document.dispatchEvent(new Event("recalled"));
  }

  document.getElementById("share").addEventListener("click", async () => {
    history.replaceState(null, "", view.address);
    try {
      await navigator.clipboard.writeText(location.href);
      status.textContent = "The link is copied.";
    } catch {
      status.textContent = "The address of this page is now a link to this view.";
    }
  });

  // --- Exports of what is shown.

  function shownTable() {
    const columns = headings.map((_, column) => column).filter(isShown);
    const shown = [...body.rows].filter((row) => !row.hidden && !row.classList.contains("series"));
    return {
      names: columns.map((column) => headings[column].dataset.title || headings[column].dataset.name),
      rows: shown.map((row) => columns.map((column) => {
        const cell = row.cells[column];
        if (!column) return { text: nameOf(row), number: null, half: "", best: false };
        const half = cell.querySelector(".half");
        return {
          text: cell.querySelector(".value").textContent.trim(),
          number: cell.dataset.sort === "" || cell.classList.contains("rank") ? null : Number(cell.dataset.sort),
          half: half ? half.textContent : "",
          best: cell.classList.contains("best"),
        };
      })),
    };
  }

  const written = (cell) => (/^[±+−]/.test(cell.half) ? `${cell.text} ${cell.half}` : cell.text);
  // A spreadsheet would run what begins like a formula.
  const guarded = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const inMarkdown = (text) => text.replace(/[\\`*_[\]<>|]/g, "\\$&");
  const TEX = {
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "±": "$\\pm$", "–": "--", "−": "$-$", "<": "\\textless{}", ">": "\\textgreater{}",
    "#": "\\#", "$": "\\$", "%": "\\%", "&": "\\&", "_": "\\_", "{": "\\{", "}": "\\}",
  };
  const inTex = (text) => text.replace(/[\\~^±–−<>#$%&_{}]/g, (one) => TEX[one]);

  const writers = {
    csv: ({ names, rows: lines }) => [
      names.map((name) => quoted(guarded(name))).join(","),
      ...lines.map((cells) => cells.map((cell) => (cell.number === null ? quoted(guarded(cell.text)) : cell.number)).join(",")),
    ].join("\r\n") + "\r\n",
    markdown: ({ names, rows: lines }) => [
      `| ${names.map(inMarkdown).join(" | ")} |`,
      `|${names.map((_, place) => (place ? " ---: " : " --- ")).join("|")}|`,
      ...lines.map((cells) => `| ${cells.map((cell) => {
        const text = inMarkdown(written(cell));
        return cell.best ? `**${text}**` : text;
      }).join(" | ")} |`),
    ].join("\n") + "\n",
    latex: ({ names, rows: lines }) => [
      "% Needs \\usepackage{booktabs}.",
      `\\begin{tabular}{l${"r".repeat(names.length - 1)}}`,
      "\\toprule",
      `${names.map(inTex).join(" & ")} \\\\`,
      "\\midrule",
      ...lines.map((cells) => `${cells.map((cell) => {
        const text = inTex(written(cell));
        return cell.best ? `\\textbf{${text}}` : text;
      }).join(" & ")} \\\\`),
      "\\bottomrule",
      "\\end{tabular}",
    ].join("\n") + "\n",
    json: ({ names, rows: lines }) => `${JSON.stringify(lines.map((cells) => Object.fromEntries(
      cells.map((cell, place) => [names[place], cell.number === null ? cell.text : cell.number]),
    )), null, 1)}\n`,
  };
  const endings = { csv: "csv", markdown: "md", latex: "tex", json: "json" };

  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => {
      const kind = button.dataset.export;
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([writers[kind](shownTable())], { type: "text/plain;charset=utf-8" }));
      link.download = `leaderboard.${endings[kind]}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      status.textContent = `${link.download} has what is shown.`;
    });
  }

  search.addEventListener("input", apply);
  if (family) family.addEventListener("change", apply);
  heat.addEventListener("change", () => { paint(); remember(); });
  document.getElementById("tools").hidden = false;
  recall();
  apply();
  window.addEventListener("hashchange", () => { recall(); apply(); });
  // Another baseline, level or aggregate, which choices.js shows, changes what is sorted by.
  document.addEventListener("chosen", apply);
})();
