import { benchFigures } from "../bench/figure-list.ts";
import { median } from "../bench/report.ts";
import { type Dated, type Recorded, readRecorded } from "../support/area/recorded.ts";

/** The tables of docs/ from what was recorded, each as Markdown by the name that its place in a document gives. */
export const tables: Record<string, () => string> = {
  bench: () => benchTable(readRecorded("bench")),
  profile: () => profileTable(readRecorded("profile")),
  queries: () => queryTable(readRecorded("queries")),
  limits: () => limitsTable(readRecorded("limits")),
  recovery: () => recoveryTable(readRecorded("recovery")),
  torture: () => tortureTable(readRecorded("torture")),
  powercut: () => powercutTable(readRecorded("powercut")),
  stories: () => storiesTable(readRecorded("stories")),
  machines: () => machinesTable(readRecorded("machines")),
};

function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** On which days and machines the rows were found. */
function found(rows: readonly Dated<object>[]): string {
  if (rows.length === 0) return "\n\nNot recorded yet.";
  const days = [...new Set(rows.map(({ date }) => date))].sort();
  const machines = [...new Set(rows.map(({ machine }) => machine))];
  return `\n\nRecorded ${days.join(", ")} on ${machines.join("; ")}.`;
}

const short = (value: number) => (value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());

function benchTable(rows: readonly Dated<Recorded["bench"]>[]): string {
  const order = Object.keys(benchFigures);
  const sorted = rows.toSorted((a, b) => order.indexOf(a.figure) - order.indexOf(b.figure));
  const cells = sorted.map(({ figure, options, values }) => {
    const { says, aim } = benchFigures[figure];
    const range = `${short(Math.min(...values))} to ${short(Math.max(...values))} in ${values.length} rounds`;
    return [
      says,
      short(median(values)),
      values.length === 1 ? "measured once" : range,
      aim,
      `\`${options}\``,
    ];
  });
  return table(["figure", "median", "range", "aim", "of `npm run bench --`"], cells) + found(rows);
}

function profileTable(rows: readonly Dated<Recorded["profile"]>[]): string {
  const cells = rows.map(({ thread, running, queueing, waiting, statements }) => [
    ...[thread, running, queueing, waiting],
    statements,
  ]);
  const header = [
    "the thread that",
    "runs, %",
    "queues, %",
    "waits, %",
    "time in statements, % of the whole",
  ];
  return table(header, cells) + found(rows);
}

function queryTable(rows: readonly Dated<Recorded["queries"]>[]): string {
  const cells = rows.map(({ query, rows: count, ratio, views }) => [
    query,
    count,
    short(ratio),
    views === undefined ? "" : short(views),
  ]);
  return (
    table(["query", "rows", "full-db / undivided", "views alone / undivided, once"], cells) + found(rows)
  );
}

function limitsTable(rows: readonly Dated<Recorded["limits"]>[]): string {
  const cells = rows.map(({ size, rows: count, outS, backS }) => [size, count, outS, backS]);
  return table(["an area with", "rows", "out, s", "back, s"], cells) + found(rows);
}

function recoveryTable(rows: readonly Dated<Recorded["recovery"]>[]): string {
  const line = (name: string, of: readonly Recorded["recovery"][]) => {
    const seconds = of.flatMap(({ restMs }) => (restMs === null ? [] : [restMs / 1000]));
    const failed = of.length - seconds.length;
    return [name, of.length, failed, median(seconds).toFixed(1), Math.max(...seconds).toFixed(1)] as const;
  };
  const names = [...new Set(rows.map(({ fault }) => fault))];
  const lines = names.map((name) =>
    line(
      name,
      rows.filter(({ fault }) => fault === name),
    ),
  );
  lines.sort((a, b) => Number(a[3]) - Number(b[3]) || Number(a[4]) - Number(b[4]));
  if (rows.length > 0) lines.push(line("all", rows));
  return table(["fault", "steps", "failed", "median, s", "largest, s"], lines) + found(rows);
}

function powercutTable(rows: readonly Dated<Recorded["powercut"]>[]): string {
  const cells = rows.map(({ scenario, recordings, tried, losses }) => [scenario, recordings, tried, losses]);
  return table(["what lost power", "recorded", "cuts", "losses"], cells) + found(rows);
}

function machinesTable(rows: readonly Dated<Recorded["machines"]>[]): string {
  const cells = rows.map(({ mount, fault, rounds, again, longestS, violations }) => [
    mount,
    fault,
    rounds,
    again,
    longestS === 0 ? "" : longestS,
    violations,
  ]);
  const header =
    "mounted with,fault,rounds,jobs requested again,longest time to the end of the job: s,violations";
  return table(header.split(","), cells) + found(rows);
}

/** What befalls hosts, Redis, disks and Megatest. */
const faults = [
  ...["kill", "pause", "cut off", "slow down", "move the clock", "pause Megatest"],
  ...["kill Redis", "freeze Redis", "flush Redis", "fill", "make read-only", "corrupt a copy"],
];

function tortureTable(rows: readonly Dated<Recorded["torture"]>[]): string {
  const cells = rows.map(({ seed, minutes, rounds, violations, counts }) => {
    const of = (name: string) => counts[name] ?? 0;
    const befell = faults.filter((name) => of(name) > 0).map((name) => `${name} ${of(name)}`);
    const moved = [of("runs of reduce"), of("runs of restore")];
    const homes = [of("migrate migrated"), of("migrate rolled-back")];
    return [
      seed,
      minutes,
      rounds,
      ...moved,
      ...homes,
      of("client"),
      of("server"),
      befell.join(", "),
      violations,
    ];
  });
  const header =
    "seed,minutes,rounds,runs moved,runs brought back,migrations,rolled back,clients,servers,faults,violations";
  return table(header.split(","), cells) + found(rows);
}

function storiesTable(rows: readonly Dated<Recorded["stories"]>[]): string {
  const cells = rows.map(({ seed, minutes, stories, jobs, violations }) => {
    const ended = (how: string) =>
      ["reduce", "restore", "purge", "import"].map((job) => jobs[`${job} ${how}`] ?? 0).join(", ");
    return [seed, minutes, stories, ended("ok"), ended("stopped"), violations];
  });
  const header = "first seed,minutes,stories,jobs that ended,jobs that died,violations";
  const named = header
    .split(",")
    .map((name) => (name.startsWith("jobs") ? `${name}: reduce, restore, purge, import` : name));
  return table(named, cells) + found(rows);
}
