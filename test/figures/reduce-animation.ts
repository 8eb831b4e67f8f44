/** Runs on each side at one moment of a reduce. */
export interface Moment {
  /** Since the job began, ms. */
  ms: number;
  megatest: number;
  completed: number;
}

const width = 720;
const height = 150;
const bar = { left: 170, width: 440, height: 26 };
const rows = [
  { name: "megatest.db", top: 44, color: "#b4541a", of: ({ megatest }: Moment) => megatest },
  { name: "completed-runs.db", top: 86, color: "#2563a8", of: ({ completed }: Moment) => completed },
] as const;

/** How long a loop lasts, s, and the part of it in which runs move. */
const loop = 8;
const moving = 0.7;

/** Draws a reduce as it was recorded: one frame for each moment, as an SVG that shows them one after the other. */
export function drawReduce(moments: readonly Moment[], title: string): string {
  const total = Math.max(1, ...moments.map(({ megatest, completed }) => Math.max(megatest, completed)));
  const last = moments.at(-1)?.ms ?? 1;
  // The first moment stays a while, so that the eye finds the start.
  const starts = moments.map(({ ms }, index) => (index === 0 ? 0 : 0.1 + (moving * ms) / last));
  const frames = moments.map((moment, index) => {
    const from = starts[index] ?? 0;
    const to = starts[index + 1] ?? 1;
    const times = index === 0 ? `0;${at(to)}` : `0;${at(from)};${at(to)}`;
    const shown = index === 0 ? "inline;none" : "none;inline;none";
    return `<g${index === moments.length - 1 ? "" : ' display="none"'}>
    <animate attributeName="display" dur="${loop}s" repeatCount="indefinite" calcMode="discrete" keyTimes="${times}" values="${shown}" />
    ${rows.map((row) => drawRow(row, row.of(moment), total)).join("\n    ")}
  </g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}" font-family="sans-serif" font-size="14">
  <title>${title}</title>
  <rect width="${width}" height="${height}" fill="#ffffff" rx="6" />
  <text x="16" y="26" fill="#333333">${title}</text>
  ${rows.map(({ name, top }) => `<text x="16" y="${top + 18}" fill="#111111">${name}</text>`).join("\n  ")}
  ${frames.join("\n  ")}
</svg>
`;
}

const at = (time: number) => Math.min(1, time).toFixed(4);

function drawRow({ top, color }: (typeof rows)[number], runs: number, total: number): string {
  const length = Math.round((bar.width * runs) / total);
  return `<rect x="${bar.left}" y="${top}" width="${length}" height="${bar.height}" fill="${color}" /><text x="${bar.left + length + 8}" y="${top + 18}" fill="#333333">${runs} runs</text>`;
}
