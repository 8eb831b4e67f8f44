import { chmodSync, chownSync, cpSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  edit,
  fileOf,
  fingerprint,
  isRoot,
  newArea,
  nobody,
  plantJournal,
  settleTimes,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runRestore, unionOf } from "../../support/queue.ts";

/** Two areas of one user on one host, with unlike runs. */
function twoAreas(): { a: SampleArea; b: SampleArea; all: () => Record<string, string> } {
  const a = newArea({ runs: 6, testsPerRun: 2, unsynced: false });
  const b = buildArea({
    directory: join(dirname(a.directory), "b1"),
    cacheRoot: a.cacheRoot,
    user: a.user,
    host: a.host,
    runs: 9,
    testsPerRun: 2,
    seed: 2,
    days: 31,
    unsynced: false,
  });
  return { a, b, all: () => fingerprint(dirname(a.directory), a.cacheRoot) };
}

/** Puts B's cache in the place of A's. */
function exchange(a: SampleArea, b: SampleArea): void {
  rmSync(a.cacheDirectory, { recursive: true });
  cpSync(b.cacheDirectory, a.cacheDirectory, { recursive: true, preserveTimestamps: true });
  settleTimes(a);
}

describe("a cache that is reached through a link", () => {
  it("is not worked on: a reduce of one area leaves the other one's cache as it is", async () => {
    const { a, b, all } = twoAreas();
    rmSync(a.cacheDirectory, { recursive: true });
    symlinkSync(b.cacheDirectory, a.cacheDirectory);
    const before = all();
    await expect(runReduce(a)).rejects.toMatchObject({
      code: "not-owner",
      message: expect.stringContaining(a.cacheDirectory),
    });
    await expect(runRestore(a)).rejects.toMatchObject({ code: "not-owner" });
    expect(all()).toEqual(before);
  });

  it.each(["ann", "ann/megatest_localdb", "ann/megatest_localdb/a1"])(
    "is not worked on where the link is %s, on the way to it",
    async (below) => {
      const { a, all } = twoAreas();
      const path = join(a.cacheRoot, below);
      renameSync(path, join(a.cacheRoot, "aside"));
      symlinkSync(join(a.cacheRoot, "aside"), path);
      const before = all();
      await expect(runReduce(a)).rejects.toMatchObject({
        code: "not-owner",
        message: expect.stringContaining(path),
      });
      expect(all()).toEqual(before);
    },
  );

  it.each(["megatest_ref.db", "megatest.db-journal", "megatest.db-wal", "megatest.db-shm"])(
    "is not opened where its %s is a link",
    async (name) => {
      const { a, all } = twoAreas();
      const path = join(a.cacheDirectory, name);
      rmSync(path, { force: true });
      symlinkSync(join(a.cacheRoot, "elsewhere"), path);
      const before = all();
      await expect(runReduce(a)).rejects.toMatchObject({
        code: "not-owner",
        message: expect.stringContaining(path),
      });
      expect(all()).toEqual(before);
    },
  );
});

describe("a journal that names another file, which SQLite would remove", () => {
  it.each(["cache", "ref", "area", "completed"] as const)(
    "ends the job where it lies beside the %s, and the file stays",
    async (place) => {
      const { a, all } = twoAreas();
      if (place === "completed") await reduceSafely(a, { runname: undefined, runId: [1] });
      const victim = join(a.cacheRoot, "victim");
      writeFileSync(victim, "anything");
      plantJournal(place === "completed" ? join(a.directory, "completed-runs.db") : fileOf(a, place), victim);
      const before = all();
      const refusal = {
        code: "not-owner",
        message: expect.stringContaining("-journal names another file, which SQLite would remove"),
      };
      await expect(runReduce(a)).rejects.toMatchObject(refusal);
      await expect(runReduce(a, { dryRun: true })).rejects.toMatchObject(refusal);
      expect(all()).toEqual(before);
    },
  );
});

describe("a cache that others may exchange", () => {
  it.runIf(isRoot).each(["ann", "ann/megatest_localdb", "ann/megatest_localdb/a1", "."])(
    "is not worked on where %s belongs to somebody else, be the worker root",
    async (below) => {
      const { a, all } = twoAreas();
      const path = below === "." ? a.cacheDirectory : join(a.cacheRoot, below);
      chownSync(path, nobody, nobody);
      const before = all();
      await expect(runReduce(a)).rejects.toMatchObject({
        code: "not-owner",
        message: expect.stringContaining(path),
      });
      expect(all()).toEqual(before);
    },
  );

  it("is not worked on where everybody may write to a directory on the way, be it sticky, and is where a group may", async () => {
    const { a } = twoAreas();
    const path = join(a.cacheRoot, "ann/megatest_localdb");
    chmodSync(path, 0o777);
    await expect(runReduce(a)).rejects.toMatchObject({
      code: "not-owner",
      hint: expect.stringContaining("o-w"),
    });
    chmodSync(path, 0o1777);
    await expect(runReduce(a)).rejects.toMatchObject({ code: "not-owner" });
    chmodSync(path, 0o775);
    expect((await reduceSafely(a)).result.moved.runs).toBe(4);
  });
});

