// Painting the ossification mask: brush, eraser and polygon, by mouse and by keyboard.

const PAINT = [255, 133, 41];

class Painter {
  constructor(viewer, changed) {
    this.viewer = viewer;
    this.changed = changed;
    this.mode = null; // "brush", "eraser", "polygon", "point" or null
    this.radius = Math.max(3, Math.round(Math.max(viewer.data.rows, viewer.data.columns) / 150));
    this.corners = [];
    this.undone = [];
    this.dirty = false;
    this.at = [viewer.data.rows / 2, viewer.data.columns / 2];
    this.canvas = make("canvas", { class: "mask", width: viewer.data.columns, height: viewer.data.rows });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.cursor = make("div", { class: "cursor", hidden: true });
    this.line = viewer.path("mark", "");
    viewer.stage.append(this.canvas);
    viewer.root.append(this.cursor);
    viewer.root.classList.add("editable");
    viewer.tool = this;
    viewer.moved = () => this.showCursor();
    viewer.root.addEventListener("pointermove", (e) => this.hover(e));
    this.ready = this.load();
  }

  touched() {
    this.dirty = true;
    this.changed();
  }

  /** The newest corrected mask, else the computer's; empty in a blinded reading. */
  async load() {
    const id = this.viewer.data.id;
    const own = await (SETTINGS.served
      ? picture(`api/mask?image=${encodeURIComponent(id)}&reader=${encodeURIComponent(readerName())}`)
      : pictureOf(store.maskHere(id)));
    // A page opened from disk may not read the pixels of masks.png: case.js holds them too.
    const source = own || (SETTINGS.blinded || !SETTINGS.served ? null : await picture(fileOf(id, "masks.png")));
    this.loaded = true;
    if (!own && !SETTINGS.served) this.fillRuns(this.viewer.data.ossification);
    if (!source) return;
    this.context.drawImage(source, 0, 0);
    const pixels = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    const data = pixels.data;
    for (let k = 0; k < data.length; k += 4) {
      const inside = own ? data[k + 3] > 127 : (data[k] & 8) !== 0;
      data[k] = PAINT[0]; data[k + 1] = PAINT[1]; data[k + 2] = PAINT[2];
      data[k + 3] = inside ? 255 : 0;
    }
    this.context.putImageData(pixels, 0, 0);
  }

  /** Paint alternating runs of a part of the film: {box: [row, column, rows, columns], counts}. */
  fillRuns(runs) {
    if (!runs) return;
    const [row, column, rows, columns] = runs.box;
    const pixels = this.context.createImageData(columns, rows);
    let at = 0;
    runs.counts.forEach((count, k) => {
      for (let n = 0; k % 2 && n < count; n += 1) pixels.data.set([...PAINT, 255], 4 * (at + n));
      at += count;
    });
    this.context.putImageData(pixels, column, row);
  }

  setMode(mode) {
    this.mode = this.mode === mode ? null : mode;
    this.corners = [];
    this.line.setAttribute("d", "");
    this.viewer.root.classList.toggle("painting", this.mode === "brush" || this.mode === "eraser");
    this.showCursor();
  }

  setRadius(factor) {
    this.radius = Math.min(400, Math.max(1, this.radius * factor));
    this.showCursor();
  }

  press(event, [row, column]) {
    if (!this.mode || event.button !== 0 || event.shiftKey) return false;
    if (!this.loaded) return true;
    this.at = [row, column];
    if (this.mode === "point") {
      this.placed?.(row, column);
      return true;
    }
    if (this.mode === "polygon") {
      this.corner();
      return true;
    }
    this.remember();
    this.dab(this.at, this.at);
    const root = this.viewer.root;
    root.setPointerCapture(event.pointerId);
    const move = (e) => {
      const next = this.viewer.toImage(e);
      this.dab(this.at, next);
      this.at = next;
    };
    const stop = () => {
      root.removeEventListener("pointermove", move);
      root.removeEventListener("pointerup", stop);
      root.removeEventListener("pointercancel", stop);
      this.touched();
    };
    root.addEventListener("pointermove", move);
    root.addEventListener("pointerup", stop);
    root.addEventListener("pointercancel", stop);
    return true;
  }

