// Baseline, level and aggregate: the page holds what it shows for each choice, and this shows it.
(() => {
  const selects = [...document.querySelectorAll("select[data-choice]")];
  const read = (id) => {
    const element = document.getElementById(id);
    return element ? JSON.parse(element.textContent) : null;
  };
  const onBoard = read("board-choices");
  const compared = read("comparison-choices");
  for (const tools of document.querySelectorAll("#comparison .tools")) tools.hidden = false;
  for (const note of document.querySelectorAll(".choice-note")) note.hidden = false;
  if (!selects.length) return;

  const VERDICTS = {
    b: ["better", "▲ better"], w: ["worse", "▼ worse"], s: ["same", "≈ same"], o: ["other", "◆ differs"],
  };

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function verdictOf(letter) {
    return letter in VERDICTS ? element("span", VERDICTS[letter][1], `verdict ${VERDICTS[letter][0]}`) : null;
  }

  // The place of what is chosen among the options; a page without the choice has the first one only.
  function chosen(choice) {
    const select = selects.find((one) => one.dataset.choice === choice);
    return select ? { place: select.selectedIndex, value: select.value } : { place: 0, value: "" };
  }
  const own = (select) => [...select.options].find((option) => option.defaultSelected).value;

  // --- The leaderboard.

  const board = document.getElementById("board");
  const rows = board ? [...board.tBodies[0].rows].filter((row) => !row.classList.contains("series")) : [];
  const headings = board ? [...board.tHead.rows[0].cells] : [];
  const tasks = headings.map((_, column) => column).filter((column) => headings[column].classList.contains("task"));

  function showStandings(aggregate, level) {
    const heading = board.querySelector("thead .mean");
    const standings = onBoard.standings[aggregate];
    if (!heading || !standings) return;
    const [title, unit, note] = onBoard.headings[aggregate];
    heading.querySelector(".label").textContent = title;
    heading.querySelector(".metric").textContent = unit;
    heading.dataset.title = `${title} ${unit.replace(", %", "")}`;
    document.getElementById("aggregate-note").textContent = note;
    rows.forEach((row, place) => {
      const [rank, rankKey, tie, shade, mean, half, meanKey, best, glyph] = standings[level][place];
      row.classList.toggle("tie-even", shade === "even");
      row.classList.toggle("tie-odd", shade === "odd");
      const rankCell = row.querySelector(".rank"), meanCell = row.querySelector("td.mean");
      rankCell.dataset.sort = rankKey;
      rankCell.querySelector(".value").textContent = rank;
      if (rankCell.querySelector(".group")) rankCell.querySelector(".group").textContent = tie;
      meanCell.dataset.sort = meanKey;
      meanCell.classList.toggle("best", best === 1);
      meanCell.querySelector(".value").textContent = mean;
      if (meanCell.querySelector(".half")) meanCell.querySelector(".half").textContent = half;
      draw(meanCell.querySelector(".glyph"), glyph);
    });
  }

  function draw(svg, glyph) {
    if (!svg) return;
    svg.toggleAttribute("hidden", !glyph);
    if (!glyph) return;
    svg.querySelector(".range").setAttribute("x", glyph[0]);
    svg.querySelector(".range").setAttribute("width", glyph[1]);
    svg.querySelector(".point").setAttribute("cx", glyph[2]);
  }

  function showVerdicts(baseline, level) {
    const found = onBoard.verdicts[onBoard.baselines.indexOf(baseline)];
    tasks.forEach((column, task) => {
      const best = onBoard.best[level][task];
      rows.forEach((row, place) => {
        const cell = row.cells[column];
        if (best !== null) cell.classList.toggle("best", best[place] === "1" && cell.dataset.sort !== "");
        const before = cell.querySelector(".verdict");
        if (before) before.remove();
        const verdict = found ? verdictOf(found[level][task][place]) : null;
        if (verdict) cell.insertBefore(verdict, cell.querySelector(".warning"));
      });
    });
    for (const row of rows) {
      const heading = row.cells[0], tag = heading.querySelector(".tag");
      if (tag) tag.remove();
      if (heading.firstChild.textContent.trim() === baseline) heading.append(" ", element("span", "baseline", "tag"));
    }
  }

  // --- The comparison: the report's own is in the page, any other is made of the page's data.

  function list(name, text) {
    const line = element("div");
    line.append(element("dt", name), element("dd", text));
    return line;
  }

  function outcome(found, task, model, baseline) {
    const cell = element("td");
    if (!found) {
      cell.textContent = "–";
      return cell;
    }
    const line = element("span", "", "nowrap");
    const linked = document.getElementById("own-comparison").dataset.samples;
    const part = (count, pattern, word) => {
      if (linked === undefined) return count;
      const link = element("a", count);
      const asked = new URLSearchParams({ task, a: model, b: baseline, show: pattern, order: "difference" });
      link.href = `${linked}${asked}`;
      link.append(element("span", ` samples ${word}`, "unseen"));
      return link;
    };
    const [won, tied, lost, ...words] = found;
    line.append(part(won, "ab", words[0]), ` / ${tied} / `, part(lost, "ba", words[1]));
    cell.append(line);
    if (words[0] === "higher") cell.append(element("span", "higher, equal, lower", "n"));
    return cell;
  }

  const HEADINGS = [
    ["Task", ""], ["Baseline", "number"], ["Score", "number"], ["Difference", "number"], ["p", "number"],
    ["Verdict", ""], ["Wins, ties, losses", ""], ["Detectable", "number"], ["n", "number"],
  ];

  function table(model, at, baseline) {
    const made = element("table", "", "differences");
    const caption = element("caption");
    caption.append(element("bdi", model.name), " beside ", element("bdi", baseline));
    made.append(caption);
    const head = made.createTHead().insertRow();
    for (const [text, kind] of HEADINGS) {
      const heading = element("th", text, kind);
      heading.scope = "col";
      head.append(heading);
    }
    const body = made.createTBody();
    model.rows.forEach(([task, metric, marks, theirs, ours, difference, p, n, won], place) => {
      const [interval, verdict, detectable] = at.rows[place];
      const row = body.insertRow();
      const heading = element("th");
      heading.scope = "row";
      heading.append(element("bdi", task), element("span", metric, "metric"), ...marks.map((mark) => element("span", mark, "note")));
      const gap = element("td", "", "number");
      gap.append(element("strong", difference), element("span", interval, "interval"));
      const judged = element("td");
      judged.append(...[verdictOf(verdict)].filter(Boolean));
      row.append(
        heading, element("td", theirs, "number"), element("td", ours, "number"), gap,
        element("td", p, "number"), judged, outcome(won, task, model.name, baseline),
        element("td", detectable, "number"), element("td", n, "number"),
      );
    });
    const region = element("div", "", "scroll");
    region.tabIndex = 0;
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", `${model.name}: differences`);
    region.append(made);
    return region;
  }

  function notCompared(reasons, before) {
    if (reasons.length <= 3) return reasons.map((text) => element("p", `${before}: ${text}`, "banner"));
    const folded = element("details", "", "reasons");
    const items = element("ul");
    items.append(...reasons.map((text) => element("li", text)));
    folded.append(element("summary", `${before}, for ${reasons.length} reasons`), items);
    return [folded];
  }

  function section(model, level, baseline) {
    const at = model.at[level];
    const made = element("div", "", "against");
    const name = element("h3");
    name.append(element("bdi", model.name));
    made.append(name, ...at.summary.map((text) => element("p", text, "summary")));
    const told = [["Gained", at.gained], ["Lost", at.lost]].filter(([, text]) => text);
    if (told.length) {
      const found = element("dl", "", "list");
      found.append(...told.map(([name, text]) => list(name, text)));
      made.append(found);
    }
    made.append(...notCompared(model.leftOut, "Not compared"));
    if (model.rows.length) made.append(table(model, at, baseline));
    return made;
  }

  function showComparison(baseline, level, isOwn) {
    const place = document.getElementById("chosen-comparison");
    document.getElementById("own-comparison").hidden = !isOwn;
    document.getElementById("own-comparison-note").hidden = isOwn;
    place.hidden = isOwn;
    place.replaceChildren();
    if (isOwn) return;
    const found = compared[baseline.place];
    place.append(
      ...notCompared(found.leftOut, `${found.name}: not compared`),
      ...found.models.map((model) => section(model, level, found.name)),
    );
  }

  // --- What is chosen is the same everywhere on the page.

  function show() {
    const baseline = chosen("baseline"), level = chosen("level").place;
    const name = selects.some((one) => one.dataset.choice === "baseline")
      ? baseline.value : (onBoard && onBoard.baselines[0]) || "";
    if (board && onBoard) {
      showStandings(chosen("aggregate").place, level);
      showVerdicts(name, level);
    }
    if (compared) {
      const isOwn = selects.every((one) => one.dataset.choice === "aggregate" || one.value === own(one));
      showComparison(baseline, level, isOwn);
    }
    const levels = selects.find((one) => one.dataset.choice === "level");
    for (const one of levels ? document.querySelectorAll("[data-level]") : []) {
      one.textContent = levels.selectedOptions[0].dataset.detail;
    }
    for (const one of document.querySelectorAll("[data-baseline]")) if (name) one.textContent = name;
    for (const one of document.querySelectorAll("[data-versus]")) one.hidden = !name;
    carry();
    document.dispatchEvent(new Event("chosen"));
  }

  // --- In a site the choice goes along to the other page, as the end of its address.

  const asked = () => new URLSearchParams(location.hash.startsWith("#view?") ? location.hash.slice(6) : "");

  function carry() {
    const state = new URLSearchParams();
    for (const one of selects) if (one.value !== own(one)) state.set(one.dataset.choice, one.value);
    // A page of comparisons ranks nothing, and hands on what ranks are by.
    const aggregate = board ? null : asked().get("aggregate");
    if (aggregate) state.set("aggregate", aggregate);
    const end = `${state}` && `#view?${state}`;
    for (const link of document.querySelectorAll("nav a[data-carries]")) {
      const [page] = link.getAttribute("href").split("#");
      if (page) link.setAttribute("href", `${page}${end}`);
    }
    if (!board) history.replaceState(null, "", end || location.pathname);
  }

  // With a leaderboard, script.js does this.
  function recall() {
    if (board || !location.hash.startsWith("#view?")) return;
    for (const one of selects) {
      const value = asked().get(one.dataset.choice);
      one.value = [...one.options].some((option) => option.value === value) ? value : own(one);
    }
    show();
  }

  function choose(choice, value) {
    for (const one of selects) if (one.dataset.choice === choice) one.value = value;
    show();
  }
  for (const select of selects) {
    select.addEventListener("change", () => choose(select.dataset.choice, select.value));
  }
  const again = document.getElementById("own-comparison-again");
  if (again) {
    again.addEventListener("click", () => {
      for (const one of selects) if (one.dataset.choice !== "aggregate") one.value = own(one);
      show();
    });
  }
  document.addEventListener("recalled", show);
  window.addEventListener("hashchange", recall);
  recall();
  if (selects.some((one) => one.value !== own(one))) show();
})();
