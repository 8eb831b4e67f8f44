import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, exportsIn, newArea, temporaryDirectory } from "../support/area.ts";
import {
  atRest,
  documentOf,
  errorCodeOf,
  runCommand,
  runImport,
  runPurge,
  runReduce,
} from "../support/queue.ts";

const envOf = (area: SampleArea) => ({
  MTJOBS_HOST: area.host,
  MTJOBS_USER: area.user,
  MTJOBS_CACHE_ROOT: area.cacheRoot,
});

interface Listed {
  directory: string;
  state: string;
  run: { id: number };
  exists: boolean | null;
  usedBy?: { id: number };
}

async function listed(area: SampleArea): Promise<Listed[]> {
  const words = ["purge", area.directory, "--list-dirs", "--json"];
  return (documentOf(await runCommand(words, { env: envOf(area) })) as { directories: Listed[] }).directories;
}

const setRundir = (area: SampleArea, run: number, rundir: string) =>
  edit(area, everywhere, (db) => {
    db.prepare("UPDATE tests SET rundir = ?, shortdir = NULL WHERE run_id = ?").run(rundir, run);
  });

describe("mtjobs purge --list-dirs", () => {
  it("says that a moved run uses the directory of a purged one", async () => {
    const area = newArea({ ...atRest, runs: 3 });
    for (const run of [1, 2]) setRundir(area, run, "/runs/shared/t1");
    setRundir(area, 3, "/runs/alone/t1");
    await runReduce(area);
    await runPurge(area, { export: temporaryDirectory(), runname: undefined, runId: [1] });
    expect((await listed(area)).map(({ run, state, usedBy }) => [run.id, state, usedBy?.id])).toEqual([
      [2, "moved", undefined],
      [3, "moved", undefined],
      [1, "purged", 2],
    ]);
  });

  it("says that two moved runs use one directory, and a run that was imported again its own", async () => {
    const area = newArea({ ...atRest, runs: 2 });
    for (const run of [1, 2]) setRundir(area, run, "/runs/shared/t1");
    await runReduce(area);
    const directory = temporaryDirectory();
    expect((await listed(area)).map(({ run, usedBy }) => [run.id, usedBy?.id])).toEqual([
      [1, 2],
      [2, 1],
    ]);
    await runPurge(area, { export: directory });
    await runImport(area, exportsIn(directory)[0] ?? "");
    expect((await listed(area)).map(({ run, state, usedBy }) => [run.id, state, usedBy?.id])).toEqual([
      [1, "moved", undefined],
      [1, "purged", 1],
      [2, "purged", 1],
    ]);
  });

  it("lists the others if one cannot be looked at, and says so", async () => {
    const area = newArea({ ...atRest, runs: 3 });
    const loop = join(temporaryDirectory(), "loop");
    symlinkSync(loop, loop);
    setRundir(area, 1, join(loop, "t1"));
    setRundir(area, 2, `/${"x".repeat(5000)}`);
    setRundir(area, 3, "/runs/a\0b");
    await runReduce(area);
    expect((await listed(area)).map(({ run, exists }) => [run.id, exists])).toEqual([
      [1, null],
      [2, false],
      [3, false],
    ]);
    const text = await runCommand(["purge", area.directory, "--list-dirs"], { env: envOf(area) });
    expect(text.stdout).toContain("cannot be seen");
  });

  it.each([["--all"], ["--keep", "3"], ["--state", "new"], ["--status", "n/a"]])(
    "refuses %s, by which it does not choose",
    async (...words) => {
      const area = newArea({ ...atRest, runs: 1 });
      const place = words[0] === "--all" ? [] : [area.directory];
      const refused = await runCommand(["purge", ...place, "--list-dirs", ...words, "--json"], {
        env: { ...envOf(area), MTJOBS_AREAS: area.directory },
        cwd: area.directory,
      });
      expect([refused.code, errorCodeOf(refused)]).toEqual([2, "usage"]);
    },
  );

  it("is not what an empty --export or file means", async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const at = { env: envOf(area), cwd: temporaryDirectory() };
    const words = ["purge", area.directory, "--runname", "%", "--inline", "--json"];
    const purge = await runCommand([...words, "--export", ""], at);
    expect([purge.code, errorCodeOf(purge)]).toEqual([2, "usage"]);
    const file = await runCommand(["import", "", area.directory, "--inline", "--json"], at);
    expect([file.code, errorCodeOf(file)]).toEqual([2, "usage"]);
  });
});