  dab([r0, c0], [r1, c1]) {
    const pen = this.context;
    pen.globalCompositeOperation = this.mode === "eraser" ? "destination-out" : "source-over";
    pen.strokeStyle = `rgb(${PAINT.join(" ")})`;
    pen.lineWidth = 2 * this.radius;
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(c0, r0);
    pen.lineTo(c1 + 0.01, r1);
    pen.stroke();
  }

  corner() {
    this.corners.push([...this.at]);
    this.line.setAttribute("d", "M" + this.corners.map(([r, c]) => `${c} ${r}`).join("L"));
  }

  closePolygon() {
    if (this.mode !== "polygon" || this.corners.length < 3) return;
    this.remember();
    const pen = this.context;
    pen.globalCompositeOperation = "source-over";
    pen.fillStyle = `rgb(${PAINT.join(" ")})`;
    pen.beginPath();
    this.corners.forEach(([r, c], k) => (k ? pen.lineTo(c, r) : pen.moveTo(c, r)));
    pen.closePath();
    pen.fill();
    this.corners = [];
    this.line.setAttribute("d", "");
    this.touched();
  }

  /** One step by keyboard: move the cursor, or paint and place corners where it is. */
  key(event) {
    if (!this.mode || !this.loaded) return false;
    const step = (event.shiftKey ? 20 : 4) / Math.min(1, this.viewer.scale); // on screen; at full size and above film pixels
    const ways = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] };
    if (ways[event.key]) {
      const next = [this.at[0] + ways[event.key][0], this.at[1] + ways[event.key][1]];
      if (event.ctrlKey && (this.mode === "brush" || this.mode === "eraser")) {
        this.remember();
        this.dab(this.at, next);
        this.touched();
      }
      this.at = next;
      this.showCursor();
      return true;
    }
    if (event.key === " ") {
      if (this.mode === "polygon") this.corner();
      else if (this.mode === "point") this.placed?.(...this.at);
      else {
        this.remember();
        this.dab(this.at, this.at);
        this.touched();
      }
      return true;
    }
    if (event.key === "Enter") {
      this.closePolygon();
      return true;
    }
    return false;
  }

  hover(event) {
    if (!this.mode || event.buttons) return;
    this.at = this.viewer.toImage(event);
    this.showCursor();
  }

  showCursor() {
    const { scale, x, y } = this.viewer;
    this.cursor.hidden = !this.mode;
    const size = Math.max(6, this.mode === "brush" || this.mode === "eraser" ? 2 * this.radius * scale : 8);
    this.cursor.style.width = this.cursor.style.height = `${size}px`;
    this.cursor.style.left = `${this.at[1] * scale + x}px`;
    this.cursor.style.top = `${this.at[0] * scale + y}px`;
  }

  remember() {
    this.undone.push(this.context.getImageData(0, 0, this.canvas.width, this.canvas.height));
    const most = Math.max(2, Math.min(30, Math.floor(3e8 / (4 * this.canvas.width * this.canvas.height))));
    if (this.undone.length > most) this.undone.shift();
  }

  undo() {
    const last = this.undone.pop();
    if (!last) return say("Nothing to undo.");
    this.context.putImageData(last, 0, 0);
    this.touched();
  }

  /** The mask as base64 PNG: opaque where ossification is, edges made hard. */
  async png() {
    const pixels = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    for (let k = 3; k < pixels.data.length; k += 4) pixels.data[k] = pixels.data[k] > 127 ? 255 : 0;
    this.context.putImageData(pixels, 0, 0);
    return this.canvas.toDataURL("image/png").split(",")[1];
  }
}

/** The image of a base64 PNG, or null without one. */
async function pictureOf(base64) {
  if (!base64) return null;
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none" });
}

/** An image, or null when it is not there. */
async function picture(url) {
  const answer = await fetch(url);
  const blob = answer.ok ? await answer.blob() : null;
  return blob?.size ? createImageBitmap(blob, { colorSpaceConversion: "none" }) : null;
}
