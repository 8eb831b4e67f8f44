import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  truncateSync,
  utimesSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { largestCache } from "../../../shared/area/cache/find-caches.ts";
import { divergentCacheFiles } from "../../../workers/migrate/pair/divergent-caches.ts";
import { readMigrationFiles } from "../../../workers/migrate/state/migration-files.ts";
import { lastMigrationOf } from "../../../workers/migrate/state/open-migrations.ts";
import { awaitWatch } from "../../../workers/migrate/steps/finish.ts";
import { watchOldHome } from "../../../workers/migrate/steps/watch-old-home.ts";
import {
  addSecondCache,
  edit,
  everywhere,
  isRoot,
  keptVersions,
  nobody,
  plantJournal,
  readColumn,
  temporaryDirectory,
} from "../../support/area.ts";
import {
  buildForTwo,
  closeByHand,
  contextOn,
  reconcileBoth,
  switchByHand,
  unionAt,
} from "../../support/hosts.ts";
import { historyOf, openToWrite } from "../../support/queue.ts";

/** An area that has just moved, and on its old home a cache of `nobody` that was written to since. */
async function scene(mode: number, meanwhile = (_: SampleArea) => {}) {
  const root = temporaryDirectory();
  const { area, place } = buildForTwo(root);
  chmodSync(area.megatestDb, mode);
  const o = { ...place, jobId: "migrate-1" };
  cpSync(area.cacheDirectory, join(root, "before"), { recursive: true });
  meanwhile(area);
  await closeByHand(o);
  await switchByHand(o);
  const second = addSecondCache(area, "nobody");
  cpSync(join(root, "before"), second.cacheDirectory, { recursive: true });
  const write = (sql: string) => openToWrite(second.cacheDb, (db) => db.exec(sql));
  write("INSERT INTO runs (runname, state, event_time) VALUES ('of a stranger', 'new', 5)");
  const own = (agoSeconds = 0) => {
    for (let at = second.cacheDirectory; at !== area.cacheRoot; at = dirname(at))
      chownSync(at, nobody, nobody);
    for (const name of readdirSync(second.cacheDirectory)) {
      chownSync(join(second.cacheDirectory, name), nobody, nobody);
    }
    const at = Date.now() / 1000 + 1 - agoSeconds;
    utimesSync(second.cacheDb, at, at);
  };
  own();
  const opened = openArea(area.directory);
  const row = await lastMigrationOf(opened, contextOn("old", o));
  if (row === undefined) throw new Error("not migrated");
  const files = () => readMigrationFiles(opened, row.token).watched;
  const copy = divergentCacheFiles(join(area.directory, ".mtjobs/migration", String(row.token)), 1);
  const watch = (settleMs = 60_000) => watchOldHome(opened, row, { ...contextOn("old", o), settleMs });
  return { area, o, second, write, own, row, files, copy, watch, opened };
}

const bytesOf = (file: string) => readFileSync(file).toString("latin1");

