// The sample pages. Scores and flags of a task are in memory as typed arrays; texts are unpacked a
// piece at a time, and only the latest pieces are kept. Every text is written with textContent.
(() => {
  const viewer = document.getElementById("viewer");
  if (!viewer) return;
  const PAGE = 50, KEPT_PIECES = 6, MISSING = 1 << 15, LONGEST_DIFF = 1200, SHOWN_OF_PROMPT = 700;
  const index = JSON.parse(document.getElementById("samples-index").textContent);
  const FLAG_WORDS = {
    failed: "failed", truncated: "prompt truncated", unfinished: "cut off at the limit",
    unfinished_thinking: "thinking unfinished", empty: "empty", lost_shots: "few-shot examples dropped", unparsed: "no answer found", looped: "repeats itself", doubled_start: "start doubled",
  };
  const bit = (flag) => 1 << index.flags.indexOf(flag);
  const get = (id) => document.getElementById(id);
  const status = get("sample-status");
  const state = {
    task: null, number: -1, a: 0, b: 0, order: new Int32Array(0), place: 0, found: null, search: 0,
    opened: new Set(), base: "", by: "words", touched: false,
  };

  // --- Packed pieces: in the page itself, or scripts beside it that call evalharnessShard.

  const waiting = new Map();
  const loading = new Map();
  window.evalharnessShard = (name, data) => {
    const resolve = waiting.get(name);
    waiting.delete(name);
    if (resolve) resolve(data);
  };

  // Equal data has one name, and may be asked for again before it is there.
  function fetchPiece(name) {
    const inside = document.getElementById(name);
    if (inside) return Promise.resolve(inside.textContent);
    if (!loading.has(name)) loading.set(name, loadShard(name).finally(() => loading.delete(name)));
    return loading.get(name);
  }

  function loadShard(name) {
    return new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onload = () => { script.remove(); };
      script.onerror = () => { script.remove(); reject(new Error(`data/${name}.js is missing`)); };
      document.head.append(script);
    });
  }

  async function unpack(name) {
    const text = atob(await fetchPiece(name));
    const packed = new Uint8Array(text.length);
    for (let place = 0; place < text.length; place += 1) packed[place] = text.charCodeAt(place);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  const decoded = new Map();
  function readTexts(name) {
    if (!decoded.has(name)) {
      decoded.set(name, unpack(name).then((bytes) => JSON.parse(new TextDecoder().decode(bytes))));
    }
    const texts = decoded.get(name);
    decoded.delete(name);
    decoded.set(name, texts);
    while (decoded.size > KEPT_PIECES) decoded.delete(decoded.keys().next().value);
    return texts;
  }

  async function readTask(number) {
    const task = index.tasks[number];
    if (task.scores) return task;
    const parts = await Promise.all(task.numbers.map((piece) => unpack(piece.name)));
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    task.numbers.forEach((piece, place) => bytes.set(parts[place], piece.first));
    const cells = task.models.length * task.shown;
    task.scores = new Float32Array(bytes.buffer, 0, cells);
    task.flagsOf = new Uint16Array(bytes.buffer, 4 * cells, cells);
    const ids = await Promise.all(task.ids.map(async (piece) => JSON.parse(new TextDecoder().decode(await unpack(piece.name)))));
    task.names = ids.flat();
    return task;
  }

  const columnOf = (model) => state.task.scores.subarray(model * state.task.shown, (model + 1) * state.task.shown);
  const score = (model, sample) => state.task.scores[model * state.task.shown + sample];
  const flags = (model, sample) => state.task.flagsOf[model * state.task.shown + sample];

  // --- Which samples, in which order.

  // Each pattern is given the columns of A and B and says which samples match; whole columns are
  // looped over, since a call for each of 100,000 samples would be felt.
  const upwards = () => state.task.higher_is_better || state.task.has_ideal;
  const greater = (one, other) => one.map((value, sample) => value > other[sample]);
  const flagged = (flag) => ({ flagsA, flagsB }) => flagsA.map((flags, sample) => ((flags | flagsB[sample]) & ~MISSING & bit(flag) ? 1 : 0));
  const isRight = (column) => {
    const best = Math.fround(state.task.best);
    return column.map((value) => (value === best ? 1 : 0));
  };
  const PATTERNS = {
    all: ["All samples", () => null],
    ab: ["A better than B", ({ a, b }) => (upwards() ? greater(a, b) : greater(b, a))],
    ba: ["B better than A", ({ a, b }) => (upwards() ? greater(b, a) : greater(a, b))],
    same: ["A and B equal", ({ a, b }) => a.map((value, sample) => value === b[sample])],
    right: ["A and B both right", ({ a, b }) => {
      const other = isRight(b);
      return isRight(a).map((value, sample) => value & other[sample]);
    }],
    wrong: ["Neither quite right", ({ a, b }) => {
      const one = isRight(a), other = isRight(b);
      return one.map((value, sample) => !value && !other[sample] && a[sample] === a[sample] && b[sample] === b[sample]);
    }],
    differ: ["Any two models differ", () => differing()],
    failed: ["Failed in A or B", flagged("failed")],
    unfinished: ["Cut off in A or B", flagged("unfinished")],
    truncated: ["Prompt truncated in A or B", flagged("truncated")],
    empty: ["Empty in A or B", flagged("empty")],
    unparsed: ["No answer found in A or B", flagged("unparsed")],
    looped: ["Repeats itself in A or B", flagged("looped")],
  };

  function differing() {
    const { shown, models } = state.task;
    const first = new Float32Array(shown).fill(NaN), found = new Uint8Array(shown);
    models.forEach((_, model) => {
      const column = columnOf(model);
      for (let sample = 0; sample < shown; sample += 1) {
        const value = column[sample];
        if (first[sample] !== first[sample]) first[sample] = value;
        else if (value === value && value !== first[sample]) found[sample] = 1;
      }
    });
    return found;
  }

  const ORDERS = {
    place: "As in the data", difference: "Largest difference", low: "Lowest score of A", high: "Highest score of A",
  };

  // A score and a sample in one number, so that numbers can be sorted without a function: the bits
  // of the score, turned so that they sort as it does, before 21 bits of the sample.
  const AS_NUMBER = new Float32Array(1), AS_BITS = new Uint32Array(AS_NUMBER.buffer), SAMPLES = 2 ** 21;

  function sorted(samples, kind) {
    const a = columnOf(state.a), b = columnOf(state.b);
    const keys = new Float64Array(samples.length);
    for (let place = 0; place < samples.length; place += 1) {
      const sample = samples[place], value = a[sample];
      AS_NUMBER[0] = kind === "difference" ? -Math.abs(value - b[sample]) : kind === "high" ? -value : value;
      const bits = AS_BITS[0];
      const turned = AS_NUMBER[0] !== AS_NUMBER[0] ? 0xffffffff : bits >= 0x80000000 ? 0xffffffff - bits : bits + 0x80000000;
      keys[place] = turned * SAMPLES + sample;
    }
    keys.sort();
    return Int32Array.from(keys, (key) => key % SAMPLES);
  }

  function select() {
    const { names, shown, flagsOf } = state.task;
    const flagsIn = (model) => flagsOf.subarray(model * shown, (model + 1) * shown);
    const wanted = PATTERNS[get("pattern").value][1]({
      a: columnOf(state.a), b: columnOf(state.b), flagsA: flagsIn(state.a), flagsB: flagsIn(state.b),
    });
    const typed = get("sample-text").value.trim().toLowerCase();
    const chosen = new Int32Array(shown);
    let count = 0;
    for (let sample = 0; sample < shown; sample += 1) {
      if (wanted && !wanted[sample]) continue;
      if (state.found ? !state.found.has(sample) : typed && !names[sample].toLowerCase().includes(typed)) continue;
      chosen[count] = sample;
      count += 1;
    }
    const kind = get("order").value;
    const matching = chosen.subarray(0, count);
    state.order = kind === "place" ? matching : sorted(matching, kind);
  }

  async function refresh(place = 0) {
    select();
    state.place = Math.max(0, Math.min(place, state.order.length - 1));
    showPage();
    await showSample();
  }

  // --- The list.

  const cell = (text) => {
    const element = document.createElement("td");
    element.className = "number";
    element.textContent = text;
    return element;
  };

  function written(value) {
    if (Number.isNaN(value)) return "–";
    return (Number.isInteger(value) ? String(value) : value.toFixed(3)).replace("-", "−");
  }

  function showPage() {
    const body = get("sample-list").tBodies[0];
    const total = state.order.length;
    const page = Math.floor(state.place / PAGE), pages = Math.max(1, Math.ceil(total / PAGE));
    get("page-number").textContent = `${page + 1} of ${pages.toLocaleString("en")}`;
    get("page-before").disabled = page === 0;
    get("page-after").disabled = page + 1 >= pages;
    const lines = [];
    for (let place = page * PAGE; place < Math.min(total, (page + 1) * PAGE); place += 1) {
      const sample = state.order[place];
      const line = document.createElement("tr");
      const heading = document.createElement("th");
      heading.scope = "row";
      const button = document.createElement("button");
      button.type = "button";
      button.append(...visible(state.task.names[sample]));
      button.addEventListener("click", () => move(place));
      heading.append(button);
      if (place === state.place) {
        line.className = "current";
        button.setAttribute("aria-current", "true");
      }
      line.append(heading, cell(written(score(state.a, sample))), cell(written(score(state.b, sample))));
      lines.push(line);
    }
    body.replaceChildren(...lines);
    const current = body.querySelector(".current");
    if (current) {
      const box = body.closest(".scroll");
      const top = current.offsetTop - box.clientHeight / 2;
      box.scrollTop = Math.max(0, top);
    }
    say();
  }

  function say() {
    const { shown, total, metric } = state.task;
    const of = shown < total ? `${shown.toLocaleString("en")} of the task's ${total.toLocaleString("en")} samples are here. ` : "";
    const count = state.order.length;
    status.textContent = `${of}${count.toLocaleString("en")} of ${shown.toLocaleString("en")} match. Scores: ${metric}, ${state.task.has_ideal ? "neither way is better" : state.task.higher_is_better ? "higher is better" : "lower is better"}.`;
  }

  async function move(place) {
    if (place < 0 || place >= state.order.length) return;
    state.place = place;
    state.touched = true;
    showPage();
    await showSample();
  }

  // --- Texts: what cannot be seen is shown by its code point.

  function visible(text) {
    const parts = text.split(/((?![\n\t])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029])/u);
    return parts.filter((part) => part !== "").map((part) => {
      if (!/^(?![\n\t])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]$/u.test(part)) return document.createTextNode(part);
      const mark = document.createElement("span");
      mark.className = "hidden-character";
      mark.textContent = `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
      return mark;
    });
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.append(...visible(text));
    return made;
  }

  function box(nodes, label) {
    const made = document.createElement("pre");
    made.className = "text";
    made.dir = "auto";
    made.tabIndex = 0;
    made.setAttribute("role", "region");
    made.setAttribute("aria-label", label);
    if (state.task.language) made.lang = state.task.language;
    made.append(...nodes);
    return made;
  }

  // --- Differences: the longest common subsequence of words or characters.

  const pieces = (text) => (state.by === "words" ? text.match(/\s+|[^\s]+/gu) || [] : [...text]);

  function difference(base, text) {
    const a = pieces(base), b = pieces(text);
    if (a.length > LONGEST_DIFF || b.length > LONGEST_DIFF) return null;
    const width = b.length + 1;
    const common = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i -= 1) {
      for (let j = b.length - 1; j >= 0; j -= 1) {
        common[i * width + j] = a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
      }
    }
    const nodes = [];
    let i = 0, j = 0, kind = "", held = "";
    const put = (next, part) => {
      if (next !== kind && held) {
        nodes.push(...(kind ? [element(kind, held)] : visible(held)));
        held = "";
      }
      kind = next;
      held += part;
    };
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { put("", a[i]); i += 1; j += 1; }
      else if (j === b.length || (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])) { put("del", a[i]); i += 1; }
      else { put("ins", b[j]); j += 1; }
    }
    put("end", "");
    return nodes;
  }

  // --- One sample.

  async function showSample() {
    const article = get("sample");
    const sample = state.order[state.place];
    if (sample === undefined) {
      article.replaceChildren(element("p", "No sample matches."));
      return;
    }
    const { task, place } = state;
    const piece = task.texts.find(({ first, count }) => sample >= first && sample < first + count);
    let texts;
    try {
      texts = (await readTexts(piece.name))[sample - piece.first];
    } catch (error) {
      article.replaceChildren(element("p", `The texts cannot be read: ${error.message}.`, "banner"));
      return;
    }
    if (task !== state.task || place !== state.place) return;
    const address = new URLSearchParams({ task: task.name, id: task.names[sample], a: task.models[state.a], b: task.models[state.b] });
    if (state.touched) history.replaceState(null, "", `#sample?${address}`);
    article.replaceChildren(...head(texts, sample), ...(guard() || content(texts, sample)));
  }

  function head(texts, sample) {
    const heading = element("h3", state.task.names[sample]);
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

  function content(texts, sample) {
    const models = state.task.models.map((_, model) => model);
    const order = [...new Set([state.a, state.b, ...models])].filter((model) => texts.o[model]);
    const wanted = [...new Set(texts.r.length ? texts.r : [texts.t])].filter((text) => text !== "");
    const parts = prompts(texts, texts.o[order[0]] ? texts.o[order[0]][0] : 0);
    if (wanted.length) {
      parts.push(element("h4", "Reference"), ...wanted.slice(0, 8).map((text) => box(visible(text), "Reference")));
      if (wanted.length > 8) parts.push(element("p", `and ${wanted.length - 8} more`, "quiet"));
    }
    parts.push(element("h4", "Outputs"), comparing(texts, order, wanted));
    const outputs = document.createElement("div");
    outputs.className = "outputs";
    outputs.append(...order.map((model) => output(texts, model, sample, wanted)));
    parts.push(outputs);
    const absent = models.filter((model) => !texts.o[model]).map((model) => state.task.models[model]);
    if (absent.length) parts.push(element("p", `Not asked: ${absent.join(", ")}.`, "quiet"));
    return parts;
  }

  function prompts(texts, ours) {
    return texts.p.flatMap((prompt, number) => {
      const users = state.task.models.filter((_, model) => texts.o[model] && texts.o[model][0] === number);
      const title = texts.p.length > 1 ? `Prompt of ${users.join(", ")}` : "Prompt";
      const text = prompt.join("\n――\n");
      const folded = document.createElement("details");
      if (number !== ours) {
        folded.append(element("summary", title), box(visible(text), title));
        return [folded];
      }
      if (text.length <= SHOWN_OF_PROMPT) return [element("h4", title), box(visible(text), title)];
      const cut = text.indexOf("\n", text.length - SHOWN_OF_PROMPT) + 1 || text.length - SHOWN_OF_PROMPT;
      folded.append(element("summary", `The beginning of the prompt, ${cut.toLocaleString("en")} characters`), box(visible(text.slice(0, cut)), "Beginning of the prompt"));
      return [element("h4", title), folded, box(visible(text.slice(cut)), title)];
    });
  }

  function comparing(texts, order, wanted) {
    const row = document.createElement("div");
    row.className = "tools";
    const choices = [["", "nothing"], ...(wanted.length ? [["reference", "the reference"]] : []), ...order.map((model) => [String(model), state.task.models[model]])];
    if (!choices.some(([value]) => value === state.base)) state.base = "";
    row.append(chooser("Mark differences from", choices, state.base, (value) => { state.base = value; showSample(); }));
    row.append(chooser("by", [["words", "words"], ["characters", "characters"]], state.by, (value) => { state.by = value; showSample(); }));
    return row;
  }

  function chooser(name, choices, value, change) {
    const label = element("label", `${name} `, "field");
    const list = document.createElement("select");
    fill(list, choices, value);
    list.addEventListener("change", () => change(list.value));
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

  function output(texts, model, sample, wanted) {
    const [, responses, extracted, error] = texts.o[model];
    const card = document.createElement("div");
    card.className = model === state.a || model === state.b ? "output side" : "output";
    const header = document.createElement("header");
    const side = model === state.a ? "A · " : model === state.b ? "B · " : "";
    const name = `${side}${state.task.models[model]}`;
    header.append(element("strong", name), element("span", written(score(model, sample))));
    index.flags.forEach((flag) => {
      if (flags(model, sample) & bit(flag)) header.append(element("span", FLAG_WORDS[flag], "flag"));
    });
    card.append(header);
    if (error) card.append(element("p", error, "banner"));
    responses.forEach((text, number) => {
      const label = responses.length > 1 ? `${name}, response ${number + 1}` : name;
      card.append(box(marked(texts, text, number, model, wanted) || visible(text), label));
    });
    const answers = extracted ? extracted.filter((text, place) => text !== responses[place]) : [];
    if (answers.length) card.append(element("h4", "Extracted answer"), ...answers.map((text) => box(visible(text), `${name}, extracted answer`)));
    return card;
  }

  function marked(texts, text, number, model, wanted) {
    if (state.base === "" || state.base === String(model)) return null;
    const base = state.base === "reference" ? wanted[0] : texts.o[Number(state.base)][1][number];
    return base === undefined ? null : difference(base, text);
  }

  // --- Searching all texts: one piece after another, so that few are in memory.

  async function searchTexts() {
    const typed = get("sample-text").value.trim().toLowerCase();
    const mine = (state.search += 1);
    state.found = null;
    if (!typed) {
      await refresh();
      return;
    }
    const found = new Set();
    const { task } = state;
    for (let number = 0; number < task.texts.length; number += 1) {
      const { name, first } = task.texts[number];
      const samples = await readTexts(name);
      if (mine !== state.search || task !== state.task) return;
      samples.forEach((sample, place) => {
        const inside = JSON.stringify(sample).toLowerCase().includes(JSON.stringify(typed).slice(1, -1));
        if (inside || task.names[first + place].toLowerCase().includes(typed)) found.add(first + place);
      });
      status.textContent = `Searched ${number + 1} of ${task.texts.length} parts, ${found.size} samples found.`;
    }
    state.found = found;
    await refresh();
  }

  // --- Controls.

  async function openTask(number, wanted = {}) {
    status.textContent = "Unpacking the scores…";
    try {
      state.task = await readTask(number);
    } catch (error) {
      status.textContent = `The samples cannot be read: ${error.message}.`;
      return;
    }
    state.number = number;
    state.found = null;
    get("sample-task").value = String(number);
    const models = state.task.models.map((name, model) => [String(model), name]);
    const known = (name, otherwise) => (state.task.models.includes(name) ? state.task.models.indexOf(name) : otherwise);
    state.a = known(wanted.a, 0);
    state.b = known(wanted.b, Math.min(1, models.length - 1));
    fill(get("model-a"), models, String(state.a));
    fill(get("model-b"), models, String(state.b));
    const usable = Object.entries(PATTERNS).filter(([key]) => !["right", "wrong"].includes(key) || state.task.best !== null);
    PATTERNS.ab[0] = state.task.has_ideal ? "A higher than B" : "A better than B";
    PATTERNS.ba[0] = state.task.has_ideal ? "B higher than A" : "B better than A";
    const pattern = usable.some(([key]) => key === wanted.show) ? wanted.show : "all";
    fill(get("pattern"), usable.map(([key, [text]]) => [key, text]), pattern);
    if (wanted.order in ORDERS) get("order").value = wanted.order;
    get("sample-text").value = "";
    select();
    const sample = state.task.names.indexOf(wanted.id);
    if (wanted.id !== undefined && sample < 0) {
      await refresh();
      status.textContent = `The sample ${wanted.id} is not here. ${status.textContent}`;
      return;
    }
    await refresh(Math.max(0, state.order.indexOf(sample)));
    if (wanted.show) viewer.scrollIntoView();
  }

  function asked() {
    if (!location.hash.startsWith("#sample?")) return null;
    const wanted = Object.fromEntries(new URLSearchParams(location.hash.slice(8)));
    return { ...wanted, number: index.tasks.findIndex((task) => task.name === wanted.task) };
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

  const turn = (by) => move((Math.floor(state.place / PAGE) + by) * PAGE);
  get("page-before").addEventListener("click", () => turn(-1));
  get("page-after").addEventListener("click", () => turn(1));
  get("keys").addEventListener("click", () => get("help").showModal());
  get("close-help").addEventListener("click", () => get("help").close());
  get("find").addEventListener("click", searchTexts);
  get("sample-text").addEventListener("keydown", (event) => { if (event.key === "Enter") searchTexts(); });
  get("sample-text").addEventListener("input", () => { state.found = null; state.search += 1; refresh(); });
  get("pattern").addEventListener("change", () => refresh());
  get("order").addEventListener("change", () => refresh());
  get("sample-task").addEventListener("change", (event) => openTask(Number(event.target.value)));
  for (const side of ["a", "b"]) {
    get(`model-${side}`).addEventListener("change", (event) => { state[side] = Number(event.target.value); refresh(); });
  }
  fill(get("order"), Object.entries(ORDERS), "place");
  fill(get("sample-task"), index.tasks.map((task, number) => [String(number), task.name]), "0");
  viewer.hidden = false;
  const follow = () => { const wanted = asked(); if (wanted) openTask(Math.max(0, wanted.number), wanted); };
  window.addEventListener("hashchange", follow);
  if (asked()) follow();
  // In a page that begins with other things, the samples are unpacked when the reader comes to them.
  else new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    openTask(0);
  }, { rootMargin: "400px" }).observe(viewer);
})();
