import { median } from "../bench/report.ts";
import { type Dated, type Recorded, readRecorded } from "../support/recorded.ts";

/** The tables of docs/ from what was recorded, each as Markdown by the name that its place in a document gives. */
export const tables: Record<string, () => string> = {
  bench: () => benchTable(readRecorded("bench")),
  queries: () => queryTable(readRecorded("queries")),
  recovery: () => recoveryTable(readRecorded("recovery")),
  torture: () => tortureTable(readRecorded("torture")),
};

function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** On which days and machines the rows were found. */
function found(rows: readonly Dated<object>[]): string {
  const days = [...new Set(rows.map(({ date }) => date))].sort();
  const machines = [...new Set(rows.map(({ machine }) => machine))];
  return `\n\nRecorded ${days.join(", ")} on ${machines.join("; ")}.`;
}

const short = (value: number) => (value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());

function benchTable(rows: readonly Dated<Recorded["bench"]>[]): string {
  const cells = rows.map(({ figure, aim, values, date }) => {
    const range =
      values.length === 1
        ? ""
        : `${short(Math.min(...values))} to ${short(Math.max(...values))}, ${values.length} rounds`;
    return [figure, short(median(values)), range, aim, date];
  });
  return table(["figure", "median", "all", "aim", "day"], cells) + found(rows);
}

function queryTable(rows: readonly Dated<Recorded["queries"]>[]): string {
  const cells = rows.map(({ query, rows: count, ratio, views }) => [
    query,
    count,
    short(ratio),
    views === undefined ? "" : short(views),
  ]);
  return table(["query", "rows", "full-db / undivided", "views alone"], cells) + found(rows);
}

function recoveryTable(rows: readonly Dated<Recorded["recovery"]>[]): string {
  const faults = new Set(rows.map(({ fault }) => fault));
  const line = (name: string, of: readonly Recorded["recovery"][]) => {
    const seconds = of.map(({ restMs }) => restMs / 1000);
    return [name, of.length, median(seconds).toFixed(1), Math.max(...seconds).toFixed(1)] as const;
  };
  const lines = [...faults].map((fault) =>
    line(
      fault,
      rows.filter((row) => row.fault === fault),
    ),
  );
  lines.sort((a, b) => Number(a[2]) - Number(b[2]) || Number(a[3]) - Number(b[3]));
  if (rows.length > 0) lines.push(line("all", rows));
  return table(["fault", "steps", "median, s", "largest, s"], lines) + found(rows);
}

/** What the counts of a torture are about, by column: faults, deeds, and what came of the jobs. */
const columns: Record<string, readonly string[]> = {
  "runs moved": ["runs of reduce"],
  "brought back": ["runs of restore"],
  migrations: ["migrate migrated"],
  "rolled back": ["migrate rolled-back"],
  "clients, syncs": ["client", "server"],
  "kills, pauses": ["kill", "pause", "pause Megatest"],
  "cuts, clocks": ["cut off", "move the clock"],
  Redis: ["kill Redis", "freeze Redis", "flush Redis"],
  disks: ["fill", "make read-only", "slow down"],
  "spoilt copies": ["corrupt a copy"],
};

function tortureTable(rows: readonly Dated<Recorded["torture"]>[]): string {
  const cells = rows.map(({ seed, minutes, rounds, violations, counts }) => [
    seed,
    minutes,
    rounds,
    ...Object.values(columns).map((names) => names.reduce((sum, name) => sum + (counts[name] ?? 0), 0)),
    violations,
  ]);
  return table(["seed", "minutes", "rounds", ...Object.keys(columns), "violations"], cells) + found(rows);
}
