import { bytesText, countText, plural } from "../../shared/text.ts";
import type { Forecast } from "../contract/area.ts";
import { printable, textTable } from "./table.ts";

const rules = { options: "", config: " (its [reduce-records])", default: " (30 days)" };

export function forecastText({ areas, total, warnings }: Forecast): string {
  const rows = areas.map(({ area, bytes, runs, movable, growthBytesPerWeek, rule }) => [
    area,
    size(bytes),
    count(runs),
    `${count(movable?.runs)}${rule === null ? "" : rules[rule]}`,
    size(movable?.bytes),
    movable?.oldestAt?.slice(0, 10) ?? "-",
    size(growthBytesPerWeek),
  ]);
  const head = ["AREA", "MEGATEST.DB", "RUNS", "WOULD MOVE", "GAIN", "OLDEST", "PER WEEK"];
  const table = textTable(rows, { head, right: [1, 2, 4, 6] });
  const sum = `${plural(areas.length, "area")}: ${bytesText(total.bytes)}, of which reduces would move about ${bytesText(total.movableBytes)} in ${plural(total.movableRuns, "run")}; they grow by ${bytesText(total.growthBytesPerWeek)} a week`;
  const problems = areas.flatMap(({ area, problem }) =>
    problem === null ? [] : [`${printable(area)}: ${printable(problem)}`],
  );
  return [table, "", sum, ...[...problems, ...warnings].map((each) => `warning: ${each}`)].join("\n");
}

const size = (bytes: number | null | undefined) => (typeof bytes === "number" ? bytesText(bytes) : "-");
const count = (runs: number | null | undefined) => (typeof runs === "number" ? countText(runs) : "-");
