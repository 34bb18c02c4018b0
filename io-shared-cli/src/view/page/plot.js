// A number over time: the last half minute.

const SECONDS = 30;

export class Plot {
  constructor(panel, path) {
    this.panel = panel;
    this.path = path;
    this.points = []; // pairs of seconds since 1970 and a value
    this.canvas = document.createElement('canvas');
    this.canvas.setAttribute('role', 'img');
    panel.body.append(this.canvas);
  }

  add(time, value) {
    const number = Number(value);
    if (!Number.isFinite(number)) return;
    this.points.push([time, number]);
    while (this.points.length && this.points[0][0] < time - SECONDS) this.points.shift();
    this.panel.numbers(`${number}`);
  }

  draw() {
    const { canvas, points } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !points.length) return;
    Object.assign(canvas, { width: width * scale, height: height * scale });
    const paper = canvas.getContext('2d');
    paper.scale(scale, scale);
    const values = points.map(([, value]) => value);
    let [least, most] = [Math.min(...values), Math.max(...values)];
    if (most === least) [least, most] = [least - 1, most + 1];
    const now = points.at(-1)[0];
    const x = (time) => width - 8 - (now - time) / SECONDS * (width - 16);
    const y = (value) => height - 20 - (value - least) / (most - least) * (height - 36);
    paper.font = '12px ui-monospace, monospace';
    paper.fillStyle = '#97a3b3';
    paper.strokeStyle = '#2f3742';
    for (const value of [least, (least + most) / 2, most]) {
      paper.beginPath();
      paper.moveTo(0, y(value));
      paper.lineTo(width, y(value));
      paper.stroke();
      paper.fillText(Number(value.toPrecision(5)).toString(), 4, y(value) - 3);
    }
    paper.textAlign = 'right';
    paper.fillText(`last ${SECONDS} s`, width - 4, height - 4);
    paper.strokeStyle = '#5cb8ff';
    paper.lineWidth = 1.5;
    paper.beginPath();
    points.forEach(([time, value], at) => paper[at ? 'lineTo' : 'moveTo'](x(time), y(value)));
    paper.stroke();
    if (points.length === 1) paper.fillRect(x(now) - 2, y(values[0]) - 2, 4, 4);
  }
}
