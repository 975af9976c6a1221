// What models scored: the probability of each option, and how surprising each token was. The figures
// come from the report; here they are only written down.
const sampleScores = (() => {
  const { amount, visible, mark, element, folded } = sampleTexts;
  const SVG = "http://www.w3.org/2000/svg", BAR = 72;
  const minus = (text) => text.replace("-", "−");

  function percent(share) {
    if (share === 0) return "0 %";
    if (share < 0.001) return "< 0.1 %";
    return share > 0.999 && share < 1 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
  }

  // A log-probability; what failed has none, and only that of a share of nothing has no end. Baselines
  // give ranks, which are far apart.
  function nats(value, endless) {
    if (value === null) return endless ? "−∞" : "none";
    return minus(value <= -1e4 ? value.toExponential(0).replace("e+", "e") : value.toFixed(3));
  }

  // The space that joins an option to its question is no part of it.
  const unspaced = (text) => text.replace(/^ (?=\S)/, "");
  const bits = (value) => (value === null || value === Infinity ? "∞" : minus(value.toFixed(2)));

  function bar(share) {
    const drawn = document.createElementNS(SVG, "svg");
    const set = (node, values) => Object.entries(values).forEach(([name, value]) => node.setAttribute(name, value));
    set(drawn, { class: "share", width: BAR, height: 6, viewBox: `0 0 ${BAR} 6`, "aria-hidden": "true", focusable: "false" });
    [["share-all", BAR], ["share-part", BAR * share]].forEach(([name, width]) => {
      const made = document.createElementNS(SVG, "rect");
      set(made, { class: name, width, height: 6, rx: 2 });
      drawn.append(made);
    });
    return drawn;
  }

  function table(caption, headings, rows) {
    const made = element("table");
    made.append(element("caption", caption, "unseen"));
    const head = element("tr"), body = element("tbody");
    head.append(...headings.map((heading) => {
      const th = heading instanceof Node ? heading : element("th", heading);
      th.scope = "col";
      return th;
    }));
    made.append(element("thead"), body);
    made.tHead.append(head);
    body.append(...rows);
    const scroll = element("div", undefined, "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", caption);
    scroll.append(made);
    return scroll;
  }

  // --- Options of multiple choice: a row for each, a column for each model.

  // models: { heading: nodes, rule, options: what the report has packed of them }
  function options(texts, gold, models, language) {
    const headings = models.map(({ heading }) => {
      const th = element("th", undefined, "option-score");
      th.append(...heading);
      return th;
    });
    const rows = texts.map((text, place) => {
      const row = element("tr", undefined, gold.includes(place) ? "right" : "");
      const name = element("th", unspaced(text), "option");
      name.scope = "row";
      name.dir = "auto";
      if (language) name.lang = language;
      if (gold.includes(place)) name.append(" ", element("span", "✓ right", "tag"));
      row.append(name, ...models.map((model) => optionCell(model, place)));
      return row;
    });
    return table("Options with their probabilities", ["Option", ...headings], rows);
  }

  function optionCell({ rule, options: [values, shares, compared, taken] }, place) {
    const made = element("td", undefined, place === taken ? "option-score taken" : "option-score");
    if (shares.length) made.append(element("span", percent(shares[place]), "value"), bar(shares[place]));
    if (place === taken) made.append(element("span", `● ${rule.mark}`, "mark"));
    if (compared.length) made.append(element("span", `${percent(compared[place])} ${rule.heading}`, "interval"));
    const value = values[place] === undefined ? null : values[place];
    made.append(element("span", `log-probability ${nats(value, shares.length > 0)}`, "interval"));
    return made;
  }

  // A text that was scored and is no option of a question.
  function alone(text, value) {
    const made = element("p", undefined, "alone");
    made.append(
      ...(text ? ["Scored: ", element("q", unspaced(text))] : ["The text as a whole"]),
      `: log-probability ${nats(value, false)}`,
      ...(text && value !== null ? [`, probability ${percent(Math.exp(value))}`] : []),
    );
    return made;
  }

  // --- Tokens, each coloured by its surprisal.

  const stepOf = (surprisal, steps) => (surprisal === null ? steps.length : steps.filter((step) => surprisal >= step).length);
  const probability = (surprisal) => percent(surprisal === null ? 0 : 2 ** -surprisal);

  function legend(steps) {
    const made = element("p", "Surprisal in bits: ", "heat-legend");
    const words = [`below ${steps[0]}`, ...steps.slice(1).map((step, place) => `${steps[place]} to ${step}`), `${steps[steps.length - 1]} and more`];
    made.append(...words.flatMap((text, step) => [element("span", text, `swatch heat-token-${step}`), " "]));
    made.append("0 bits: certain; each bit more: half as likely. Point at a token, tap it, or use the arrow keys, to see what else was likely there.");
    return made;
  }

  // The text of a token where it stands: ends of lines are shown, and end lines.
  function tokenNodes(text) {
    if (text === "") return [mark("∅")];
    return text.split(/(\n)/).filter((part) => part !== "").flatMap((part) => (part === "\n" ? [mark("⏎"), "\n"] : visible(part)));
  }

  // The text of a token alone: white space is spelled out.
  const spelled = (text) => (text === "" ? "∅" : text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥"));

  function strip([texts, surprisals, alternatives, total, mean], label, { steps, language }) {
    const made = element("div", undefined, "strip");
    const shown = texts.length < total ? `, of which the first ${amount(texts.length)} are shown` : "";
    made.append(element("p", `${amount(total)} tokens${shown}; mean surprisal ${bits(mean)} bits`, "quiet"));
    const list = element("div", undefined, "text tokens");
    list.dir = "auto";
    if (language) list.lang = language;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", `Tokens of ${label}; arrow keys go from one to the next`);
    list.setAttribute("aria-orientation", "horizontal");
    const tokens = texts.map((text, place) => {
      const token = element("span", undefined, `token heat-token-${stepOf(surprisals[place], steps)}`);
      token.setAttribute("role", "option");
      token.setAttribute("aria-selected", "false");
      token.setAttribute("aria-label", `${spelled(text)}, ${bits(surprisals[place])} bits, probability ${probability(surprisals[place])}`);
      token.tabIndex = -1;
      token.dataset.place = place;
      token.append(...tokenNodes(text));
      return token;
    });
    list.append(...tokens);
    const panel = element("div", undefined, "token-panel");
    // The most surprising token is shown first.
    let current = surprisals.reduce((most, bits, place) => ((bits ?? Infinity) > (surprisals[most] ?? Infinity) ? place : most), 0);
    const show = (place) => {
      tokens[current].setAttribute("aria-selected", "false");
      tokens[current].tabIndex = -1;
      current = place;
      tokens[place].setAttribute("aria-selected", "true");
      tokens[place].tabIndex = 0;
      panel.replaceChildren(...details(texts[place], surprisals[place], alternatives[place], `Token ${place + 1} of ${total}`));
    };
    show(current);
    follow(list, tokens, show, () => current);
    made.append(list, panel, folded("All tokens as a table", () => tokenTable(texts, surprisals, alternatives, label)));
    return made;
  }

  // Pointing, tapping and the arrow keys: the list has one place in the order of the tab key.
  function follow(list, tokens, show, current) {
    const placeOf = (event) => {
      const token = event.target.closest(".token");
      return token ? Number(token.dataset.place) : null;
    };
    for (const kind of ["pointerover", "focusin", "click"]) {
      list.addEventListener(kind, (event) => {
        const place = placeOf(event);
        if (place === null) return;
        show(place);
        if (kind === "click") tokens[place].focus();
      });
    }
    list.addEventListener("keydown", (event) => {
      const forward = getComputedStyle(list).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
      const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
      const places = {
        [forward]: current() + 1, [backward]: current() - 1, ArrowDown: current() + 1, ArrowUp: current() - 1,
        Home: 0, End: tokens.length - 1,
      };
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in places)) return;
      event.preventDefault();
      const next = tokens[places[event.key]];
      if (next) next.focus();
    });
  }

  const pairs = (flat) => flat.filter((_, place) => place % 2 === 0).map((text, place) => [text, flat[2 * place + 1]]);

  function details(text, surprisal, alternatives, where) {
    const facts = element("p");
    const nat = surprisal === null ? "−∞" : minus((-surprisal * Math.LN2).toFixed(3));
    facts.append(element("strong", spelled(text), "token-text"), ` ${where}: probability ${probability(surprisal)}, log-probability ${nat}, ${bits(surprisal)} bits`);
    const found = pairs(alternatives);
    if (!found.length) return [facts, element("p", "What else was likely here is not stored.", "quiet")];
    const list = element("ol", undefined, "alternatives");
    list.append(...found.map(([other, value]) => {
      const line = element("li", undefined, other === text ? "itself" : "");
      line.append(element("span", spelled(other), "token-text"), bar(value === null ? 0 : 2 ** -value), element("span", probability(value), "figure"));
      return line;
    }));
    return [facts, element("p", "Likeliest here:", "quiet"), list];
  }

  function tokenTable(texts, surprisals, alternatives, label) {
    const rows = texts.map((text, place) => {
      const row = element("tr");
      const name = element("th", spelled(text));
      name.scope = "row";
      const others = pairs(alternatives[place]).map(([other, value]) => `${spelled(other)} ${probability(value)}`);
      row.append(element("td", String(place + 1), "number"), name, element("td", probability(surprisals[place]), "number"), element("td", bits(surprisals[place]), "number"), element("td", others.join(", ") || "none stored"));
      return row;
    });
    return table(`Tokens of ${label}`, ["Place", "Token", "Probability", "Bits", "Likeliest here"], rows);
  }

  return { options, alone, legend, strip, bits };
})();
