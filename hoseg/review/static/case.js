// One case: the film, what was found, and what the reader says about it.

class Case {
  constructor(root, data, gallery) {
    this.root = root;
    this.data = data;
    this.gallery = gallery;
    this.selected = 0;
    this.hips = data.result.hips.length ? data.result.hips : this.sidesShown().map((side) => ({ side, empty: true }));
    this.viewer = new Viewer(data, `${data.result.image.patient_id || "no patient ID"} · ${viewName(data.result.image.view)} · ${day(data.result.image.study_date)}`);
    this.views = make("div", { class: "views" }, this.viewer.root);
    this.panel = make("section", { class: "panel", "aria-label": "Findings and review" });
    root.replaceChildren(this.views, this.panel);
    this.painter = new Painter(this.viewer, () => say("Mask changed: press S to save it."));
    this.fill();
    requestAnimationFrame(() => this.viewer.fit());
    this.addPrior();
    this.showHistory();
  }

  /** The hips to grade when the computer names none. */
  sidesShown() {
    const { side, view } = this.data.result.image;
    return side === "unknown" && view !== "ap_hip" ? ["right", "left"] : [side];
  }

  fill() {
    const { result } = this.data;
    this.hipBoxes = this.hips.map((hip, k) => this.hipBox(hip, k));
    this.comment = make("textarea", { "aria-label": "Comment", maxlength: "4000", oninput: () => this.keepDraft() });
    this.offerDraft();
    this.past = make("ol", { class: "history" });
    const parts = [
      this.navigation(),
      make("h2", {}, "Film"),
      make("p", { class: "quiet" }, describeFilm(this.data)),
      remarks(result.notes),
      SETTINGS.blinded ? null : this.legend(),
      result.status === "abstained" ? make("p", { class: "badge abstained" }, result.sentence || words(result.reason)) : null,
      this.displayTools(),
      make("h2", {}, "Hips"), ...this.hipBoxes,
      make("h2", {}, "Ossification mask"), this.maskTools(),
      make("h2", {}, "Comment and signature"), this.comment,
      make("div", { class: "row" },
        this.button("Save comment", "", () => this.saveComment()),
        this.button("Sign this case", "Enter", () => this.sign())),
      make("h2", {}, "History"), this.past];
    this.panel.replaceChildren(...parts.filter(Boolean));
    this.select(0);
  }

  legend() {
    const shown = Object.entries(this.data.outlines).filter(([, polygons]) => polygons.length);
    return make("ul", { class: "legend", "aria-label": "Colours of the outlines" },
      ...shown.map(([name]) => make("li", {}, make("span", { class: `swatch ${name}` }), name)));
  }

  button(text, key, action, attributes = {}) {
    return make("button", { type: "button", onclick: action, ...attributes }, text, key ? " " : null, key ? make("kbd", {}, key) : null);
  }

  navigation() {
    return make("div", { class: "tools" },
      this.button("Gallery", "Esc", () => app.close()),
      this.button("Previous", "K", () => app.step(-1)),
      this.button("Next", "J", () => app.step(1)));
  }

  displayTools() {
    const names = [["Outlines", "O", "outlines"], ["Fill", "F", "fill"], ["Gap", "G", "gap"]];
    if (SETTINGS.blinded) names[1][0] = "My mask";
    this.toggles = names.filter(([, , name]) => !SETTINGS.blinded || name === "fill").map(([text, key, name]) =>
      this.button(text, key, () => this.toggle(name), { "aria-pressed": String(drawn[name]), "data-name": name }));
    this.priorButton = this.button("Prior", "V", () => this.togglePrior(), { "aria-pressed": "true", hidden: true });
    return make("div", { class: "tools" }, ...this.toggles, this.priorButton,
      this.button("Invert", "I", () => { levels.inverted = !levels.inverted; applyLevels(); }),
      this.button("Reset", "R", () => this.reset()));
  }

  reset() {
    resetWindow();
    this.viewer.fit();
    this.other?.fit();
  }

  toggle(name) {
    drawn[name] = !drawn[name];
    this.toggles.forEach((t) => t.setAttribute("aria-pressed", String(drawn[t.dataset.name])));
    this.viewer.refresh();
    this.other?.refresh();
    if (name === "fill") this.painter.canvas.hidden = !drawn.fill;
  }

  hipBox(hip, k) {
    const name = hipName(hip.side);
    const box = make("article", { class: "hip", "aria-label": name, onclick: () => this.select(k), onfocusin: () => this.select(k) });
    const computed = hip.classes?.brooker;
    const given = hip.empty ? "" : computed == null ? ": not graded" : `: Brooker ${ROMAN[computed]}`;
    box.append(make("h3", {}, name + given));
    if (!hip.empty) box.append(make("p", {}, hip.summary || ""));
    this.classButtons(box, hip, k);
    if (!hip.empty) box.append(...facts(hip));
    return box;
  }

