// Texts of the sample pages. Every text is written with textContent, and what cannot be seen is shown
// by its code point.
const sampleTexts = (() => {
  const LONGEST_DIFFERENCE = 2000;
  const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/u;
  const SPLIT = new RegExp(`(${HIDDEN.source})`, "u");

  // A whole number with thin spaces between thousands.
  const amount = (count) => count.toLocaleString("en").replaceAll(",", "\u202f");

  function mark(text) {
    const made = document.createElement("span");
    made.className = "hidden-character";
    made.textContent = text;
    return made;
  }

  function visible(text) {
    return text.split(SPLIT).filter((part) => part !== "").map((part) => (
      HIDDEN.test(part) && [...part].length === 1
        ? mark(`U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`)
        : document.createTextNode(part)));
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.append(...visible(text));
    return made;
  }

  // The folded numbers behind what is shown: made when they are first opened.
  function folded(title, content) {
    const made = document.createElement("details");
    made.append(element("summary", title));
    made.addEventListener("toggle", () => { if (made.open && made.childElementCount === 1) made.append(content()); });
    return made;
  }

  function box(nodes, label, language) {
    const made = document.createElement("pre");
    made.className = "text";
    made.dir = "auto";
    made.tabIndex = 0;
    made.setAttribute("role", "region");
    made.setAttribute("aria-label", label);
    if (language) made.lang = language;
    made.append(...nodes);
    return made;
  }

  // --- Differences: the longest common subsequence of words, or of characters as readers see them.

  function units(text, by, language) {
    let segmenter;
    const granularity = by === "words" ? "word" : "grapheme";
    try {
      segmenter = new Intl.Segmenter(language || undefined, { granularity });
    } catch {
      segmenter = new Intl.Segmenter(undefined, { granularity });
    }
    return Array.from(segmenter.segment(text), ({ segment }) => segment);
  }

  function common(a, b) {
    const width = b.length + 1;
    const lengths = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i -= 1) {
      for (let j = b.length - 1; j >= 0; j -= 1) {
        lengths[i * width + j] = a[i] === b[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
      }
    }
    return (i, j) => lengths[i * width + j];
  }

  // The nodes of `text` with what `base` has not, and what only that has; null where both are too long.
  function difference(base, text, by, language) {
    let a = units(base, by, language), b = units(text, by, language);
    let same = 0, end = 0;
    while (same < a.length && same < b.length && a[same] === b[same]) same += 1;
    while (end < a.length - same && end < b.length - same && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
    const before = b.slice(0, same).join(""), after = b.slice(b.length - end).join("");
    a = a.slice(same, a.length - end);
    b = b.slice(same, b.length - end);
    if (a.length > LONGEST_DIFFERENCE || b.length > LONGEST_DIFFERENCE) return null;
    return [...visible(before), ...changes(a, b), ...visible(after)];
  }

  function changes(a, b) {
    const left = common(a, b);
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
      else if (j === b.length || (i < a.length && left(i + 1, j) >= left(i, j + 1))) { put("del", a[i]); i += 1; }
      else { put("ins", b[j]); j += 1; }
    }
    put("end", "");
    return nodes;
  }

  return { amount, visible, mark, element, folded, box, difference };
})();
