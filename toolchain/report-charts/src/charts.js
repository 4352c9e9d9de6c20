// Draws charts as SVG without a browser: JSON on standard input, a JSON list of SVG texts on standard output.
//
// Input: {width, height, charts: [{unit, start, step, series: [[number or null, ...], ...]}]}; width and height in pixels, start in seconds since 1970
// (UTC), step in seconds. No name or other text goes in, so none can come out. Colours are those of the page: --line-1 to --line-8, --ink, --dim, --rule.
import { LineChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { readFileSync } from 'node:fs';

use([LineChart, GridComponent, SVGRenderer]);

const COLOURS = 8;
// Where colours are not told apart, as in print, lines are.
const LINES = ['solid', 'dashed', 'dotted'];
const PREFIXES = [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']];
const BINARY = [[2 ** 30, ' GiB'], [2 ** 20, ' MiB'], [2 ** 10, ' KiB']];

const rounded = (value) => String(Number(value.toPrecision(3)));
const scaled = (value, prefixes) => {
  const [size, name] = prefixes.find(([least]) => Math.abs(value) >= least) ?? [1, ''];
  return rounded(value / size) + name;
};
const UNITS = {
  s: (value) => (value !== 0 && Math.abs(value) < 1 ? `${rounded(value * 1000)} ms` : `${rounded(value)} s`),
  percentunit: (value) => `${rounded(value * 100)} %`,
  bytes: (value) => scaled(value, BINARY),
};
const labelled = (unit) => UNITS[unit] ?? ((value) => scaled(value, PREFIXES));

function draw({ unit, start, step, series }, width, height) {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  const label = { color: 'var(--dim)', fontFamily: 'system-ui, sans-serif', fontSize: 12 };
  const rule = { lineStyle: { color: 'var(--rule)' } };
  const lines = series.map((values, index) => ({
    type: 'line',
    showSymbol: values.filter((value) => value !== null).length === 1,
    symbol: 'circle',
    silent: true,
    lineStyle: { color: `var(--line-${(index % COLOURS) + 1})`, width: 2, type: LINES[index % LINES.length] },
    itemStyle: { color: `var(--line-${(index % COLOURS) + 1})` },
    data: values.map((value, place) => [(start + place * step) * 1000, value]),
  }));
  chart.setOption({
    animation: false,
    useUTC: true,
    grid: { left: 2, right: 12, top: 10, bottom: 2, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      type: 'time',
      min: start * 1000,
      max: (start + step * (Math.max(...series.map((values) => values.length), 2) - 1)) * 1000,
      axisLabel: { ...label, formatter: '{HH}:{mm}', hideOverlap: true },
      axisLine: rule,
      axisTick: rule,
      splitNumber: 4,
      minInterval: 60_000,
    },
    yAxis: { type: 'value', min: 0, splitNumber: 3, axisLabel: { ...label, formatter: labelled(unit) }, splitLine: rule },
    series: lines,
  });
  // Its one rule is about a pointer, which nothing here reacts to.
  const drawn = chart.renderToSVGString().replace(/<style[^]*?<\/style>/, '');
  // Else its timers keep the process.
  chart.dispose();
  return drawn;
}

const { width, height, charts } = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(charts.map((one) => draw(one, width, height))));