  classButtons(box, hip, k) {
    const computed = hip.classes?.brooker;
    const row = make("div", { class: "row", role: "group", "aria-label": `Brooker class, ${hip.side} hip` },
      ...ROMAN.map((roman, grade) => make("button", {
        type: "button", class: grade === computed ? "class computed" : "class", "aria-pressed": "false", "data-grade": grade,
        "aria-label": `Brooker ${roman}${grade === computed ? ", the computer's class" : ""}`,
        onclick: () => { this.select(k); this.grade(grade); },
      }, roman)));
    const tools = make("div", { class: "row" });
    if (computed != null) tools.append(this.button(`Accept ${ROMAN[computed]}`, "A", () => { this.select(k); this.accept(); }));
    if (this.bones(hip)) tools.append(this.button("False ossification", "X", () => { this.select(k); this.falsified(); }));
    if (!SETTINGS.blinded) tools.append(this.button("Missed", "M", () => { this.select(k); this.missed(); }));
    box.append(row, tools);
  }

  select(k) {
    this.selected = Math.max(0, Math.min(this.hips.length - 1, k));
    this.hipBoxes.forEach((box, n) => box.classList.toggle("selected", n === this.selected));
  }

  get hip() {
    return this.hips[this.selected];
  }

  accept() {
    const computed = this.hip.classes?.brooker;
    if (computed == null) say("There is no class to accept: choose one with 0 to 4.", true);
    else this.grade(computed);
  }

  /** Whether the computer found ossification at a hip. */
  bones(hip) {
    return (hip.components || []).some((piece) => piece.graded);
  }

  falsified() {
    if (this.bones(this.hip)) this.save("false_ossification", this.hip.side);
    else say("The computer found no ossification at this hip.", true);
  }

  grade(value) {
    this.save("grade", this.hip.side, String(value));
  }

  missed() {
    this.painter.placed = (row, column) => {
      this.setMode("point");
      this.save("missed_ossification", this.hip.side, `${row.toFixed(1)},${column.toFixed(1)}`);
    };
    this.setMode("point");
    if (this.painter.mode) say("Click the missed ossification (or move with the arrow keys and press space).");
  }

  /** Save the comment, once however often it is asked for; whether nothing is left to save. */
  saveComment() {
    this.savingComment ??= this.sendComment().finally(() => { this.savingComment = null; });
    return this.savingComment;
  }

  async sendComment() {
    const text = this.comment.value.trim();
    if (!text) return true;
    if (!await this.save("comment", "", text)) return false;
    if (this.comment.value.trim() === text) this.comment.value = "";
    this.keepDraft();
    return true;
  }

  /** Let the browser keep what was typed and not saved, for after a reload or a crash. */
  keepDraft() {
    if (this.draft) localStorage.removeItem(this.draft);
    this.draft = this.draftPlace();
    try {
      if (this.comment.value.trim()) localStorage.setItem(this.draft, this.comment.value);
    } catch (error) {
      say(`The comment is not kept until you save it: ${error.message}`, true);
    }
  }

  offerDraft() {
    this.draft = this.draftPlace();
    const text = localStorage.getItem(this.draft);
    if (!text) return;
    this.comment.value = text;
    say("A comment that you had not saved is back in its box.");
  }

  draftPlace() {
    return `hoseg-draft ${location.pathname} ${SETTINGS.blinded} ${readerName()} ${this.data.id}`;
  }

  async sign() {
    const open = this.hips.filter((hip, k) => !this.hipBoxes[k].querySelector('.class[aria-pressed="true"]'));
    if (!await this.saveComment() || !await this.save("sign", "")) return;
    app.markDone();
    if (open.length) say(`Signed. You gave no class to: ${open.map((hip) => hipName(hip.side).toLowerCase()).join(", ")}.`);
  }

  maskTools() {
    const mode = (text, key, name) => this.button(text, key, () => this.setMode(name), { "aria-pressed": "false", "data-mode": name });
    this.modes = [mode("Brush", "B", "brush"), mode("Erase", "E", "eraser"), mode("Polygon", "P", "polygon")];
    const tools = make("div", { class: "tools" }, ...this.modes,
      this.button("Smaller", ",", () => this.painter.setRadius(0.8)),
      this.button("Larger", ".", () => this.painter.setRadius(1.25)),
      this.button("Undo", "Z", () => this.painter.undo()),
      this.button("Save mask", "S", () => this.saveMask()));
    if (SETTINGS.served) return tools;
    return make("div", {}, tools, make("p", { class: "quiet" }, "Opened from disk: this browser keeps what you say. Download it from the gallery, then: hoseg review FOLDER --import corrections.json. To save straight into the run, start: hoseg review FOLDER."));
  }

  setMode(name) {
    this.painter.setMode(name);
    this.modes?.forEach((b) => b.setAttribute("aria-pressed", String(this.painter.mode === b.dataset.mode)));
    if (this.painter.mode === "polygon") say("Click corners, Enter closes the polygon.");
    this.viewer.root.focus();
  }

  async saveMask() {
    const saved = await this.save("mask", "", "", await this.painter.png());
    if (saved) this.painter.dirty = false;
    return saved;
  }

