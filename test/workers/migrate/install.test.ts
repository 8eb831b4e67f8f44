import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import type { CachePair } from "../../../shared/area/cache/cache.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { readFence } from "../../../workers/area-db/fence.ts";
import { buildPair } from "../../../workers/migrate/pair/build-pair.ts";
import { closingMessage, isUntouched, readClosed } from "../../../workers/migrate/pair/closed.ts";
import { digestOf, integrityOf } from "../../../workers/migrate/pair/digest.ts";
import { cleanPair, finishCleaning } from "../../../workers/migrate/pair/install.ts";
import { assertNothingLost, openClient, readColumn, unionOfRuns } from "../../support/area.ts";
import {
  closePair,
  install,
  openPart,
  pairAt,
  type TwoPairs,
  takeSnapshot,
  twoPairs,
} from "../../support/hosts.ts";
import { holdOpen, openToWrite } from "../../support/queue.ts";

const never = new AbortController().signal;

const digests = (pair: CachePair) => ({
  cache: digestOf(pair.megatestDb, never),
  ref: digestOf(pair.refDb ?? "", never),
});

/** What a pair says of itself. */
function stateOf(pair: CachePair) {
  const db = openConnection({ cache: pair.megatestDb, ref: pair.refDb ?? "" });
  try {
    return (["cache", "ref"] as const).map((part) => ({
      closed: readClosed(db, part)?.token,
      untouched: isUntouched(db, part),
      fence: readFence(db, part)?.token,
      mode: db.pragma(`${part}.journal_mode`, { simple: true }),
    }));
  } finally {
    db.close();
  }
}

function openPair(pair: CachePair): void {
  const db = openConnection({ cache: pair.megatestDb, ref: pair.refDb ?? "" });
  for (const part of ["cache", "ref"] as const) openPart(db, part, readFence(db, part)?.token ?? 0);
  db.close();
}

/** The pair that a migration before this one left closed on the new host. */
async function withClosedPair(wal = false): Promise<TwoPairs> {
  const pairs = twoPairs();
  await install(pairs, await takeSnapshot(pairs));
  const standing = pairAt(pairs.area, pairs.new);
  if (wal) openToWrite(standing.megatestDb, (db) => db.pragma("journal_mode = WAL"));
  // Back at home, and on to the new host again: the pair there is as it was when it was closed.
  openPair(pairAt(pairs.area, pairs.old));
  openToWrite(pairs.sample.cacheDb, (db) => db.exec("UPDATE tests SET comment = 'since'"));
  return { ...pairs, mark: { ...pairs.mark, token: 20 } };
}

const clean = ({ area, new: settings }: TwoPairs, token: number) =>
  cleanPair({ area, settings, signal: new AbortController().signal }, token, "10.0.0.1");

