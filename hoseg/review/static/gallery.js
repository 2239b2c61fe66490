// The gallery: every image as a card, what needs a person most first.

/** Make an element. Text is always set as text, so that no value can become markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const ROMAN = ["0", "I", "II", "III", "IV"];
const day = (date) => (date ? date.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3") : "no date");
const words = (code) => String(code || "").replaceAll("_", " ");
const VIEWS = {
  ap_pelvis: "AP pelvis", ap_hip: "AP hip", frog_leg: "frog-leg lateral", cross_table: "cross-table lateral", judet: "Judet",
  other: "other view", unknown: "view unknown",
};
const viewName = (view) => VIEWS[view] || words(view);
const hipName = (side) => (side === "unknown" ? "Hip, side unknown" : `${side[0].toUpperCase()}${side.slice(1)} hip`);
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
const fileOf = (id, name) => id.split("/").map(encodeURIComponent).join("/") + "/" + name;

const PORTION = 60; // cards drawn at a time: thousands at once would keep the reader waiting

class Gallery {
  constructor(root, entries, open) {
    this.root = root;
    this.entries = entries;
    this.open = open;
    this.reviewed = new Set();
    this.filters = { text: "", status: "", grade: "", implant: "", view: "", review: "" };
    this.list = make("ul", { class: "cards" });
    this.end = make("div");
    this.count = make("span", { class: "quiet", role: "status" });
    this.cards = new Map();
    root.append(this.bar(), this.list, this.end);
    this.watcher = new IntersectionObserver((seen) => {
      if (!seen.some((one) => one.isIntersecting) || this.drawn >= this.shown.length) return;
      this.draw(this.drawn + PORTION);
      this.watch();
    }, { root, rootMargin: "1500px" });
    this.show();
  }

  bar() {
    const choice = (label, key, options) =>
      make("label", {}, label, make("select", { onchange: (e) => this.set(key, e.target.value) },
        ...options.map(([value, text]) => make("option", { value }, text))));
    const views = [...new Set(this.entries.map((entry) => entry.view))].sort();
    const plain = [choice("View", "view", [["", "all"], ...views.map((v) => [v, viewName(v)])])];
    const found = SETTINGS.blinded ? [] : [
      choice("Status", "status", [["", "all"], ["graded", "graded"], ["abstained", "abstained"]]),
      choice("Class", "grade", [["", "all"], ...ROMAN.map((r, k) => [String(k), "Brooker " + r]), ["severe", "severe: III or IV"]]),
      choice("Implant", "implant", [["", "all"], ["yes", "with"], ["no", "without"]]),
    ];
    const review = choice("Review", "review", [["", "all"], ["open", "open"], ["done", "done"]]);
    const search = make("label", {}, "Patient or study", make("input", {
      type: "search", oninput: (e) => this.set("text", e.target.value.toLowerCase()),
    }));
    return make("div", { class: "filters", role: "search" }, ...found, ...plain, review, search, this.count);
  }

  set(key, value) {
    this.filters[key] = value;
    this.show();
  }

  fits(entry) {
    const f = this.filters;
    const text = (entry.patient + " " + entry.id).toLowerCase();
    return (!f.text || text.includes(f.text)) && (!f.status || entry.status === f.status)
      && (!f.grade || entry.hips.some((hip) => (f.grade === "severe" ? (hip.brooker ?? hip.least) >= 3 : String(hip.brooker) === f.grade)))
      && (!f.implant || entry.implant === (f.implant === "yes")) && (!f.view || entry.view === f.view)
      && (!f.review || this.reviewed.has(entry.id) === (f.review === "done"));
  }

  show() {
    this.shown = this.entries.filter((entry) => this.fits(entry));
    this.list.replaceChildren();
    this.drawn = 0;
    this.draw(PORTION);
    this.watch();
    this.count.textContent = `${this.shown.length} of ${this.entries.length} images`;
  }

  /** Be told when the end comes near, also when it is near already. */
  watch() {
    this.watcher.unobserve(this.end);
    this.watcher.observe(this.end);
  }

  /** Draw the cards that are shown, up to this many. */
  draw(count) {
    if (count <= this.drawn) return;
    this.list.append(...this.shown.slice(this.drawn, count).map((entry) => this.cardOf(entry)));
    this.drawn = Math.min(count, this.shown.length);
  }

  cardOf(entry) {
    if (!this.cards.has(entry.id)) this.cards.set(entry.id, this.card(entry));
    return this.cards.get(entry.id);
  }

  card(entry) {
    const badges = make("span", { class: "line" });
    if (this.reviewed.has(entry.id)) badges.append(this.doneBadge());
    if (entry.status === "abstained" && !entry.hips.length) badges.append(make("span", { class: "badge abstained" }, "not graded"));
    badges.append(...entry.hips.map((hip) => this.hipBadge(hip)));
    return make("li", { class: "card" }, make("button", { type: "button", onclick: () => this.open(entry.id) },
      make("img", { src: fileOf(entry.id, "thumb.jpg"), loading: "lazy", decoding: "async", alt: `Film of ${entry.patient || "unnamed patient"}` }),
      badges,
      make("span", { class: "quiet" }, entry.patient || "no patient ID"),
      make("span", { class: "quiet" }, make("span", { class: "whole" }, day(entry.date)), ` · ${viewName(entry.view)}`),
      entry.reason ? make("span", { class: "quiet" }, words(entry.reason)) : null));
  }

  hipBadge(hip) {
    const side = hip.side === "unknown" ? "?" : hip.side[0].toUpperCase();
    const sure = hip.percent == null ? "" : ` ${hip.percent} %`;
    const [shown, spoken, look] = hip.brooker != null
      ? [ROMAN[hip.brooker] + sure, `Brooker ${ROMAN[hip.brooker]}, probability${sure || " unknown"}`, hip.brooker >= 3 ? " severe" : ""]
      : hip.least != null ? [`at least ${ROMAN[hip.least]}`, `not graded, at least Brooker ${ROMAN[hip.least]}`, " abstained"]
        : ["not graded", "not graded", " abstained"];
    return make("span", { class: "badge" + look },
      make("span", { "aria-hidden": "true" }, `${side} ${shown}`), make("span", { class: "spoken" }, `${hipName(hip.side)}, ${spoken}. `));
  }

  /** Move the focus from card to card. */
  step(by) {
    const at = [...this.list.children].findIndex((card) => card.contains(document.activeElement));
    this.focus(this.shown[at < 0 ? 0 : Math.max(0, Math.min(this.shown.length - 1, at + by))]?.id);
  }

  focus(id) {
    this.draw(this.shown.findIndex((entry) => entry.id === id) + 1);
    this.cards.get(id)?.querySelector("button").focus();
  }

  doneBadge() {
    return make("span", { class: "badge done" }, "reviewed");
  }

  /** Images that somebody (in a blinded reading: this reader) has signed. */
  setDone(ids) {
    this.reviewed = new Set(ids);
    this.cards.clear();
    if (!this.root.hidden) this.show();
  }

  neighbour(id, step) {
    const at = this.shown.findIndex((entry) => entry.id === id);
    return this.shown[at + step]?.id;
  }

  /** The newest earlier image of the same patient and side, for comparison; the same view first. */
  prior(id) {
    const now = this.entries.find((entry) => entry.id === id);
    if (!now?.patient || !now.date) return null;
    const sides = (e) => e.side === now.side || e.side === "unknown" || now.side === "unknown";
    return this.entries.filter((e) => e.patient === now.patient && e.date && e.date < now.date && sides(e))
      .sort((a, b) => (b.view === now.view) - (a.view === now.view) || b.date.localeCompare(a.date))[0] || null;
  }
}