  /** Whether something would be lost if the page were closed now. */
  get unsaved() {
    return this.painter.dirty || Boolean(this.comment.value.trim());
  }

  /** Whether this case may be left: what is not saved is saved first, so that no work is lost. */
  async leave() {
    return (!this.painter.dirty || await this.saveMask()) && this.saveComment();
  }

  async save(kind, side, value = "", mask_png = null) {
    const saved = await store.save({ image: this.data.id, kind, side, value, reader: readerName() }, mask_png);
    if (saved) this.showHistory();
    return saved;
  }

  async showHistory() {
    const entries = await store.history(this.data.id);
    this.past.replaceChildren(...entries.map((entry) => this.told(entry)));
    const standing = entries.filter((e) => !e.withdrawn);
    this.hips.forEach((hip, k) => {
      const mine = standing.filter((e) => e.kind === "grade" && e.side === hip.side && e.reader === readerName()).pop();
      this.hipBoxes[k].querySelectorAll(".class").forEach((b) => b.setAttribute("aria-pressed", String(mine?.value === b.dataset.grade)));
    });
    this.viewer.marks(standing.filter((e) => e.kind === "missed_ossification").map((e) => e.value.split(",").map(Number)));
  }

  /** A line of the history; what this reader said can be withdrawn. */
  told(entry) {
    const text = `${entry.time.slice(0, 16).replace("T", " ")} UTC, ${entry.reader}: ${told(entry)}`;
    const own = entry.reader === readerName() && entry.kind !== "withdraw" && !entry.withdrawn;
    return make("li", {}, entry.withdrawn ? make("s", {}, text) : text, own ? " " : null,
      own ? make("button", { type: "button", onclick: () => this.withdraw(entry), "aria-label": `Withdraw: ${told(entry)}` }, "Withdraw") : null);
  }

  async withdraw(entry) {
    if (!await store.withdraw(entry)) return;
    await this.showHistory();
    app.markDone();
    this.viewer.root.focus();
  }

  async addPrior() {
    const prior = this.gallery.prior(this.data.id);
    if (!prior || SETTINGS.blinded) return;
    let data;
    try {
      data = await loadCase(prior.id);
    } catch (error) {
      return say(error.message, true);
    }
    const gap = (h) => (!h.gap ? "" : ` (gap ${h.gap.toFixed(1)} mm)`);
    const grades = prior.hips.filter((h) => h.brooker != null).map((h) => `${h.side} ${ROMAN[h.brooker]}${gap(h)}`).join(", ");
    this.other = new Viewer(data, `prior of ${day(prior.date)} · ${grades || "not graded"}`);
    this.views.append(this.other.root);
    this.priorButton.hidden = false;
    requestAnimationFrame(() => { this.viewer.fit(); this.other.fit(); });
  }

  togglePrior() {
    if (!this.other) return say("There is no earlier film of this patient and side in this run.");
    const { root } = this.other;
    if (root.contains(document.activeElement)) this.viewer.root.focus();
    root.hidden = !root.hidden;
    this.priorButton.setAttribute("aria-pressed", String(!root.hidden));
    this.viewer.fit();
    this.other.fit();
  }

  /** The film that the keys zoom and pan: the one with the focus. */
  get inFocus() {
    return this.other?.root.contains(document.activeElement) ? this.other : this.viewer;
  }

  key(event) {
    const key = event.key.toLowerCase();
    const actions = {
      o: () => this.toggle("outlines"), f: () => this.toggle("fill"), g: () => this.toggle("gap"),
      i: () => { levels.inverted = !levels.inverted; applyLevels(); },
      r: () => this.reset(), a: () => this.accept(), m: () => this.missed(), v: () => this.togglePrior(),
      x: () => this.falsified(), b: () => this.setMode("brush"),
      e: () => this.setMode("eraser"), p: () => this.setMode("polygon"), s: () => this.saveMask(),
      z: () => this.painter.undo(), ",": () => this.painter.setRadius(0.8), ".": () => this.painter.setRadius(1.25),
      "+": () => this.inFocus.zoomMiddle(1.25), "-": () => this.inFocus.zoomMiddle(0.8), "=": () => this.inFocus.zoomMiddle(1.25),
      h: () => this.select((this.selected + 1) % this.hips.length), enter: () => this.sign(),
      w: () => changeWindow(-20, 0), q: () => changeWindow(20, 0), d: () => changeWindow(0, 12), c: () => changeWindow(0, -12),
    };
    if (SETTINGS.blinded && "oagxmv".includes(key)) return false; // about what the computer found
    if (/^[0-4]$/.test(key)) this.grade(Number(key));
    else if (this.painter.key(event)) return true;
    else if (key.startsWith("arrow")) {
      const way = { arrowup: [0, 60], arrowdown: [0, -60], arrowleft: [60, 0], arrowright: [-60, 0] }[key];
      this.inFocus.pan(...way);
    } else if (actions[key]) actions[key]();
    else return false;
    return true;
  }
}
