// A film with zoom, pan, window and level, outlines, gap line and marks.

const SVG = "http://www.w3.org/2000/svg";
const drawn = { outlines: true, fill: true, gap: true };
const levels = { slope: 1, intercept: 0, inverted: false };

function applyLevels() {
  const { slope, intercept, inverted } = levels;
  for (const name of ["R", "G", "B"]) {
    const part = document.querySelector(`#window feFunc${name}`);
    part.setAttribute("slope", inverted ? -slope : slope);
    part.setAttribute("intercept", inverted ? 1 - intercept : intercept);
  }
}

class Viewer {
  constructor(data, caption) {
    this.data = data;
    this.scale = 1;
    this.letter = parseFloat(getComputedStyle(document.documentElement).fontSize); // larger on a 4K screen
    this.x = 0;
    this.y = 0;
    const size = { width: data.columns, height: data.rows };
    this.image = make("img", { ...size, src: fileOf(data.id, "film.jpg"), alt: caption, draggable: "false" });
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("width", data.columns);
    this.svg.setAttribute("height", data.rows);
    this.stage = make("div", { class: "stage" }, this.image, this.svg);
    this.root = make("div", { class: "view", tabindex: "0", role: "application", "aria-label": `Film of ${caption}` },
      this.stage, make("div", { class: "caption" }, caption));
    this.drawOutlines();
    this.root.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.root.addEventListener("pointerdown", (e) => this.press(e));
    this.root.addEventListener("contextmenu", (e) => e.preventDefault());
    this.root.addEventListener("dblclick", () => (this.tool?.mode ? this.tool.closePolygon() : this.fit()));
    this.refresh();
  }

  path(kind, d) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", kind);
    path.setAttribute("d", d);
    this.svg.append(path);
    return path;
  }

  drawOutlines() {
    for (const [name, polygons] of Object.entries(this.data.outlines)) {
      const d = polygons.map((p) => {
        let text = "M";
        for (let k = 0; k < p.length; k += 2) text += `${p[k] + 0.5} ${p[k + 1] + 0.5} `;
        return text + "Z";
      });
      if (d.length) this.path(`outline ${name}`, d.join(""));
    }
    for (const hip of this.data.result.hips) {
      if (!hip.gap_points_px) continue;
      const [[r0, c0], [r1, c1]] = hip.gap_points_px;
      const line = `M${c0 + 0.5} ${r0 + 0.5}L${c1 + 0.5} ${r1 + 0.5}`;
      this.path("gap casing", line); // dark, so that the line also shows on bright bone
      this.path("gap", line);
    }
  }

  /** Crosses on film pixels [row, column], instead of those drawn before. */
  marks(points) {
    this.svg.querySelectorAll(".missed").forEach((path) => path.remove());
    const s = Math.max(this.data.rows, this.data.columns) / 90;
    for (const [row, column] of points) {
      const cross = `M${column - s} ${row}h${2 * s}M${column} ${row - s}v${2 * s}`;
      this.path("missed casing", cross);
      this.path("missed mark", cross);
    }
  }

  fit() {
    const box = this.root.getBoundingClientRect();
    if (!box.width) return;
    this.scale = Math.min(box.width / this.data.columns, box.height / this.data.rows);
    this.x = (box.width - this.data.columns * this.scale) / 2;
    this.y = (box.height - this.data.rows * this.scale) / 2;
    this.place();
  }

  place() {
    this.svg.style.setProperty("--pen", String((0.12 * this.letter) / this.scale)); // the same on screen at every zoom
    this.stage.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.moved?.();
  }

  zoom(factor, atX, atY) {
    const next = Math.min(40, Math.max(0.02, this.scale * factor));
    this.x = atX - (atX - this.x) * (next / this.scale);
    this.y = atY - (atY - this.y) * (next / this.scale);
    this.scale = next;
    this.place();
  }

  zoomMiddle(factor) {
    const box = this.root.getBoundingClientRect();
    this.zoom(factor, box.width / 2, box.height / 2);
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.place();
  }

  wheel(event) {
    event.preventDefault();
    const box = this.root.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top);
  }

  press(event) {
    const tool = this.tool?.press(event, this.toImage(event));
    if (tool) return;
    const windowing = event.button === 2 || event.shiftKey;
    if (event.button === 1) event.preventDefault();
    let [x, y] = [event.clientX, event.clientY];
    this.root.setPointerCapture(event.pointerId);
    const move = (e) => {
      const [dx, dy] = [e.clientX - x, e.clientY - y];
      [x, y] = [e.clientX, e.clientY];
      if (windowing) changeWindow(dx, dy);
      else this.pan(dx, dy);
    };
    const stop = () => {
      this.root.removeEventListener("pointermove", move);
      this.root.removeEventListener("pointerup", stop);
      this.root.removeEventListener("pointercancel", stop);
    };
    this.root.addEventListener("pointermove", move);
    this.root.addEventListener("pointerup", stop);
    this.root.addEventListener("pointercancel", stop);
  }

  /** Film pixel [row, column] under a pointer. */
  toImage(event) {
    const box = this.root.getBoundingClientRect();
    return [(event.clientY - box.top - this.y) / this.scale, (event.clientX - box.left - this.x) / this.scale];
  }

  refresh() {
    this.root.classList.toggle("no-outlines", !drawn.outlines);
    this.root.classList.toggle("filled", drawn.fill);
    this.root.classList.toggle("no-gap", !drawn.gap);
  }
}

/** Narrower or wider (dx), brighter or darker (dy), about the grey level shown at mid-scale. */
function changeWindow(dx, dy) {
  const middle = (0.5 - levels.intercept) / levels.slope + dy / 400;
  levels.slope = Math.min(20, Math.max(0.1, levels.slope * Math.exp(-dx / 250)));
  levels.intercept = 0.5 - levels.slope * middle;
  applyLevels();
}

function resetWindow() {
  Object.assign(levels, { slope: 1, intercept: 0, inverted: false });
  applyLevels();
}