describe("installing a pair without an existing one", () => {
  it.each([false, true])(
    "brings every row of every table, closed, sound and marked as ready (WAL: %s)",
    async (cacheWal) => {
      const pairs = twoPairs({ cacheWal });
      const before = unionOfRuns(pairs.sample);
      const expected = await takeSnapshot(pairs);
      const steps: string[] = [];
      const pair = await install(pairs, expected, (step) => steps.push(step));
      expect(digests(pair)).toMatchObject({
        cache: { sha256: expected.cache.sha256, rows: { run_stats: expect.any(Number) } },
        ref: { sha256: expected.ref.sha256 },
      });
      expect(integrityOf(pair.megatestDb)).toEqual([]);
      expect(stateOf(pair)).toEqual(
        ["cache", "ref"].map(() => ({ closed: 7, untouched: true, fence: 8, mode: "delete" })),
      );
      expect(steps).toEqual(["pair-copied", "pair-installed"]);
      expect(readdirSync(pair.directory).sort()).toEqual([
        ".ready-megatest",
        ".ready-megatest_ref",
        "megatest.db",
        "megatest_ref.db",
      ]);
      expect(readFileSync(join(pair.directory, ".ready-megatest"), "utf8")).toMatch(/^.+\n$/);
      expect(statSync(pair.megatestDb).mode).toBe(statSync(pairs.area.megatestDb).mode);
      expect(readdirSync(pairs.directory).sort()).toEqual(["cache.db", "ref.db"]);
      const after = unionOfRuns({ ...pairs.sample, cacheDb: pair.megatestDb, refDb: pair.refDb ?? "" });
      assertNothingLost(before, after, {});
    },
  );

  it("hands out ids above the gap once it is open", async () => {
    const pairs = twoPairs();
    const pair = await install(pairs, await takeSnapshot(pairs));
    openPair(pair);
    const client = openClient(pair.megatestDb);
    const run = client.registerRun({ sysname: "a", fsname: "b", datapath: "c" }, "new");
    client.close();
    expect(run).toBe(Number(pairs.gap.runs) + 1);
  });

  it.each(["pair-copied", "pair-installed"])("goes on after it died at %s", async (died) => {
    const pairs = twoPairs();
    const expected = await takeSnapshot(pairs);
    const die = (step: string) => {
      if (step === died) throw new Error("died");
    };
    await expect(install(pairs, expected, die)).rejects.toThrow("died");
    const pair = await install(pairs, expected);
    expect(digests(pair).cache.sha256).toBe(expected.cache.sha256);
    expect(readdirSync(pair.directory)).toHaveLength(4);
  });

  it("finds a snapshot that is not what was closed, and puts nothing in place", async () => {
    const pairs = twoPairs();
    const expected = await takeSnapshot(pairs);
    openToWrite(join(pairs.directory, "cache.db"), (db) =>
      db.exec("DROP TRIGGER mtjobs_closed_delete_test_rundat; DELETE FROM test_rundat WHERE id = 1"),
    );
    await expect(install(pairs, expected)).rejects.toMatchObject({ code: "corrupt" });
    expect(() => pairAt(pairs.area, pairs.new)).toThrow(/no pair/);
    await clean(pairs, 7);
    expect(readdirSync(join(pairs.new.cacheRoot, "ann", "megatest_localdb", pairs.area.name))).toEqual([]);
  });

  it("is undone without a trace, at any step", async () => {
    const pairs = twoPairs();
    await install(pairs, await takeSnapshot(pairs));
    const { directory } = pairAt(pairs.area, pairs.new);
    await clean(pairs, 7);
    await clean(pairs, 7);
    expect(existsSync(directory)).toBe(false);
  });

  it("stays, closed, where it is undone while a process has it open", async () => {
    const pairs = twoPairs();
    const pair = await install(pairs, await takeSnapshot(pairs));
    await holdOpen(pair.refDb ?? "");
    await clean(pairs, 7);
    expect(stateOf(pair)[0]?.closed).toBe(7);
  });

  it("is refused where an open pair stands", async () => {
    const pairs = twoPairs();
    const expected = await takeSnapshot(pairs);
    openPair(await install(pairs, expected));
    await expect(install(pairs, expected)).rejects.toMatchObject({ code: "conflict" });
  });
});