describe.runIf(isRoot)("a cache of another user that changed once the homehost had moved", () => {
  it("does not count if that user may not write to megatest.db: none of its rows is merged", async () => {
    const { area, o, watch, files, copy } = await scene(0o644);
    const before = unionAt(area);
    await watch(0);
    expect(files()?.strays).toBe(0);
    expect(existsSync(copy.cache)).toBe(false);
    await reconcileBoth(o);
    await awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
    expect(unionAt(area)).toEqual(before);
  });

  it("is merged from a copy if that user may: it is neither changed nor closed", async () => {
    const { area, o, second, watch, files, copy } = await scene(0o666);
    const before = bytesOf(second.cacheDb);
    await watch(0);
    expect(files()).toMatchObject({ strays: 1, copied: { [second.cacheDirectory]: { n: 1 } } });
    expect(readColumn(copy.cache, "SELECT count(*) FROM runs WHERE runname = 'of a stranger'")).toEqual([1]);
    expect(existsSync(copy.ref)).toBe(true);
    await reconcileBoth(o);
    await awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM runs WHERE runname = 'of a stranger'")).toEqual([
      1,
    ]);
    expect(bytesOf(second.cacheDb)).toBe(before);
    expect(historyOf(area).at(-1)).toMatchObject({
      warnings: [expect.stringMatching(`${second.cacheDirectory} belongs to nobody and stays open: `)],
    });
  });

  it("does not count if it has no run of the area, as the cache of a deleted area", async () => {
    const { area, o, second, own, watch, files } = await scene(0o666);
    const others = "UPDATE runs SET event_time = event_time + 7, runname = 'x' || runname";
    for (const file of [second.cacheDb, second.refDb]) openToWrite(file, (db) => db.exec(others));
    own(-5);
    const before = unionAt(area);
    await watch(0);
    expect(files()).toMatchObject({ strays: 0, problems: {} });
    await reconcileBoth(o);
    await awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
    expect(unionAt(area)).toEqual(before);
  });

  it.each(["with its ref", "without one"])(
    "brings nothing older over what the home had before it moved, %s",
    async (kind) => {
      const newer = `UPDATE tests SET comment = 'newer' WHERE id = 2; UPDATE metadat SET val = 'newer' WHERE rowid = 1;
        UPDATE test_meta SET description = 'newer' WHERE rowid = 1`;
      const { area, o, watch, second } = await scene(0o666, (area) =>
        edit(area, everywhere, (db) => db.exec(newer)),
      );
      if (kind === "without one") rmSync(second.refDb);
      await watch(0);
      await reconcileBoth(o);
      await awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
      for (const sql of [
        "SELECT comment FROM tests WHERE id = 2",
        "SELECT val FROM metadat WHERE rowid = 1",
        "SELECT description FROM test_meta WHERE rowid = 1",
        "SELECT 'newer' FROM runs WHERE runname = 'of a stranger'",
      ])
        expect(readColumn(area.megatestDb, sql)).toEqual(["newer"]);
      expect(keptVersions(area, "metadat", 1, "val")).toHaveLength(1);
    },
  );

  it("is copied again under the same number when it changed again, and only then", async () => {
    const { write, own, watch, files, copy } = await scene(0o666);
    await watch();
    const first = bytesOf(copy.cache);
    await watch();
    expect(bytesOf(copy.cache)).toBe(first);
    write("UPDATE runs SET status = 'later' WHERE runname = 'of a stranger'");
    own(-5);
    await watch();
    expect(files()?.strays).toBe(1);
    expect(readColumn(copy.cache, "SELECT status FROM runs WHERE runname = 'of a stranger'")).toEqual([
      "later",
    ]);
  });

  it("ends no watch as seen where it is the area that cannot be written to", async () => {
    const { row, watch, files, copy } = await scene(0o666);
    const obstacle = `${copy.cache}.${row.token}.tmp`;
    mkdirSync(obstacle);
    await expect(watch(0)).rejects.toThrow();
    expect(files()).toBeUndefined();
    rmdirSync(obstacle);
    await watch(0);
    expect(files()).toMatchObject({ strays: 1, done: true });
  });

  it("costs no file where a journal is planted beside it", async () => {
    const { area, second, own, watch, files } = await scene(0o666);
    plantJournal(second.cacheDb, area.megatestDb);
    own();
    const before = bytesOf(area.megatestDb);
    await watch();
    expect(bytesOf(area.megatestDb)).toBe(before);
    expect(files()?.strays).toBe(0);
  });

  it("is not copied where it is larger than a cache of the area can be", async () => {
    const { area, o, second, own, watch, files, opened } = await scene(0o666);
    truncateSync(second.cacheDb, largestCache(opened) + 4096);
    own();
    await watch(0);
    expect(files()?.strays).toBe(0);
    // Exit 0 alone would say that all is well.
    await reconcileBoth(o);
    await awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
    expect(historyOf(area).at(-1)).toMatchObject({
      outcome: "migrated",
      warnings: [expect.stringMatching(`${second.cacheDirectory} of nobody is not merged: `)],
    });
  });
});
