// The sample pages: the list, one sample, and the controls. What is packed is read by
// sample_pieces.js, chosen and sorted by sample_order.js, and written by sample_texts.js and
// sample_scores.js.
(() => {
  const viewer = document.getElementById("viewer");
  if (!viewer) return;
  const { amount, visible, element, box, difference } = sampleTexts;
  const PAGE = 50, SHOWN_OF_PROMPT = 700, SHOWN_REFERENCES = 8;
  const index = JSON.parse(document.getElementById("samples-index").textContent);
  const FLAG_WORDS = {
    failed: "failed with an error", truncated: "prompt truncated", unfinished: "cut off at the limit",
    unfinished_thinking: "thinking unfinished", empty: "empty", lost_shots: "few-shot examples dropped",
    unparsed: "no answer found", looped: "repeats itself", doubled_start: "start doubled",
  };
  const bit = (flag) => 1 << index.flags.indexOf(flag);
  const get = (id) => document.getElementById(id);
  const status = get("sample-status");
  const state = {
    task: null, a: 0, b: 0, order: new Int32Array(0), place: 0, found: null, search: 0, opening: 0,
    opened: new Set(), base: "", by: "words", tokens: false, touched: false,
  };
  const score = (model, sample) => state.task.scores[model * state.task.shown + sample];
  const flags = (model, sample) => state.task.flagsOf[model * state.task.shown + sample];
  const surprisal = (model, sample) => (state.task.surprisals ? state.task.surprisals[model * state.task.shown + sample] : NaN);

  // --- What is asked for: by the controls, and as the end of a link.

  const typed = () => get("sample-text").value.trim().toLowerCase();
  const ENDS = ["low", "high"];

  function range(name) {
    const ends = ENDS.map((end) => get(`${name}-${end}`).valueAsNumber).map((value) => (Number.isNaN(value) ? null : value));
    return ends.every((end) => end === null) ? null : ends;
  }

  function setRange(name, text) {
    const ends = (text || "..").split("..");
    ENDS.forEach((end, place) => { get(`${name}-${end}`).value = ends[place] || ""; });
  }

  function setFilters({ show, flag, order, score: scores, difference: differences }) {
    const set = (list, value, otherwise) => {
      list.value = value;
      if (list.selectedIndex < 0) list.value = otherwise;
    };
    set(get("pattern"), show || "all", "all");
    set(get("flag"), flag || "", "");
    set(get("order"), order || "place", "place");
    setRange("score", scores);
    setRange("difference", differences);
  }

  // Everything that a link needs to show the same again; what is as usual is left out.
  function address(sample) {
    const { task } = state;
    const written = (ends) => ends && ends.map((end) => end ?? "").join("..");
    const asked = {
      task: task.name, id: task.names[sample], a: task.models[state.a], b: task.models[state.b],
      show: get("pattern").value === "all" ? "" : get("pattern").value, flag: get("flag").value,
      order: get("order").value === "place" ? "" : get("order").value,
      score: written(range("score")), difference: written(range("difference")), text: get("sample-text").value.trim(),
    };
    return new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
  }

  function asked() {
    if (!location.hash.startsWith("#sample?")) return null;
    const wanted = Object.fromEntries(new URLSearchParams(location.hash.slice(8)));
    return { ...wanted, number: index.tasks.findIndex((task) => task.name === wanted.task) };
  }

  // Chooses and sorts anew, and shows the wanted sample, or the first where that is not among them.
  async function refresh(wanted = -1) {
    state.order = sampleOrder.select(state.task, {
      sides: [state.a, state.b], pattern: get("pattern").value, flag: get("flag").value ? bit(get("flag").value) : 0,
      score: range("score"), difference: range("difference"), order: get("order").value, text: typed(), found: state.found,
    });
    state.place = Math.max(0, state.order.indexOf(wanted));
    showPage();
    await showSample();
  }

  function change() {
    state.touched = true;
    return refresh();
  }

  // --- The list.

  // All scores of a task have as many decimals, so that they stand below one another.
  function written(value) {
    if (Number.isNaN(value)) return "–";
    const { decimals, is_share: isShare } = state.task;
    const text = value.toFixed(decimals).replace("-", "−");
    return isShare && decimals && Math.abs(value) < 1 ? text.replace("0.", ".") : text;
  }

  function showPage() {
    const body = get("sample-list").tBodies[0];
    const total = state.order.length;
    const page = Math.floor(state.place / PAGE), pages = Math.max(1, Math.ceil(total / PAGE));
    get("page-number").textContent = `${page + 1} of ${amount(pages)}`;
    get("page-before").disabled = page === 0;
    get("page-after").disabled = page + 1 >= pages;
    get("bits-of-a").hidden = get("order").value !== "surprising";
    // Its focus goes with the sample.
    const held = body.contains(document.activeElement);
    const lines = [];
    for (let place = page * PAGE; place < Math.min(total, (page + 1) * PAGE); place += 1) lines.push(line(place));
    body.replaceChildren(...lines);
    const current = body.querySelector(".current");
    if (current) {
      const around = body.closest(".scroll");
      around.scrollTop = Math.max(0, current.offsetTop - around.clientHeight / 2);
      if (held) current.querySelector("button").focus({ preventScroll: true });
    }
    say();
  }

  function line(place) {
    const sample = state.order[place];
    const made = document.createElement("tr"), heading = document.createElement("th");
    heading.scope = "row";
    const button = element("button");
    button.append(element("bdi", state.task.names[sample]));
    button.type = "button";
    // One stop of the tab key for all of the list.
    button.tabIndex = place === state.place ? 0 : -1;
    button.addEventListener("click", () => move(place));
    heading.append(button);
    if (place === state.place) {
      made.className = "current";
      button.setAttribute("aria-current", "true");
    }
    const figures = [written(score(state.a, sample)), written(score(state.b, sample))];
    if (!get("bits-of-a").hidden) {
      const bits = surprisal(state.a, sample);
      figures.push(Number.isNaN(bits) ? "–" : sampleScores.bits(bits));
    }
    made.append(heading, ...figures.map((text) => element("td", text, "number")));
    return made;
  }

  function say() {
    const { shown, total, metric, has_ideal: ideal, higher_is_better: higher } = state.task;
    const chosen = (id) => get(id).selectedOptions[0].textContent;
    const between = (name, words) => {
      const ends = range(name);
      return ends ? [`${words} from ${ends[0] ?? "any"} to ${ends[1] ?? "any"}`] : [];
    };
    const filters = [
      ...(get("pattern").value === "all" ? [] : [chosen("pattern")]), ...(get("flag").value ? [chosen("flag")] : []),
      ...between("score", "score of A"), ...between("difference", "A minus B"),
      ...(typed() ? [`“${typed()}” in ${state.found ? "texts and names" : "names only"}`] : []),
    ];
    const of = shown < total ? `${amount(shown)} of the task's ${amount(total)} samples are here. ` : "";
    const which = filters.length ? ` (${filters.join("; ")})` : "";
    const sorting = get("order").value === "place" ? "" : ` Order: ${chosen("order")}.`;
    const direction = ideal ? "neither way is better" : higher ? "higher is better" : "lower is better";
    status.textContent = `${of}${amount(state.order.length)} of ${amount(shown)} match${which}.${sorting} Scores: ${metric}, ${direction}.`;
  }

  async function move(place) {
    if (place < 0 || place >= state.order.length) return;
    state.place = place;
    state.touched = true;
    showPage();
    await showSample();
  }

  // --- One sample.

  async function showSample() {
    const article = get("sample");
    const sample = state.order[state.place];
    if (sample === undefined) {
      article.replaceChildren(element("p", "No sample matches."));
      return;
    }
    const { task, place, order } = state;
    let texts, tokens;
    try {
      texts = await samplePieces.item(task.texts, sample);
      tokens = state.tokens ? await samplePieces.item(task.tokens, sample) : null;
    } catch (error) {
      article.replaceChildren(element("p", `The texts cannot be read: ${error.message}.`, "banner"));
      return;
    }
    if (task !== state.task || place !== state.place || order !== state.order) return;
    if (state.touched) history.replaceState(null, "", `#sample?${address(sample)}`);
    article.replaceChildren(...head(texts, sample), ...(guard() || content({ texts, tokens, sample })));
  }

  function head(texts, sample) {
    const heading = element("h3");
    heading.append(element("bdi", state.task.names[sample]));
    const facts = Object.entries(texts.s).map(([name, value]) => `${name}: ${value}`).join(" · ");
    return facts ? [heading, element("p", facts, "quiet")] : [heading];
  }

  function guard() {
    if (!state.task.warning || state.opened.has(state.task)) return null;
    const button = element("button", "Show these texts");
    button.type = "button";
    button.addEventListener("click", () => { state.opened.add(state.task); showSample(); });
    return [element("p", state.task.warning, "banner"), button];
  }

  function content(shown) {
    const { texts } = shown;
    const models = state.task.models.map((_, model) => model);
    const order = [...new Set([state.a, state.b, ...models])].filter((model) => texts.o[model]);
    const wanted = [...new Set(texts.r.length ? texts.r : [texts.t])].filter((text) => text !== "");
    const parts = prompts(texts, texts.o[order[0]] ? texts.o[order[0]][0] : 0);
    const ofOptions = options(shown, order);
    // Among options the right one is marked.
    if (wanted.length && !(ofOptions.length && texts.g.length)) {
      parts.push(element("h4", "Reference"), ...wanted.slice(0, SHOWN_REFERENCES).map((text) => textBox(visible(text), "Reference")));
      if (wanted.length > SHOWN_REFERENCES) parts.push(element("p", `and ${wanted.length - SHOWN_REFERENCES} more`, "quiet"));
    }
    parts.push(...ofOptions);
    const wrote = order.filter((model) => texts.o[model][1].length);
    parts.push(...tools(shown, wrote, wanted));
    const outputs = element("div", undefined, "outputs");
    outputs.append(...order.map((model) => output(shown, model, wanted)).filter((card) => card));
    if (outputs.childElementCount) parts.push(outputs);
    const absent = models.filter((model) => !texts.o[model]).map((model) => state.task.models[model]);
    if (absent.length) parts.push(element("p", `Not asked: ${absent.join(", ")}.`, "quiet"));
    return parts;
  }

  const textBox = (nodes, label) => box(nodes, label, state.task.language);

  function prompts(texts, ours) {
    return texts.p.flatMap((prompt, number) => {
      const users = state.task.models.filter((_, model) => texts.o[model] && texts.o[model][0] === number);
      const title = texts.p.length > 1 ? `Prompt of ${users.join(", ")}` : "Prompt";
      const text = prompt.join("\n――\n");
      const folded = document.createElement("details");
      if (number !== ours) {
        folded.append(element("summary", title), textBox(visible(text), title));
        return [folded];
      }
      if (text.length <= SHOWN_OF_PROMPT) return [element("h4", title), textBox(visible(text), title)];
      const cut = text.indexOf("\n", text.length - SHOWN_OF_PROMPT) + 1 || text.length - SHOWN_OF_PROMPT;
      folded.append(element("summary", `The beginning of the prompt, ${amount(cut)} characters`), textBox(visible(text.slice(0, cut)), "Beginning of the prompt"));
      return [element("h4", title), folded, textBox(visible(text.slice(cut)), title)];
    });
  }

  // What stands above a model's answers: its name, its score and what is to be known of them.
  const sideOf = (model) => (model === state.a ? "A · " : model === state.b ? "B · " : "");
  const nameOf = (model) => `${sideOf(model)}${state.task.models[model]}`;

  function heading(model, sample) {
    const bits = surprisal(model, sample);
    const name = element("strong", sideOf(model));
    name.append(element("bdi", state.task.models[model]));
    return [
      name, element("span", written(score(model, sample))),
      ...(Number.isNaN(bits) ? [] : [element("span", `${sampleScores.bits(bits)} bits a token`, "quiet")]),
      ...index.flags.filter((flag) => flags(model, sample) & bit(flag)).map((flag) => element("span", FLAG_WORDS[flag], "flag")),
    ];
  }

  function options({ texts, sample }, order) {
    const scored = order.filter((model) => texts.o[model][4]);
    if (!scored.length) return [];
    const { rules } = state.task;
    const models = scored.map((model) => ({ heading: heading(model, sample), rule: rules[model], options: texts.o[model][4] }));
    const notes = [...new Set(scored.map((model) => rules[model].note))];
    if (scored.some((model) => !Number.isNaN(surprisal(model, sample)))) notes.push("Bits a token: mean surprisal of the right option, or of all options where none is right.");
    return [
      element("h4", "Options"),
      sampleScores.options(texts.c, texts.g, models, state.task.language),
      ...notes.map((note) => element("p", note, "quiet")),
    ];
  }

  // --- What models wrote, and what marks it.

  function tools({ tokens }, wrote, wanted) {
    const row = element("div", undefined, "tools marks");
    if (wrote.length) {
      const choices = [["", "nothing"], ...(wanted.length ? [["reference", "the reference"]] : []), ...wrote.map((model) => [String(model), state.task.models[model]])];
      if (!choices.some(([value]) => value === state.base)) state.base = "";
      row.append(chooser("Mark differences from", choices, state.base, (value) => { state.base = value; showSample(); }));
      row.append(chooser("by", [["words", "words"], ["characters", "characters"]], state.by, (value) => { state.by = value; showSample(); }));
    }
    if (state.task.surprising) {
      const label = element("label", undefined, "check"), toggle = element("input");
      toggle.type = "checkbox";
      toggle.id = "show-tokens";
      toggle.checked = state.tokens;
      toggle.addEventListener("change", async () => {
        state.tokens = toggle.checked;
        await showSample();
        get("show-tokens").focus();
      });
      label.append(toggle, " Colour tokens by surprisal");
      row.append(label);
    }
    const parts = wrote.length ? [element("h4", "Outputs")] : [];
    if (row.childElementCount) parts.push(row);
    if (state.tokens) parts.push(tokens ? sampleScores.legend(index.steps) : element("p", "The tokens of this sample are not in this report; its texts are shown.", "quiet"));
    return parts;
  }

  function chooser(name, choices, value, choose) {
    const label = element("label", `${name} `, "field");
    const list = document.createElement("select");
    fill(list, choices, value);
    list.addEventListener("change", () => choose(list.value));
    label.append(list);
    return label;
  }

  function fill(list, choices, value) {
    list.replaceChildren(...choices.map(([key, text]) => {
      const option = document.createElement("option");
      option.value = key;
      option.textContent = text;
      return option;
    }));
    list.value = value;
  }

  // Null for a model of which all stands among the options.
  function output({ texts, tokens, sample }, model, wanted) {
    const [, responses, extracted, error, scored, alone] = texts.o[model];
    const [ofTexts, ofOptions, ofAlone] = (tokens && tokens[model]) || [[], [], []];
    const name = nameOf(model);
    const strip = (packed, label) => (packed ? [sampleScores.strip(packed, label, { steps: index.steps, language: state.task.language })] : []);
    const parts = error ? [element("p", error, "banner")] : [];
    responses.forEach((text, number) => {
      const label = responses.length > 1 ? `${name}, response ${number + 1}` : name;
      const coloured = strip(ofTexts[number], label);
      const base = baseOf(texts, number, model, wanted);
      if (base !== null || !coloured.length) parts.push(...outputText(text, base, label));
      parts.push(...coloured);
    });
    const answers = extracted ? extracted.filter((text, place) => text !== responses[place]) : [];
    if (answers.length) parts.push(element("h4", "Extracted answer"), ...answers.map((text) => textBox(visible(text), `${name}, extracted answer`)));
    ofOptions.forEach((packed, place) => {
      if (packed) parts.push(element("h4", `Option ${place + 1}${texts.g.includes(place) ? ", right" : ""}`), ...strip(packed, `${name}, option ${place + 1}`));
    });
    alone.forEach(([text, value], place) => parts.push(sampleScores.alone(text, value), ...strip(ofAlone[place], `${name}, scored text ${place + 1}`)));
    if (!parts.length && scored) return null;
    const card = element("div", undefined, model === state.a || model === state.b ? "output side" : "output");
    const header = element("header");
    header.append(...heading(model, sample));
    card.append(header, ...parts);
    return card;
  }

  // The text that an output is to be compared with, or null for none.
  function baseOf(texts, number, model, wanted) {
    if (state.base === "" || state.base === String(model)) return null;
    const base = state.base === "reference" ? wanted[0] : texts.o[Number(state.base)][1][number];
    return base === undefined ? null : base;
  }

  function outputText(text, base, label) {
    if (base === null) return [textBox(visible(text), label)];
    const marked = difference(base, text, state.by, state.task.language);
    if (marked) return [textBox(marked, label)];
    return [textBox(visible(text), label), element("p", `Too long to mark differences by ${state.by}.`, "quiet")];
  }

  // --- Searching all texts: one piece after another, so that few are in memory.

  function holds(value, text) {
    if (typeof value === "string") return value.toLowerCase().includes(text);
    return value !== null && typeof value === "object" && Object.values(value).some((one) => holds(one, text));
  }

  async function searchTexts(wanted = -1) {
    const text = typed();
    const mine = (state.search += 1);
    state.found = null;
    if (!text) {
      await refresh(wanted);
      return;
    }
    const found = new Set();
    const { task } = state;
    for (let number = 0; number < task.texts.length; number += 1) {
      const { name, first } = task.texts[number];
      const samples = await samplePieces.items(name);
      if (mine !== state.search || task !== state.task) return;
      samples.forEach((sample, place) => {
        if (holds(sample, text) || task.names[first + place].toLowerCase().includes(text)) found.add(first + place);
      });
      status.textContent = `Searched ${number + 1} of ${task.texts.length} parts, ${found.size} samples found.`;
    }
    state.found = found;
    await refresh(wanted);
  }

  function search() {
    state.touched = true;
    return searchTexts();
  }

  // --- Controls.

  async function openTask(number, wanted = {}) {
    status.textContent = "Unpacking the scores…";
    const mine = (state.opening += 1);
    try {
      const task = await samplePieces.readTask(index.tasks[number]);
      // Another one may have been asked for since.
      if (mine !== state.opening) return;
      state.task = task;
    } catch (error) {
      status.textContent = `The samples cannot be read: ${error.message}.`;
      return;
    }
    state.found = null;
    state.search += 1;
    fillControls(number, wanted);
    // The wanted sample is shown at once: the first, shown before it, could be read and left by a key.
    const sample = state.task.names.indexOf(wanted.id);
    if (wanted.text) await searchTexts(sample);
    else await refresh(sample);
    if (mine !== state.opening) return;
    if (wanted.number < 0) {
      status.textContent = `There is no task ${wanted.task} here; this is ${state.task.name}. ${status.textContent}`;
    } else if (wanted.id !== undefined && !state.order.includes(sample)) {
      status.textContent = `The sample ${wanted.id} is not ${sample < 0 ? "here" : "among those that match"}. ${status.textContent}`;
    }
    if (wanted.show) viewer.scrollIntoView();
  }

  function fillControls(number, wanted) {
    const { task } = state;
    get("sample-task").value = String(number);
    const models = task.models.map((name, model) => [String(model), name]);
    const known = (name, otherwise) => (task.models.includes(name) ? task.models.indexOf(name) : otherwise);
    state.a = known(wanted.a, 0);
    state.b = known(wanted.b, Math.min(1, models.length - 1));
    fill(get("model-a"), models, String(state.a));
    fill(get("model-b"), models, String(state.b));
    fill(get("pattern"), sampleOrder.patterns(task), "all");
    fill(get("flag"), [["", "any or none"], ...index.flags.map((flag) => [flag, FLAG_WORDS[flag]])], "");
    fill(get("order"), sampleOrder.orders(task), "place");
    setFilters(wanted);
    get("sample-text").value = wanted.text || "";
    const verb = task.has_ideal ? "above" : "beats";
    const words = { ab: `A ${verb} B most`, ba: `B ${verb} A most` };
    for (const button of presets) {
      const { order } = button.dataset;
      button.textContent = words[order] || button.textContent;
      button.hidden = (order in words && models.length < 2) || (order === "worst" && task.has_ideal) || (order === "surprising" && !task.surprisals);
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !state.task) return;
    if (event.target.closest("input, select, textarea, dialog")) return;
    const actions = {
      j: () => move(state.place + 1), k: () => move(state.place - 1),
      "[": () => turn(-1), "]": () => turn(1), "?": () => get("help").showModal(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });

  get("sample-list").addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(state.place + by);
  });

  const presets = viewer.querySelectorAll("button[data-order]");
  const turn = (by) => move((Math.floor(state.place / PAGE) + by) * PAGE);
  get("page-before").addEventListener("click", () => turn(-1));
  get("page-after").addEventListener("click", () => turn(1));
  get("keys").addEventListener("click", () => get("help").showModal());
  get("close-help").addEventListener("click", () => get("help").close());
  get("find").addEventListener("click", search);
  get("sample-text").addEventListener("keydown", (event) => { if (event.key === "Enter") search(); });
  get("sample-text").addEventListener("input", () => { state.found = null; state.search += 1; change(); });
  for (const id of ["pattern", "flag", "order"]) get(id).addEventListener("change", change);
  for (const name of ["score", "difference"]) {
    for (const end of ENDS) get(`${name}-${end}`).addEventListener("input", change);
  }
  for (const button of presets) {
    button.addEventListener("click", () => {
      const { pattern, order } = button.dataset;
      const worst = sampleOrder.upwards(state.task) ? "low" : "high";
      setFilters({ show: pattern, order: order === "worst" ? worst : order });
      change();
    });
  }
  get("everything").addEventListener("click", () => {
    setFilters({});
    get("sample-text").value = "";
    state.found = null;
    state.search += 1;
    change();
  });
  get("sample-task").addEventListener("change", (event) => {
    state.touched = true;
    openTask(Number(event.target.value));
  });
  for (const side of ["a", "b"]) {
    get(`model-${side}`).addEventListener("change", (event) => { state[side] = Number(event.target.value); change(); });
  }
  fill(get("sample-task"), index.tasks.map((task, number) => [String(number), task.name]), "0");
  viewer.hidden = false;
  const follow = () => { const wanted = asked(); if (wanted) openTask(Math.max(0, wanted.number), wanted); };
  window.addEventListener("hashchange", follow);
  if (asked()) follow();
  // In a page that begins with other things, the samples are unpacked when the reader comes to them.
  else new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    // Unless the reader has chosen a task before.
    if (!state.opening) openTask(0);
  }, { rootMargin: "400px" }).observe(viewer);
})();
