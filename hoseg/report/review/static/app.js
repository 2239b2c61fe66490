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

// Served: the history of the run. From disk: this browser's storage, to be downloaded.
const store = {
  async save(correction, mask_png) {
    if (!correction.reader) {
      say("Write your name into the field Reader first.", true);
      readerBox.focus();
      return false;
    }
    if (!SETTINGS.served) return this.saveHere(correction);
    const body = JSON.stringify(mask_png ? { ...correction, mask_png } : correction);
    try {
      const answer = await fetch("api/review", { method: "POST", body, headers: { "Content-Type": "application/json" } });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      say(`Saved: ${words(correction.kind)} ${correction.side} ${correction.value}`);
      return true;
    } catch (error) {
      say(`Not saved: ${error.message}. Is hoseg review still running?`, true);
      return false;
    }
  },
  here() {
    return JSON.parse(localStorage.getItem("hoseg-review") || "[]");
  },
  saveHere(correction) {
    const all = [...this.here(), { ...correction, time: new Date().toISOString() }];
    localStorage.setItem("hoseg-review", JSON.stringify(all));
    say("Kept by this browser only. Download before you leave.");
    return true;
  },
  async history(image) {
    if (!SETTINGS.served) return this.here().filter((entry) => !image || entry.image === image);
    const answer = await fetch(`api/history?image=${encodeURIComponent(image || "")}`);
    return answer.ok ? answer.json() : [];
  },
  download() {
    const quote = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const patients = new Map(INDEX.map((entry) => [entry.id, entry.patient]));
    const rows = this.here().filter((e) => e.kind === "grade").map((e) => [patients.get(e.image) || "", e.image, e.side, e.value, e.reader, e.time, 0]);
    const newest = [...new Map(rows.map((row) => [row[1] + row[2] + row[4], row])).values()];
    const text = [["patient", "image", "side", "brooker", "reader", "time", "blinded"], ...newest].map((row) => row.map(quote).join(",")).join("\n");
    const link = make("a", { href: URL.createObjectURL(new Blob([text + "\n"], { type: "text/csv" })), download: "grades.csv" });
    link.click();
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
      this.current?.showHistory();
    });
    this.gallery = new Gallery(this.places.gallery, INDEX, (id) => { location.hash = id; });
    if (!SETTINGS.served) this.gallery.root.querySelector(".filters").append(make("button", { type: "button", onclick: () => store.download() }, "Download my grades"));
    this.fillHelp();
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("resize", () => { this.current?.viewer.fit(); this.current?.other?.fit(); });
    store.history("").then((entries) => entries.filter((e) => e.kind === "sign").forEach((e) => this.gallery.markDone(e.image)));
    this.route();
  },

  async route() {
    const id = decodeURIComponent(location.hash.slice(1));
    if (!id) return this.showGallery();
    if (!INDEX.some((entry) => entry.id === id)) return this.close();
    try {
      const data = await loadCase(id);
      this.places.gallery.hidden = true;
      this.places.case.hidden = false;
      this.current = new Case(this.places.case, data, this.gallery);
      this.current.viewer.root.focus();
    } catch (error) {
      say(error.message, true);
    }
  },

  showGallery() {
    this.current = null;
    this.places.case.hidden = true;
    this.places.gallery.hidden = false;
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
    if (!this.current) return;
    const key = event.key.toLowerCase();
    if (key === "j") this.step(1);
    else if (key === "k") this.step(-1);
    else if (!this.current.key(event)) return;
    event.preventDefault();
  },

  fillHelp() {
    const keys = [
      ["J, K", "next, previous case"], ["Esc", "back to the gallery, leave a tool"], ["0 1 2 3 4", "class of the selected hip"],
      ["A", "accept the computer's class"], ["H", "select the other hip"], ["X", "ossification is false"], ["M", "mark a missed ossification"],
      ["O, F, G", "outlines, fill, gap line"], ["I", "invert grey levels"], ["W, Q, D, C", "window narrower, wider; brighter, darker"],
      ["mouse", "drag pans, wheel zooms, right or Shift drag changes window and level, double click fits"],
      ["+, −, arrows", "zoom, pan"], ["R", "reset window and zoom"], ["B, E, P", "brush, eraser, polygon"],
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
