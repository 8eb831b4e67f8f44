import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { exportsIn, newArea, readColumn, readRows, temporaryDirectory } from "../support/area.ts";
import { atRest, documentOf, errorCodeOf, runCommand, runPurge, runReduce } from "../support/queue.ts";

const envOf = (area: SampleArea) => ({
  MTJOBS_HOST: area.host,
  MTJOBS_USER: area.user,
  MTJOBS_CACHE_ROOT: area.cacheRoot,
});

describe("mtjobs purge", () => {
  it("asks a person before it purges without an export, and takes --yes for an answer", async () => {
    const area = newArea({ ...atRest, runs: 2 });
    await runReduce(area);
    const words = ["purge", area.directory, "--runname", "%", "--inline", "--json"];
    const env = envOf(area);
    const none = await runCommand(words, { env });
    expect([none.code, errorCodeOf(none)]).toEqual([2, "usage"]);
    const script = await runCommand([...words, "--no-export"], { env });
    expect([script.code, errorCodeOf(script)]).toEqual([3, "unconfirmed"]);
    for (const both of [
      ["--export", "/tmp", "--no-export", "--yes"],
      ["--no-export", "--yes", "--export", "/tmp"],
    ]) {
      const unclear = await runCommand([...words, ...both], { env });
      expect([unclear.code, errorCodeOf(unclear)]).toEqual([2, "usage"]);
    }
    const done = await runCommand([...words, "--no-export", "--yes"], { env });
    expect([done.code, documentOf(done)]).toMatchObject([0, { job: "purge", moved: { runs: 2 } }]);
  });

  it("exports to a directory named from the working one, prints where to, and import takes that file", async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const directory = temporaryDirectory();
    const at = { env: envOf(area), cwd: dirname(directory) };
    const relative = `./${directory.slice(dirname(directory).length + 1)}`;
    const words = ["purge", area.directory, "--run-id", "1", "--export", relative, "--inline"];
    const purged = await runCommand(words, at);
    const [file = ""] = exportsIn(directory);
    expect(purged.stdout).toContain("purged 1 run of");
    expect(purged.stdout).toContain(file);
    const imported = await runCommand(["import", file, area.directory, "--inline"], at);
    expect([imported.code, imported.stdout]).toEqual([0, expect.stringContaining("imported 1 run of")]);
    const again = await runCommand(["import", file, area.directory, "--inline"], at);
    expect(again.code).toBe(3);
    expect(again.stdout).toContain("conflict: 1 run (a run with the same target and name is in the area)");
  });

  it("lists the directories of moved and purged runs, and which of them another run uses", async () => {
    const area = newArea({ ...atRest, runs: 3 });
    const [run] = readRows(area.cacheDb, "SELECT * FROM runs WHERE id = 2");
    const rundirs = readColumn(area.cacheDb, "SELECT DISTINCT rundir FROM tests WHERE run_id = 2");
    const directory = String(rundirs[0]).replace(new RegExp(`(/${run?.runname})/.*`), "$1");
    await runReduce(area);
    await runPurge(area, { export: temporaryDirectory(), runname: undefined, runId: [1] });
    const again = [...area.keys, "runname"];
    const values = again.map((name) => `'${run?.[name]}'`).join(", ");
    const [anew] = readRows(
      area.cacheDb,
      `INSERT INTO runs (${again.join(", ")}) VALUES (${values}) RETURNING id`,
    );
    readRows(
      area.cacheDb,
      `INSERT INTO tests (run_id, testname, rundir) VALUES (${anew?.id}, 't', '${rundirs[0]}') RETURNING id`,
    );
    const words = ["purge", area.directory, "--list-dirs", "--runname", "%", "--json"];
    const { directories } = documentOf(await runCommand(words, { env: envOf(area) })) as {
      directories: {
        directory: string;
        state: string;
        run: { id: number };
        usedBy?: { id: number };
        exists: boolean;
      }[];
    };
    expect(new Set(directories.map(({ run: { id }, state }) => `${id} ${state}`))).toEqual(
      new Set(["1 purged", "2 moved", "3 moved"]),
    );
    const used = directories.filter(({ usedBy }) => usedBy !== undefined);
    expect(used).toEqual([
      expect.objectContaining({
        directory,
        state: "moved",
        exists: false,
        usedBy: expect.objectContaining({ id: anew?.id }),
      }),
    ]);
    const text = await runCommand(words.slice(0, -1), { env: envOf(area) });
    expect(text.stdout).toContain(`in use by run ${anew?.id}`);
    const old = await runCommand([...words, "--age", "100y"], { env: envOf(area) });
    expect(documentOf(old)).toMatchObject({ directories: [] });
    expect(
      (
        await runCommand(["purge", area.directory, "--list-dirs", "--run-id", "1", "--json"], {
          env: envOf(area),
        })
      ).stdout,
    ).toContain('"purged"');
  });
});
