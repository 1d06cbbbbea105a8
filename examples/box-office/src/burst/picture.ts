// The picture of both runs: one SVG that needs nothing else.
//
//   picture.ts            this: the page: title, legend, two columns
//   picture/series.ts     from the histories to numbers over time
//   picture/plot.ts       one plot: scales, axes, areas, lines
//   picture/style.ts      colours, by day and by night

import type { History, Limit } from "./checker.ts";
import { Plot, type PlotBox } from "./picture/plot.ts";
import { niceTicks, type RunSeries, seriesOf } from "./picture/series.ts";
import { style } from "./picture/style.ts";
import { count } from "./table.ts";

const WIDTH = 1200;
const HEIGHT = 768;
const MARGIN = 40;
/** Room for the labels of the vertical axis. */
const AXIS = 64;
const COLUMN_GAP = 44;
/** The upper plots and the lower ones. */
const PEOPLE = { top: 206, height: 300 };
const SHOP = { top: 556, height: 124 };
const COLUMN = (WIDTH - 2 * MARGIN - AXIS - COLUMN_GAP) / 2;

export interface BothHistories {
  readonly direct: History;
  readonly usher: History;
}

/** Draws both runs on the same scales: above, where the buyers are (their answers, failures and waiting add up to all
 * that have come); below, what is in flight at the shop. */
export function draw({ direct, usher }: BothHistories, limit: Limit): string {
  const runs = { direct: seriesOf(direct), usher: seriesOf(usher) };
  const buyers = Math.max(direct.crowd.expected, usher.crowd.expected, 1);
  const length_ms = Math.max(runs.direct.length_ms, runs.usher.length_ms, 1_000) * 1.02;
  const most = Math.max(runs.direct.mostInFlight, runs.usher.mostInFlight, limit.max_active) * 1.08;
  const title = `${count(buyers)} buyers come at once to a shop that can serve ${count(limit.rate_per_second)} a second`;
  const column = (left: number, name: string, run: RunSeries, first: boolean): string => {
    const scale = { left, width: COLUMN, length_ms };
    return [
      heading(left, name, run),
      whereabouts({ ...scale, top: PEOPLE.top, height: PEOPLE.height, highest: buyers }, run, first),
      atTheShop({ ...scale, top: SHOP.top, height: SHOP.height, highest: most }, run, limit, first),
    ].join("");
  };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${title}</title>`,
    `<desc id="desc">Directly: ${words(runs.direct)}. Through Usher: ${words(runs.usher)}.</desc>`,
    `<style>${style}</style>`,
    `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="14"/>`,
    `<text class="title" x="${MARGIN}" y="54">${title}</text>`,
    legend(runs.direct.unknown + runs.usher.unknown > 0),
    column(MARGIN + AXIS, "Straight to the shop", runs.direct, true),
    column(MARGIN + AXIS + COLUMN + COLUMN_GAP, "Through Usher", runs.usher, false),
    axisTitle(PEOPLE.top + PEOPLE.height / 2, "buyers"),
    axisTitle(SHOP.top + SHOP.height / 2, "in flight at the shop"),
    "</svg>\n",
  ].join("\n");
}

function words({ answered, failed, unknown }: RunSeries): string {
  const rest = unknown > 0 ? `, ${count(unknown)} unknown` : "";
  return `${count(answered)} answered, ${count(failed)} failed${rest}`;
}

function heading(left: number, name: string, { answered, failed, unknown }: RunSeries): string {
  const part = (value: number, what: string, dx: number): string =>
    `<tspan class="${value === 0 ? "none" : what}" dx="${dx}">${count(value)} ${what}</tspan>`;
  const rest = unknown > 0 ? part(unknown, "unknown", 16) : "";
  const counts = `${part(answered, "answered", 0)}${part(failed, "failed", 16)}${rest}`;
  return `<text class="head" x="${left}" y="156">${name}</text><text class="head" x="${left}" y="184">${counts}</text>\n`;
}

/** Where the buyers are: answered, unknown, failed and waiting lie on each other, and reach up to all that came. */
function whereabouts(box: PlotBox, run: RunSeries, first: boolean): string {
  const plot = new Plot(box);
  const came = plot.values(run.curves.came);
  const answered = plot.values(run.curves.answered);
  const unknown = add(answered, plot.values(run.curves.unknown));
  const failed = add(unknown, plot.values(run.curves.failed));
  return [
    plot.frame({ values: niceTicks(box.highest, 5), labelled: first, times: false }),
    plot.area("waiting", came, failed),
    plot.area("failed", failed, unknown),
    run.unknown > 0 ? plot.area("unknown", unknown, answered) : "",
    plot.area("answered", answered),
    plot.line("came", came),
    plot.line("reached", plot.values(run.curves.reached)),
    run.broke_ms === undefined ? "" : plot.mark(run.broke_ms, "connections break"),
  ].join("\n");
}

function add(one: readonly number[], other: readonly number[]): number[] {
  return one.map((value, index) => value + other[index]!);
}

function atTheShop(box: PlotBox, run: RunSeries, { max_active }: Limit, first: boolean): string {
  const plot = new Plot(box);
  const inFlight = plot.values(run.curves.inFlight);
  return [
    plot.frame({ values: niceTicks(box.highest, 3), labelled: first, times: true }),
    plot.area("inflight", inFlight),
    plot.line("reached", inFlight),
    plot.level(max_active, `limit ${count(max_active)}`, !first),
  ].join("\n");
}

function axisTitle(y: number, text: string): string {
  return `<text class="axis" text-anchor="middle" transform="translate(${MARGIN - 8} ${y}) rotate(-90)">${text}</text>`;
}

function legend(unknown: boolean): string {
  const entries: [kind: "box" | "line", name: string, text: string][] = [
    ["line", "came", "have come"],
    ["box", "waiting", "waiting"],
    ["line", "reached", "have reached the shop"],
    ["box", "answered", "answered"],
    ["box", "failed", "failed"],
  ];
  if (unknown) entries.push(["box", "unknown", "unknown"]);
  let x = MARGIN;
  const drawn = entries.map(([kind, name, text]) => {
    const sample =
      kind === "box"
        ? `<rect class="area ${name}" x="${x}" y="89" width="22" height="16" rx="3"/>`
        : `<path class="line ${name}" d="M${x} 97h26"/>`;
    const label = `<text class="label" x="${x + 34}" y="103">${text}</text>`;
    x += 34 + text.length * 9.2 + 28;
    return sample + label;
  });
  return drawn.join("\n");
}
