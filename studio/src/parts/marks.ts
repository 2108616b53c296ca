import type uPlot from 'uplot';
import type { Drawable } from '../live/plot';

const SIZE = 5;

/**
 * Marks where a curve has no place on the chart: a triangle at the top edge for +Inf, at the bottom for -Inf, a cross
 * at the bottom for NaN. Marks that would fall on the same pixels are drawn once.
 */
export function drawNonFinite(u: uPlot, curves: readonly Drawable[], colors: readonly string[]): void {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const ratio = devicePixelRatio;
  const size = SIZE * ratio;
  ctx.save();
  ctx.lineWidth = 1.5 * ratio;
  for (const [i, curve] of curves.entries()) {
    ctx.strokeStyle = ctx.fillStyle = colors[i] ?? 'gray';
    let last = -Infinity;
    for (const { x, value } of curve.nonFinite) {
      const at = u.valToPos(x, 'x', true);
      if (at < left || at > left + width || at - last < size) continue;
      last = at;
      ctx.beginPath();
      if (Number.isNaN(value)) {
        const base = top + height - size;
        ctx.moveTo(at - size / 2, base - size / 2);
        ctx.lineTo(at + size / 2, base + size / 2);
        ctx.moveTo(at - size / 2, base + size / 2);
        ctx.lineTo(at + size / 2, base - size / 2);
        ctx.stroke();
      } else {
        const up = value > 0;
        const tip = up ? top + 1 : top + height - 1;
        const base = up ? tip + size : tip - size;
        ctx.moveTo(at, tip);
        ctx.lineTo(at - size / 2, base);
        ctx.lineTo(at + size / 2, base);
        ctx.fill();
      }
    }
  }
  ctx.restore();
}
