// What the computer found, in words.

const CALIBRATIONS = {
  fiducial: "calibrated with an object in the film", implant_head: "from the implant head", user: "given by the user", user_override: "given by the user in place of what the file carries",
  geometry: "corrected by the device for an assumed depth", magnification: "detector spacing over the stated magnification",
  assumed_magnification: "detector spacing over an assumed magnification", untyped: "spacing of unknown meaning over an assumed magnification",
};

function describeFilm({ result, rows, columns }) {
  const image = result.image;
  const spacing = image.spacing;
  const scale = spacing ? `${spacing.row_mm.toFixed(3)} mm a pixel (${CALIBRATIONS[spacing.source] || words(spacing.source)})` : "no millimetre calibration";
  const side = image.side === "unknown" ? [] : [image.side];
  return sentence([viewName(image.view), ...side, day(image.study_date), `${rows} × ${columns} pixels`, scale].join(", "));
}

/** Remarks on the film or on a hip, folded away where they would push the classes out of view. */
function remarks(notes) {
  if (!notes?.length) return null;
  return make("details", { open: innerHeight > 1400 }, make("summary", {}, `Remarks (${notes.length})`),
    make("ul", { class: "trace" }, ...notes.map((note) => make("li", {}, sentence(note.text)))));
}

/** What the computer found at a hip, as paragraphs. */
function facts(hip) {
  const parts = [];
  if (hip.pattern) parts.push(make("p", { class: "quiet" }, `Pattern: ${words(hip.pattern)}.`));
  if (hip.gap_mm != null && !/gap|joins/.test(hip.summary)) {
    const range = hip.gap_interval_mm ? ` (${hip.gap_interval_mm.map((v) => v.toFixed(1)).join(" to ")})` : "";
    parts.push(make("p", { class: "quiet" }, `Gap ${hip.gap_mm.toFixed(1)} mm${range}.`));
  }
  const likely = (hip.percents || []).slice(0, ROMAN.length).map((percent, k) => [ROMAN[k], percent]).filter(([, percent]) => percent > 0);
  if (likely.length) parts.push(make("p", { class: "quiet" }, (hip.class_probabilities_from === "model" ? "Probability: " : "Share of random draws, not calibrated: ") + likely.map(([roman, percent]) => `class ${roman} ${percent} %`).join(", ") + "."));
  parts.push(remarks(hip.caveats), why(hip));
  return parts.filter(Boolean);
}

/** The rules in words: of each system the first that fires decides; of Brooker all that look at a number are shown. */
function why(hip) {
  const decided = new Set();
  const lines = [];
  for (const line of hip.trace || []) {
    const decides = line.fired && hip.classes?.[line.system] != null && !decided.has(line.system);
    if (decides) decided.add(line.system);
    const shown = line.system === "brooker" && !(decided.has("brooker") && !line.conditions.length);
    if (decides || shown) lines.push(make("li", { class: decides ? "fired" : "" }, (decides ? "✓ " : "") + line.sentence));
  }
  const others = Object.values(hip.counterfactuals || {}).map((text) => make("li", {}, text));
  return make("details", {}, make("summary", {}, "Why"), make("p", { class: "quiet" }, "Rules from the worst down; ✓ decides."),
    make("ul", { class: "trace" }, ...lines), others.length ? make("p", { class: "quiet" }, "What would change it:") : null,
    make("ul", { class: "trace" }, ...others));
}
