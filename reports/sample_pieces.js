// The packed pieces of the sample pages: in the page itself, or scripts beside it that call
// evalharnessShard. Scores and flags stay in memory as typed arrays; of texts and tokens only the
// latest pieces are kept.
const samplePieces = (() => {
  const KEPT_PIECES = 6;
  const waiting = new Map(), loading = new Map(), decoded = new Map();
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

  const parse = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

  // The items of a piece, as many as it holds.
  function items(name) {
    if (!decoded.has(name)) decoded.set(name, unpack(name).then(parse));
    const found = decoded.get(name);
    decoded.delete(name);
    decoded.set(name, found);
    while (decoded.size > KEPT_PIECES) decoded.delete(decoded.keys().next().value);
    return found;
  }

  // What one sample has in pieces that together hold an item for each; undefined without pieces.
  async function item(pieces, sample) {
    const piece = pieces.find(({ first, count }) => sample >= first && sample < first + count);
    return piece && (await items(piece.name))[sample - piece.first];
  }

  // Adds scores, flags, names and, where there are any, mean surprisals to what is known of a task.
  async function readTask(task) {
    if (task.scores) return task;
    const parts = await Promise.all(task.numbers.map((piece) => unpack(piece.name)));
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    task.numbers.forEach((piece, place) => bytes.set(parts[place], piece.first));
    const cells = task.models.length * task.shown;
    const ids = await Promise.all(task.ids.map(async (piece) => parse(await unpack(piece.name))));
    task.names = ids.flat();
    const ofFlags = task.surprising ? 8 * cells : 4 * cells;
    task.surprisals = task.surprising ? new Float32Array(bytes.buffer, 4 * cells, cells) : null;
    task.flagsOf = new Uint16Array(bytes.buffer, ofFlags, cells);
    task.scores = new Float32Array(bytes.buffer, 0, cells);
    return task;
  }

  return { items, item, readTask };
})();
