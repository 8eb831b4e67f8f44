import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { copyDatabase, writeSnapshot } from "../../../workers/migrate/pair/copy-database.ts";
import { withPairGuard } from "../../../workers/migrate/pair/pair-guard.ts";
import { pairAt, takeSnapshot, twoPairs } from "../../support/hosts.ts";
import { mayMount, mountSmall } from "../../support/queue.ts";

const never = new AbortController().signal;

describe("the snapshot of a closed pair", () => {
  it("replaces one that is there, leaves nothing temporary, and has megatest.db's mode and no WAL", async () => {
    const pairs = twoPairs({ cacheWal: true });
    await takeSnapshot(pairs);
    writeFileSync(join(pairs.directory, "cache.db.7.tmp"), "half");
    await takeSnapshot(pairs);
    expect(readdirSync(pairs.directory).sort()).toEqual(["cache.db", "ref.db"]);
    const db = new Database(join(pairs.directory, "cache.db"), { readonly: true });
    expect(db.pragma("journal_mode", { simple: true })).toBe("delete");
    db.close();
    expect(statSync(join(pairs.directory, "ref.db")).mode).toBe(statSync(pairs.area.megatestDb).mode);
  });

  it("has only the cache if it has no ref", async () => {
    const pairs = twoPairs();
    const pair = pairAt(pairs.area, pairs.old);
    const o = { directory: pairs.directory, stepToken: 7, model: pairs.area.megatestDb, signal: never };
    const sizes = await writeSnapshot({ pair: { ...pair, refDb: undefined }, ...o });
    expect(sizes).toEqual({ cache: statSync(join(pairs.directory, "cache.db")).size });
    expect(readdirSync(pairs.directory)).toEqual(["cache.db"]);
  });

  it("ends with the signal's reason and leaves nothing", async () => {
    const pairs = twoPairs();
    const reason = new Error("enough");
    const o = { directory: pairs.directory, stepToken: 7, model: pairs.area.megatestDb };
    const pair = pairAt(pairs.area, pairs.old);
    await expect(writeSnapshot({ pair, ...o, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(readdirSync(pairs.directory)).toEqual([]);
  });

  it.runIf(mayMount())("is given up where the area is full, and leaves nothing", async () => {
    const pairs = twoPairs({ runs: 60, testsPerRun: 20 });
    const directory = join(pairs.area.realPath, "full");
    mountSmall(directory, 1);
    const pair = pairAt(pairs.area, pairs.old);
    const o = { directory, stepToken: 7, model: pairs.area.megatestDb, signal: never };
    await expect(writeSnapshot({ pair, ...o })).rejects.toMatchObject({ code: "SQLITE_FULL" });
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("copying a database", () => {
  it("never takes a locked source for a whole one", async () => {
    const pairs = twoPairs();
    const pair = pairAt(pairs.area, pairs.old);
    const writer = new Database(pair.megatestDb);
    onTestFinished(() => void writer.close());
    writer.exec("BEGIN EXCLUSIVE");
    const target = join(pairs.directory, "copy.db");
    writeFileSync(target, "");
    const copying = copyDatabase(pair.megatestDb, target, AbortSignal.timeout(300));
    await expect(copying).rejects.toThrow();
    expect(statSync(target).size).toBe(0);
    writer.exec("COMMIT");
    await copyDatabase(pair.megatestDb, target, never);
    expect(statSync(target).size).toBe(statSync(pair.megatestDb).size);
  });
});

describe("the guard of a host's pairs", () => {
  it("lets one in at a time, and is busy for the other after a while", async () => {
    const { new: settings } = twoPairs();
    const entered: string[] = [];
    let leave = () => {};
    const first = withPairGuard(settings, async () => {
      entered.push("first");
      await new Promise<void>((resolve) => {
        leave = resolve;
      });
    });
    const second = withPairGuard(settings, async () => void entered.push("second"), 200);
    await expect(second).rejects.toMatchObject({ code: "busy" });
    leave();
    await first;
    await withPairGuard(settings, async () => void entered.push("third"));
    expect(entered).toEqual(["first", "third"]);
  });

  it("lets the next one in after an error", async () => {
    const { new: settings } = twoPairs();
    await expect(withPairGuard(settings, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await withPairGuard(settings, async () => 1)).toBe(1);
  });

  it("follows no link that somebody put in its way", async () => {
    const { new: settings, area } = twoPairs();
    mkdirSync(join(settings.cacheRoot, "elsewhere"));
    symlinkSync(join(settings.cacheRoot, "elsewhere"), join(settings.cacheRoot, settings.user));
    await expect(withPairGuard(settings, async () => 1)).rejects.toMatchObject({ code: "not-owner" });
    expect(existsSync(area.megatestDb)).toBe(true);
  });
});