describe("a cache of another area in this one's place", () => {
  it("is refused by what it holds, and nothing is changed", async () => {
    const { a, b, all } = twoAreas();
    exchange(a, b);
    const before = all();
    const refusal = { code: "conflict", message: expect.stringContaining(a.cacheDirectory) };
    await expect(runReduce(a)).rejects.toMatchObject(refusal);
    await expect(runReduce(a, { dryRun: true })).rejects.toMatchObject(refusal);
    await expect(runRestore(a)).rejects.toMatchObject(refusal);
    expect(all()).toEqual(before);
  });

  it("is refused where the ref alone is another area's", async () => {
    const { a, b, all } = twoAreas();
    cpSync(b.refDb, a.refDb);
    settleTimes(a);
    const before = all();
    await expect(runReduce(a)).rejects.toMatchObject({ code: "conflict" });
    expect(all()).toEqual(before);
  });

  it("is refused where all runs of this area have moved, and only the guards are left", async () => {
    const { a, b, all } = twoAreas();
    edit(a, ["cache", "ref", "area"], (db) => db.exec("UPDATE tests SET state = 'COMPLETED'"));
    await reduceSafely(a, { runId: [1, 2, 3, 4, 5, 6], runname: undefined });
    exchange(a, b);
    const before = all();
    await expect(runReduce(a)).rejects.toMatchObject({ code: "conflict" });
    expect(all()).toEqual(before);
  });
});

describe("a cache that shares little with megatest.db", () => {
  const register =
    "INSERT INTO runs (runname, sysname, fsname, datapath, state, event_time) VALUES ('new', 'a', 'b', 'c', 'new', 1)";

  it("is worked on where all its old runs have moved and only new ones are in it, not synced yet", async () => {
    const { a } = twoAreas();
    await reduceSafely(a);
    const rest = [5, 6];
    edit(a, ["cache", "ref", "area"], (db) => db.exec(`DELETE FROM tests WHERE run_id IN (${rest})`));
    edit(a, ["cache", "ref", "area"], (db) => db.exec(`DELETE FROM runs WHERE id IN (${rest})`));
    edit(a, ["cache"], (db) => db.exec(register));
    expect(movedIds((await runReduce(a)).result)).toHaveLength(1);
  });

  it("is worked on where a job died between ref and megatest.db, and a run was registered since", async () => {
    const { a } = twoAreas();
    edit(a, ["cache", "ref", "area"], (db) => db.exec("UPDATE tests SET state = 'COMPLETED'"));
    const all = { runId: [1, 2, 3, 4, 5, 6], runname: undefined };
    const failpoint = (name: string) => {
      if (name === "removed-from-ref") throw new Error("died");
    };
    await expect(runReduce(a, all, { failpoint })).rejects.toThrow("died");
    edit(a, ["cache"], (db) => db.exec(register));
    const before = unionOf(a);
    await expect(runReduce(a, { runname: "new" })).resolves.toBeDefined();
    assertNothingLost(before, unionOf(a), {});
  });

  it("is worked on where a sync died after it brought its one new run to the ref", async () => {
    const { a } = twoAreas();
    edit(a, ["cache", "ref", "area"], (db) => db.exec("UPDATE tests SET state = 'COMPLETED'"));
    await reduceSafely(a, { runId: [1, 2, 3, 4, 5, 6], runname: undefined });
    edit(a, ["cache", "ref"], (db) => db.exec(register));
    expect(movedIds((await runReduce(a, { runname: "new" })).result)).toHaveLength(1);
  });

  it("is worked on where the old run was removed from it, which no sync carries, and a new one registered", async () => {
    const { a } = twoAreas();
    edit(a, ["cache"], (db) => db.exec("DELETE FROM runs"));
    edit(a, ["cache"], (db) => db.exec(register));
    await expect(runReduce(a, { runname: "new" })).resolves.toBeDefined();
  });

  it("is worked on where it has no run at all, or megatest.db has none", async () => {
    const { a, b } = twoAreas();
    edit(a, ["cache", "ref"], (db) => db.exec("DELETE FROM runs; DELETE FROM tests"));
    await expect(runReduce(a)).resolves.toBeDefined();
    edit(b, ["area", "ref"], (db) => db.exec("DELETE FROM runs; DELETE FROM tests"));
    await expect(runReduce(b)).resolves.toBeDefined();
  });
});
