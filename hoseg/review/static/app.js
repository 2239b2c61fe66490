// Saving, keys, and moving between the gallery and a case.

const readerBox = document.getElementById("reader");
const readerName = () => readerBox.value.trim();

function say(text, bad = false) {
  const message = document.getElementById("message");
  message.textContent = text;
  message.classList.toggle("bad", bad);
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { message.textContent = ""; }, bad ? 8000 : 4000);
}

/** What was said, in words. */
function told({ kind, side, value }) {
  const about = side ? `, ${hipName(side).toLowerCase()}` : "";
  if (kind === "grade") return `Brooker ${ROMAN[value]}${about}`;
  if (kind === "missed_ossification") return `missed ossification${about}, at row and column ${value.replace(",", ", ")}`;
  if (kind === "withdraw") return `number ${value} withdrawn`;
  const plain = { mask: "ossification mask", sign: "signed", comment: `“${value}”` };
  return (plain[kind] || words(kind)) + about;
}

// Served: the history of the run. From disk: this browser's storage, to be downloaded.
const store = {
  async save(correction, mask_png) {
    if (!correction.reader) {
      say("Write your name into the field Reader first.", true);
      readerBox.focus();
      return false;
    }
    const said = mask_png ? { ...correction, mask_png } : correction;
    if (!SETTINGS.served) return this.saveHere(said);
    const body = JSON.stringify(said);
    try {
      const answer = await fetch("api/review", { method: "POST", body, headers: { "Content-Type": "application/json" } });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      say(correction.kind === "withdraw" ? "Withdrawn; the history keeps it." : `Saved: ${told(correction)}.`);
      return true;
    } catch (error) {
      say(`Not saved: ${error.message}. Is hoseg review still running?`, true);
      return false;
    }
  },
  place: `hoseg-review ${location.pathname}`,
  here() {
    return JSON.parse(localStorage.getItem(this.place) || "[]");
  },
  saveHere(correction) {
    try {
      // The browser keeps little: of the masks of a reader for an image only the newest.
      const old = (e) => correction.kind === "mask" && e.kind === "mask" && e.image === correction.image && e.reader === correction.reader;
      const all = [...this.here().filter((e) => !old(e)), { ...correction, time: new Date().toISOString() }];
      localStorage.setItem(this.place, JSON.stringify(all));
    } catch (error) {
      say(`Not kept: ${error.message}`, true);
      return false;
    }
    say(`Kept by this browser only: ${told(correction)}. Download before you leave.`);
    return true;
  },
  async history(image) {
    if (!SETTINGS.served) return this.here().filter((entry) => !image || entry.image === image);
    const query = new URLSearchParams({ ...(image && { image }), reader: readerName() });
    const answer = await fetch(`api/history?${query}`);
    return answer.ok ? answer.json() : [];
  },
  /** Take something back: it stays in the history of the run, but no longer counts. */
  async withdraw(entry) {
    if (SETTINGS.served) return this.save({ image: entry.image, kind: "withdraw", reader: readerName(), value: String(entry.number) });
    localStorage.setItem(this.place, JSON.stringify(this.here().filter((e) => e.time !== entry.time)));
    say("Taken back.");
    return true;
  },
  /** A correction by this reader's newest mask, as base64 PNG, or nothing. */
  maskHere(image) {
    return this.here().findLast((e) => e.kind === "mask" && e.image === image && e.reader === readerName())?.mask_png;
  },
  offer(text, type, name) {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  },
  /** Everything said here, masks too, for: hoseg review RUN --import FILE */
  downloadAll() {
    const corrections = this.here();
    if (!corrections.length) return say("Nothing is kept by this browser yet.", true);
    this.offer(JSON.stringify({ schema_id: "hoseg-corrections-1", corrections }), "application/json", "corrections.json");
  },
  downloadGrades() {
    // A spreadsheet must not run a cell as a formula.
    const quote = (text) => `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
    const entries = new Map(INDEX.map((entry) => [entry.id, entry]));
    const rows = this.here().filter((e) => e.kind === "grade" && entries.has(e.image)).map((e) => {
      const { source, sop, patient, id } = entries.get(e.image);
      return [source, sop, patient, id, e.side, e.value, e.reader, e.time, 0];
    });
    const newest = [...new Map(rows.map((row) => [JSON.stringify([row[3], row[4], row[6]]), row])).values()];
    const text = [["image", "sop_uid", "patient", "folder", "side", "brooker", "reader", "time", "blinded"], ...newest].map((row) => row.map(quote).join(",")).join("\n");
    this.offer(text + "\n", "text/csv", "grades.csv");
  },
};

const app = {
  gallery: null,
  current: null,
  places: { gallery: document.getElementById("gallery"), case: document.getElementById("case") },

  start() {
    document.getElementById("disclaimer").textContent = SETTINGS.disclaimer + (SETTINGS.blinded ? " Blinded reading: no computer result is shown." : "");
    readerBox.value = localStorage.getItem("hoseg-reader") || "";
    readerBox.addEventListener("change", () => {
      localStorage.setItem("hoseg-reader", readerName());
      this.changeReader();
    });
    if (SETTINGS.served) history.replaceState(null, "", location.pathname + location.hash); // no token in view
    addEventListener("beforeunload", (event) => this.current?.unsaved && event.preventDefault());
    this.gallery = new Gallery(this.places.gallery, INDEX, (id) => { location.hash = id; });
    if (!SETTINGS.served) this.gallery.root.querySelector(".filters").append(
      make("button", { type: "button", onclick: () => store.downloadGrades() }, "Download my grades"),
      make("button", { type: "button", onclick: () => store.downloadAll(), title: "Grades, marks, comments and masks, for: hoseg review FOLDER --import corrections.json" }, "Download all corrections"));
    this.fillHelp();
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("resize", () => { this.current?.viewer.fit(); this.current?.other?.fit(); });
    this.markDone();
    this.route();
  },

  async markDone() {
    const entries = await store.history("");
    // A signature of a reader study is no review, nor the other way round.
    const counts = (e) => e.kind === "sign" && !e.withdrawn && Boolean(e.blinded) === SETTINGS.blinded;
    this.gallery.setDone(entries.filter(counts).map((e) => e.image));
  },

  /** Show the work of the reader named now; a mask that was not saved stays for whoever saves it. */
  changeReader() {
    this.markDone();
    if (!this.current || this.current.painter.dirty || this.current.comment.value) return this.current?.showHistory();
    this.current = new Case(this.places.case, this.current.data, this.gallery);
  },

  async route() {
    const id = location.hash.slice(1);
    if (id === this.current?.data.id) return;
    if (this.current && !await this.current.leave()) {
      location.hash = this.current.data.id;
      return;
    }
    if (!id) return this.showGallery();
    if (!INDEX.some((entry) => entry.id === id)) return this.close();
    try {
      const data = await loadCase(id);
      if (location.hash.slice(1) !== id) return; // the reader has gone on
      this.places.gallery.hidden = true;
      this.places.case.hidden = false;
      this.current = new Case(this.places.case, data, this.gallery);
      this.current.viewer.root.focus();
    } catch (error) {
      say(error.message, true);
    }
  },

  showGallery() {
    const last = this.current?.data.id;
    this.current = null;
    this.places.case.hidden = true;
    this.places.gallery.hidden = false;
    this.gallery.show();
    if (last) this.gallery.focus(last);
  },

  close() {
    location.hash = "";
  },

  step(by) {
    const id = this.current && this.gallery.neighbour(this.current.data.id, by);
    if (id) location.hash = id;
    else say(by > 0 ? "This is the last one." : "This is the first one.");
  },

  key(event) {
    const typing = event.target.matches("input, textarea, select");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else if (this.current?.painter?.mode) this.current.setMode(this.current.painter.mode);
      else if (!document.getElementById("help").open) this.close();
      return;
    }
    if (typing || event.altKey || event.metaKey || document.getElementById("help").open) return;
    if (event.ctrlKey && !event.key.startsWith("Arrow")) return;
    if (event.target.matches("button, summary") && (event.key === "Enter" || event.key === " ")) return;
    if (event.key === "?") return document.getElementById("help").showModal();
    const key = event.key.toLowerCase();
    if (!this.current) {
      if (key === "j" || key === "k") this.gallery.step(key === "j" ? 1 : -1);
      return;
    }
    if (key === "j") this.step(1);
    else if (key === "k") this.step(-1);
    else if (!this.current.key(event)) return;
    event.preventDefault();
  },

  fillHelp() {
    const seen = [["A", "accept the computer's class"], ["X", "ossification is false"], ["M", "mark a missed ossification"], ["V", "show or hide the prior"]];
    const keys = [
      ["J, K", "next, previous case"], ["Esc", "back to the gallery, leave a tool"], ["0 1 2 3 4", "class of the selected hip"],
      ["H", "select the other hip"], ...(SETTINGS.blinded ? [] : seen),
      SETTINGS.blinded ? ["F", "show or hide the mask"] : ["O, F, G", "outlines, fill, gap line"], ["I", "invert grey levels"], ["W, Q, D, C", "window narrower, wider; brighter, darker"],
      ["mouse", "drag pans, wheel zooms, right or Shift drag changes window and level, double click fits"],
      ["+, −, arrows", "zoom, pan the film that has the focus (Tab)"], ["R", "reset window and zoom"], ["B, E, P", "brush, eraser, polygon"],
      ["arrows, space", "with a tool: move its cursor, paint or set a corner; Ctrl and arrows draw"], [", .", "brush smaller, larger"],
      ["Enter", "close the polygon; without a tool: sign the case"], ["Z", "undo"], ["S", "save the mask"],
    ];
    const help = document.getElementById("help");
    help.append(make("h2", { id: "help-title" }, "Keys"), make("dl", {}, ...keys.flatMap(([k, v]) => [make("dt", {}, make("kbd", {}, k)), make("dd", {}, v)])),
      make("form", { method: "dialog" }, make("button", {}, "Close")));
    document.getElementById("help-button").addEventListener("click", () => help.showModal());
  },
};

app.start();