describe.each([false, true])("installing over a closed pair of an earlier migration (WAL: %s)", (wal) => {
  it.each([1024, 16_384])(
    "replaces what the file holds where its pages have another size, %i bytes",
    async (size) => {
      const pairs = await withClosedPair(wal);
      const standing = pairAt(pairs.area, pairs.new);
      const reader = new Database(standing.megatestDb);
      onTestFinished(() => void reader.close());
      expect(reader.prepare("SELECT count(*) FROM tests WHERE comment = 'since'").pluck().get()).toBe(0);
      const source = pairAt(pairs.area, pairs.old);
      for (const file of [source.megatestDb, source.refDb ?? ""])
        openToWrite(file, (db) => db.exec(`PRAGMA page_size = ${size}; VACUUM`));
      const expected = await takeSnapshot(pairs);
      const pair = await install(pairs, expected);
      expect(digests(pair).cache.sha256).toBe(expected.cache.sha256);
      expect(reader.prepare("SELECT count(*) FROM tests WHERE comment = 'since'").pluck().get()).toBe(12);
      expect(readColumn(pair.megatestDb, "PRAGMA integrity_check")).toEqual(["ok"]);
    },
  );

  it("replaces what the file holds, so that a process which has it open reads the new rows and may write none", async () => {
    const pairs = await withClosedPair(wal);
    const reader = new Database(pairAt(pairs.area, pairs.new).megatestDb);
    onTestFinished(() => void reader.close());
    expect(reader.prepare("SELECT count(*) FROM tests WHERE comment = 'since'").pluck().get()).toBe(0);
    const inode = statSync(pairAt(pairs.area, pairs.new).megatestDb).ino;
    const expected = await takeSnapshot(pairs);
    const pair = await install(pairs, expected);
    expect(statSync(pair.megatestDb).ino).toBe(inode);
    expect(digests(pair).cache.sha256).toBe(expected.cache.sha256);
    expect(reader.prepare("SELECT count(*) FROM tests WHERE comment = 'since'").pluck().get()).toBe(12);
    expect(() => reader.exec("DELETE FROM tests")).toThrow(closingMessage("host-b"));
    expect(stateOf(pair)[0]).toEqual({
      closed: 20,
      untouched: true,
      fence: 21,
      mode: wal ? "wal" : "delete",
    });
    expect(readdirSync(pairs.directory)).not.toContain("stray-0.db");
  });

  it("leaves it closed where it is undone, and telling whose home it still is", async () => {
    const pairs = await withClosedPair(wal);
    const pair = await install(pairs, await takeSnapshot(pairs));
    await clean(pairs, 20);
    await clean(pairs, 20);
    finishCleaning({ area: pairs.area, settings: pairs.new }, 20);
    expect(stateOf(pair)[0]).toMatchObject({ closed: 20, untouched: true });
    expect(() => openToWrite(pair.megatestDb, (db) => db.exec("DELETE FROM tests"))).toThrow(
      closingMessage("10.0.0.1"),
    );
    expect(readdirSync(pair.directory).filter((name) => name.startsWith(".mtjobs"))).toEqual([]);
  });

  it("saves to the area first what somebody had written to it since", async () => {
    const pairs = await withClosedPair(wal);
    openToWrite(pairAt(pairs.area, pairs.new).megatestDb, (db) => {
      db.exec("DROP TRIGGER mtjobs_closed_update_runs; UPDATE runs SET comment = 'by force' WHERE id = 1");
    });
    await install(pairs, await takeSnapshot(pairs));
    const divergent = join(pairs.directory, "stray-0.db");
    expect(readColumn(divergent, "SELECT comment FROM runs WHERE id = 1")).toEqual(["by force"]);
    expect(existsSync(join(pairs.directory, "stray-0-ref.db"))).toBe(true);
  });
});

describe("building a pair for a take-over", () => {
  it("gives the cache and its ref every row of megatest.db, closed, with a gap and no table of mtjobs", async () => {
    const pairs = twoPairs();
    const base = pairs.area.megatestDb;
    const { area, new: settings, directory, gap } = pairs;
    const pair = await buildPair({
      area,
      settings,
      token: 7,
      stepToken: 8,
      gapAbove: gap,
      signal: never,
      failpoint: () => {},
      base,
      directory,
      movedTo: "host-b",
    });
    const rows = (file: string) =>
      readColumn(file, "SELECT count(*) FROM tests WHERE testname <> 'mtjobs-id-gap'");
    expect(rows(pair.megatestDb)).toEqual(rows(base));
    expect(digests(pair).cache).toEqual({ ...digests(pair).ref, bytes: expect.any(Number) });
    expect(stateOf(pair)[1]).toEqual({ closed: 7, untouched: true, fence: 8, mode: "delete" });
    closePair({ area, mark: { ...pairs.mark, token: 9 } }, settings, 9);
  });
});
