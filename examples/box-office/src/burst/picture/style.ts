// The picture's looks. It stands on a card of its own, so that it is as legible on a dark page as on a light one; the
// card follows what its reader's system prefers. The colours can be told apart by people who see red and green alike.

const light = {
  card: "#ffffff",
  edge: "#d0d7de",
  text: "#1f2328",
  quiet: "#59636e",
  grid: "#e4e8ec",
  came: "#1f2328",
  reached: "#1d4ed8",
  waiting: "#f6d98a",
  answered: "#3aa583",
  answeredText: "#1b7f60",
  failed: "#d65a43",
  failedText: "#b93a22",
  unknown: "#8e6bbf",
};

const dark: typeof light = {
  card: "#0d1117",
  edge: "#30363d",
  text: "#e6edf3",
  quiet: "#9198a1",
  grid: "#22282f",
  came: "#e6edf3",
  reached: "#6ea8ff",
  waiting: "#8a6d1f",
  answered: "#2f8f70",
  answeredText: "#4cc79d",
  failed: "#c4513c",
  failedText: "#ff8a70",
  unknown: "#9b7fd0",
};

function colours(theme: typeof light): string {
  return [
    `.card{fill:${theme.card};stroke:${theme.edge}}`,
    `text{fill:${theme.text}}`,
    `.axis,.label,.note{fill:${theme.quiet}}`,
    `.grid{stroke:${theme.grid}}`,
    `.base,.mark{stroke:${theme.quiet}}`,
    `.line.came{stroke:${theme.came}}`,
    `.line.reached{stroke:${theme.reached}}`,
    `.area.waiting{fill:${theme.waiting}}`,
    `.area.answered{fill:${theme.answered}}`,
    `.area.failed{fill:${theme.failed}}`,
    `.area.unknown{fill:${theme.unknown}}`,
    `.area.inflight{fill:${theme.reached}}`,
    `tspan.answered{fill:${theme.answeredText}}`,
    `tspan.failed{fill:${theme.failedText}}`,
    `tspan.unknown{fill:${theme.unknown}}`,
    `tspan.none{fill:${theme.quiet}}`,
  ].join("");
}

const shapes = [
  'text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:17px}',
  ".title{font-size:29px;font-weight:650}",
  ".head{font-size:21px;font-weight:650}",
  ".line{fill:none;stroke-width:2.5;stroke-linejoin:round}",
  ".line.came{stroke-dasharray:7 5}",
  ".area.inflight{opacity:.28}",
  ".base{stroke-width:1.2}",
  ".mark{stroke-width:1.5;stroke-dasharray:3 4}",
].join("");

export const style = `${shapes}${colours(light)}@media(prefers-color-scheme:dark){${colours(dark)}}`;
