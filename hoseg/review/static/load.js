// Cases come as scripts, which a page opened from disk may load although it may fetch no file.

const waiting = new Map();

/** Called by each case.js file. */
function hosegCase(data) {
  waiting.get(data.id)?.(data);
  waiting.delete(data.id);
}

/** Load a case by its script, which also works from disk. */
function loadCase(id) {
  return new Promise((resolve, reject) => {
    waiting.set(id, resolve);
    const script = make("script", { src: fileOf(id, "case.js") });
    script.onerror = () => reject(new Error(`${id}: case.js cannot be read`));
    script.onload = () => script.remove();
    document.head.append(script);
  });
}
