import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  newArea,
  readColumn,
} from "../support/area.ts";
import { reduceSafely, runCommand, runReduce, runRestore, unionOf } from "../support/queue.ts";

/** What a run, a target or a test may be called, since Megatest takes any text. */
const names: [kind: string, name: string][] = [
  ["of 4,000 characters", "n".repeat(4000)],
  ["of 4,000 characters of four bytes each", "🦥".repeat(4000)],
  ["with quotes", `it's "quoted", \`ticked\` and [bracketed]`],
  ["with newlines and tabs", "two\nlines\r\nand a\ttab"],
  ["with percent signs", "100%_of_%s"],
  ["with the signs of a glob", "*?[a-z]\\"],
  ["that looks like SQL", "'); DROP TABLE runs; --"],
  ["that looks like an option", "--json"],
  ["that would colour a terminal", "\u001b[31mred\u001b[0m"],
  ["with a slash, as between the parts of a target", "a/b"],
  ["of blanks", "   "],
  ["with a comma, as between patterns", "a,b"],
];

/** Run 2, its target, its first test and its item are called so. */
function areaCalled(name: string): SampleArea {
  const area = newArea({ runs: 3, testsPerRun: 2, inFlight: 0, unsynced: false });
  edit(area, everywhere, (db) => {
    const keys = area.keys.map((key) => `"${key}" = @name`).join(", ");
    db.prepare(`UPDATE runs SET runname = @name, ${keys} WHERE id = 2`).run({ name });
    db.prepare(
      "UPDATE tests SET testname = @name, item_path = @name WHERE id = (SELECT min(id) FROM tests WHERE run_id = 2)",
    ).run({ name });
  });
  return area;
}

/** No sign of a pattern takes the meaning of another away: what means something stands for any character instead. */
function patternFor(name: string): string {
  if (name.includes("%")) return name.replaceAll(",", "_");
  return name.replaceAll(/[*?[\],]|^\s|\s$/g, "?");
}

const command = (area: SampleArea, ...args: string[]) =>
  runCommand(args, {
    env: {
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
    },
  });

describe("a name", () => {
  it.each(names)("%s goes to and fro as it is, and is read in full-db mode", async (_, name) => {
    const area = areaCalled(name);
    const { result, before } = await reduceSafely(area, { runname: undefined, runId: [2] });
    expect(result.runs).toEqual([expect.objectContaining({ id: 2, runname: name })]);
    expect(completedColumn(area, "SELECT runname FROM runs")).toEqual([name]);
    const read = await command(
      area,
      ...["query", area.directory, "--full-db", "--json"],
      "SELECT runname FROM runs WHERE id = 2",
    );
    expect(read.code).toBe(0);
    expect(read.stdout).toContain(JSON.stringify(name));
    await runRestore(area);
    assertNothingLost(before, unionOf(area));
    expect(readColumn(area.cacheDb, "SELECT runname FROM runs WHERE id = 2")).toEqual([name]);
  });

  it.each(names)("%s chooses its run where it is given as a pattern", async (_, name) => {
    const area = areaCalled(name);
    const { result } = await runReduce(area, { runname: patternFor(name) });
    expect(result.runs.map(({ id }) => id)).toEqual([2]);
  });

  it.each(names)("%s is listed on its line, without what a terminal would obey", async (_, name) => {
    const area = areaCalled(name);
    const { stdout, code } = await command(area, "list-runs", area.directory, "--run-id", "2");
    expect(code).toBe(0);
    const [run, ...lines] = stdout.trimEnd().split("\n");
    expect(run).toContain("id: 2");
    // Below a test that is not PASS stand more lines.
    expect(lines.filter((line) => line.startsWith("  Test: "))).toHaveLength(2);
    expect(lines.every((line) => line.startsWith("  "))).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  });
});
