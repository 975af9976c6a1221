// Which samples are listed, and in which order. Whole columns are looped over, since a call for each
// of 100,000 samples would be felt.
const sampleOrder = (() => {
  const MISSING = 1 << 15;
  const part = (values, task, model) => values.subarray(model * task.shown, (model + 1) * task.shown);
  const column = (task, model) => part(task.scores, task, model);
  const upwards = (task) => task.higher_is_better || task.has_ideal;
  const greater = (one, other) => one.map((value, sample) => value > other[sample]);

  function isRight(task, model) {
    const best = Math.fround(task.best);
    return column(task, model).map((value) => (value === best ? 1 : 0));
  }

  function differing(task) {
    const first = new Float32Array(task.shown).fill(NaN), found = new Uint8Array(task.shown);
    task.models.forEach((_, model) => {
      const values = column(task, model);
      for (let sample = 0; sample < task.shown; sample += 1) {
        const value = values[sample];
        if (first[sample] !== first[sample]) first[sample] = value;
        else if (value === value && value !== first[sample]) found[sample] = 1;
      }
    });
    return found;
  }

  // The name of a pattern, and which samples match: given a task and the columns of A and B.
  const PATTERNS = {
    all: ["All samples", () => null],
    ab: ["A better than B", (task, a, b) => (upwards(task) ? greater(a, b) : greater(b, a))],
    ba: ["B better than A", (task, a, b) => (upwards(task) ? greater(b, a) : greater(a, b))],
    same: ["A and B equal", (_task, a, b) => a.map((value, sample) => value === b[sample])],
    right: ["A and B both right", (task, _a, _b, sides) => {
      const other = isRight(task, sides[1]);
      return isRight(task, sides[0]).map((value, sample) => value & other[sample]);
    }],
    wrong: ["Neither quite right", (task, a, b, sides) => {
      const one = isRight(task, sides[0]), other = isRight(task, sides[1]);
      return one.map((value, sample) => !value && !other[sample] && a[sample] === a[sample] && b[sample] === b[sample]);
    }],
    differ: ["Any two models differ", (task) => differing(task)],
  };

  function patterns(task) {
    const [higher, lower] = task.has_ideal ? ["A higher than B", "B higher than A"] : ["A better than B", "B better than A"];
    const words = { ab: higher, ba: lower };
    return Object.entries(PATTERNS)
      .filter(([key]) => task.best !== null || !["right", "wrong"].includes(key))
      .map(([key, [text]]) => [key, words[key] || text]);
  }

  function orders(task) {
    const better = task.has_ideal ? "higher" : "better";
    return [
      ["place", "As in the data"],
      ["ab", `A ${better} than B, most first`],
      ["ba", `B ${better} than A, most first`],
      ["difference", "Largest difference, either way"],
      ["low", "Lowest score of A"],
      ["high", "Highest score of A"],
      ...(task.surprisals ? [["surprising", "Most surprising to A"]] : []),
    ];
  }

  // What an order sorts by, the smallest first.
  function keys(task, kind, [modelA, modelB]) {
    const a = column(task, modelA), b = column(task, modelB);
    if (kind === "surprising") return part(task.surprisals, task, modelA).map((value) => -value);
    if (kind === "low") return a;
    if (kind === "high") return a.map((value) => -value);
    if (kind === "difference") return a.map((value, sample) => -Math.abs(value - b[sample]));
    const wanted = (kind === "ab") === upwards(task);
    return a.map((value, sample) => (wanted ? b[sample] - value : value - b[sample]));
  }

  // A key and a sample in one number, so that numbers can be sorted without a function: the bits of
  // the key, turned so that they sort as it does, before 21 bits of the sample. What is no number
  // comes last.
  const AS_NUMBER = new Float32Array(1), AS_BITS = new Uint32Array(AS_NUMBER.buffer), SAMPLES = 2 ** 21;

  function sorted(task, samples, kind, sides) {
    const values = keys(task, kind, sides);
    const numbers = new Float64Array(samples.length);
    for (let place = 0; place < samples.length; place += 1) {
      AS_NUMBER[0] = values[samples[place]] + 0;
      const bits = AS_BITS[0];
      const turned = AS_NUMBER[0] !== AS_NUMBER[0] ? 0xffffffff : bits >= 0x80000000 ? 0xffffffff - bits : bits + 0x80000000;
      numbers[place] = turned * SAMPLES + samples[place];
    }
    numbers.sort();
    const order = new Int32Array(numbers.length);
    for (let place = 0; place < order.length; place += 1) order[place] = numbers[place] % SAMPLES;
    return order;
  }

  // 1 for what lies in a range, whose ends may be missing; what has no value lies in none. Values have
  // single precision, in which an end as it is typed need not exist.
  function within(values, [low, high]) {
    const least = low === null ? -Infinity : low - 1e-6 * Math.max(1, Math.abs(low));
    const most = high === null ? Infinity : high + 1e-6 * Math.max(1, Math.abs(high));
    return values.map((value) => (value >= least && value <= most ? 1 : 0));
  }

  // Samples that match everything that is asked, in the order that is asked for:
  // { sides: [A, B], pattern, flag: its bit or 0, score, difference: ranges or null, order,
  //   text: of the name, found: a set of samples or null }
  function select(task, asked) {
    const [modelA, modelB] = asked.sides;
    const a = column(task, modelA), b = column(task, modelB);
    const flagsA = part(task.flagsOf, task, modelA), flagsB = part(task.flagsOf, task, modelB);
    const left = new Uint8Array(task.shown).fill(1);
    const keep = (matches) => { for (let sample = 0; sample < left.length; sample += 1) if (!matches[sample]) left[sample] = 0; };
    const matches = PATTERNS[asked.pattern][1](task, a, b, asked.sides);
    if (matches) keep(matches);
    if (asked.flag) keep(flagsA.map((flags, sample) => (flags | flagsB[sample]) & ~MISSING & asked.flag));
    if (asked.score) keep(within(a, asked.score));
    if (asked.difference) keep(within(a.map((value, sample) => value - b[sample]), asked.difference));
    const chosen = new Int32Array(task.shown);
    let count = 0;
    for (let sample = 0; sample < task.shown; sample += 1) {
      if (!left[sample]) continue;
      if (asked.found ? !asked.found.has(sample) : asked.text && !task.names[sample].toLowerCase().includes(asked.text)) continue;
      chosen[count] = sample;
      count += 1;
    }
    const matching = chosen.subarray(0, count);
    return asked.order === "place" ? matching : sorted(task, matching, asked.order, asked.sides);
  }

  return { patterns, orders, select, upwards };
})();
