// Who ran what and when, one lane a worker, on one canvas however many transactions there are: only what is in view is drawn, and executions narrower than a
// pixel are put together, in the colour of the kind that took most of it.
class Lanes {
  static LEFT = 76;
  static TOP = 22;

  constructor(canvas, slider, tell) {
    Object.assign(this, { canvas, slider, rows: [], end: 1, from: 0 });
    let dragged = null;
    slider.addEventListener("input", () => this.draw(this.from + this.room() / this.seen / 2));
    canvas.addEventListener("pointerdown", event => { dragged = { x: event.clientX, from: this.from }; canvas.setPointerCapture(event.pointerId); });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => dragged = null);
    canvas.addEventListener("pointerleave", hideTip);
    canvas.addEventListener("pointermove", event => {
      if (dragged) { this.from = dragged.from - (event.clientX - dragged.x) / this.scale(); hideTip(); return this.draw(); }
      const span = this.at(event);
      if (span) showTip(event, tell(span)); else hideTip();
    });
    canvas.addEventListener("wheel", event => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const x = event.clientX - canvas.getBoundingClientRect().left - Lanes.LEFT, time = this.from + x / this.scale();
      slider.value = +slider.value - event.deltaY / 40;
      this.from = time - x / this.scale();
      this.draw();
    }, { passive: false });
  }

  // Spans are [worker, transaction, start, end, kind], in µs.
  show(spans, workers, end) {
    this.rows = Array.from({ length: spans.reduce((most, span) => Math.max(most, span[0] + 1), workers) }, () => []);
    for (const span of spans) this.rows[span[0]].push(span);
    for (const row of this.rows) row.sort((a, b) => a[2] - b[2]);
    this.end = spans.reduce((most, span) => Math.max(most, span[3]), end) || 1;
    this.from = 0;
    this.lane = Math.max(8, Math.min(34, 620 / this.rows.length));
    this.canvas.style.height = Lanes.TOP + this.rows.length * this.lane + 8 + "px";
    this.canvas.setAttribute("aria-label", `Timeline: ${spans.length} executions by ${this.rows.length} worker(s) in ${number(this.end / 1000, 2)} ms`);
    this.draw();
  }

  room() { return this.canvas.clientWidth - Lanes.LEFT - 12; }
  scale() { return this.room() / this.end * 1.1 ** this.slider.value; }
  x(time) { return Lanes.LEFT + (time - this.from) * this.scale(); }

  // The first of a row that ends after this time.
  first(row, time) {
    let low = 0, high = row.length;
    while (low < high) { const middle = (low + high) >> 1; if (row[middle][3] <= time) low = middle + 1; else high = middle; }
    return low;
  }

  at(event) {
    const area = this.canvas.getBoundingClientRect(), x = event.clientX - area.left, row = this.rows[Math.floor((event.clientY - area.top - Lanes.TOP) / this.lane)];
    if (!row || x < Lanes.LEFT) return null;
    // Half a pixel to each side: the narrow ones can be pointed at, too.
    const time = this.from + (x - Lanes.LEFT) / this.scale(), near = 0.5 / this.scale(), span = row[this.first(row, time - near)];
    return span && span[2] <= time + near ? span : null;
  }

  // With a time, that one is put into the middle.
  draw(middle) {
    const { brush, colour } = paper(this.canvas), room = this.room(), scale = this.scale(), lane = this.lane, tall = lane * 0.76;
    if (middle != null) this.from = middle - room / scale / 2;
    this.from = Math.max(0, Math.min(this.from, this.end - room / scale));
    this.seen = scale;
    const to = this.from + room / scale, bottom = Lanes.TOP + this.rows.length * lane, colours = ["--ahead", "--ordered", "--native", "--retry"].map(colour);
    const step = nice(to - this.from, Math.max(4, room / 110)), unit = this.end > 2000 ? [1000, "ms"] : [1, "µs"], digits = Math.max(0, -Math.floor(Math.log10(step / unit[0]) + 1e-9));
    brush.textAlign = "center";
    for (let mark = Math.ceil(this.from / step - 1e-9); mark * step <= to; mark++) {
      brush.fillStyle = colour("--line");
      brush.fillRect(this.x(mark * step), Lanes.TOP - 4, 1, bottom - Lanes.TOP + 4);
      brush.fillStyle = colour("--muted");
      brush.fillText(number(mark * step / unit[0], digits) + " " + unit[1], Math.max(Lanes.LEFT, this.x(mark * step)), 12);
    }
    this.rows.forEach((row, worker) => {
      const y = Lanes.TOP + worker * lane;
      brush.textAlign = "left";
      if (lane > 12 || worker % 4 === 0) { brush.fillStyle = colour("--ink-2"); brush.fillText(`worker ${worker}`, 0, y + lane * 0.4 + 3); }
      if (lane > 26) { brush.fillStyle = colour("--muted"); brush.fillText(percent(row.reduce((sum, span) => sum + span[3] - span[2], 0) / this.end), 0, y + lane * 0.4 + 16); }
      brush.save();
      brush.beginPath(); brush.rect(Lanes.LEFT, y, room, lane); brush.clip();
      brush.textAlign = "center";
      let column = null, shares = [0, 0, 0, 0];
      const flush = () => {
        if (column == null) return;
        brush.globalAlpha = Math.max(0.3, Math.min(1, shares.reduce((sum, share) => sum + share)));
        brush.fillStyle = colours[shares.indexOf(Math.max(...shares))];
        brush.fillRect(column, y + 3, 1, tall);
        brush.globalAlpha = 1;
        column = null; shares = [0, 0, 0, 0];
      };
      for (let index = this.first(row, this.from); index < row.length && row[index][2] < to; index++) {
        const [, transaction, start, stop, kind] = row[index], x = this.x(start), size = this.x(stop) - x;
        if (size < 1.5) {
          if (column !== Math.floor(x)) { flush(); column = Math.floor(x); }
          shares[kind] += size;
          continue;
        }
        flush();
        brush.fillStyle = colours[kind];
        brush.fillRect(x, y + 3, size - 0.6, tall);
        if (tall > 10 && size > 8 + 7 * String(transaction).length) { brush.fillStyle = "#fff"; brush.fillText(transaction, x + size / 2, y + 3 + tall / 2 + 4); }
      }
      flush();
      brush.restore();
    });
  }
}
