import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import {
  divergentCacheFiles,
  exportDivergentCache,
  findDivergentCaches,
} from "../../../workers/migrate/pair/divergent-caches.ts";
import { readMark } from "../../../workers/migrate/pair/pair-files.ts";
import { closePair, pairAt, takeSnapshot, twoPairs } from "../../support/hosts.ts";
import { openToWrite } from "../../support/queue.ts";

const never = new AbortController().signal;

const write = (file: string, sql: string) => openToWrite(file, (db) => db.exec(sql));

describe("finding divergent caches on the old host", () => {
  it("takes the closed pair for none, and finds it again once somebody opened it by force", async () => {
    const pairs = twoPairs();
    await takeSnapshot(pairs);
    const pair = pairAt(pairs.area, pairs.old);
    const { mark } = readMark(pair);
    if (mark === undefined) throw new Error("not closed");
    expect(findDivergentCaches(pairs.area, pairs.old, mark)).toEqual([]);
    write(
      pair.megatestDb,
      "DROP TRIGGER mtjobs_closed_insert_runs; INSERT INTO runs (runname) VALUES ('by force')",
    );
    const [divergent] = findDivergentCaches(pairs.area, pairs.old, mark);
    expect(divergent).toMatchObject({ cache: pair.megatestDb, ref: pair.refDb });
  });

  it("closes and copies one that was made anew, and finds it until its copy is whole", async () => {
    const pairs = twoPairs();
    await takeSnapshot(pairs);
    const pair = pairAt(pairs.area, pairs.old);
    const { mark } = readMark(pair);
    if (mark === undefined) throw new Error("not closed");
    // Somebody cleaned /tmp, and a Megatest that never noticed made a cache anew.
    mkdirSync(dirname(pair.megatestDb), { recursive: true });
    for (const file of [pair.megatestDb, pair.refDb ?? ""]) copyFileSync(pairs.area.megatestDb, file);
    const [divergent] = findDivergentCaches(pairs.area, pairs.old, mark);
    if (divergent === undefined) throw new Error("no divergent cache");
    const o = { closed: mark, directory: pairs.directory, n: 1, stepToken: 9, model: pairs.area.megatestDb };
    await expect(
      exportDivergentCache(divergent, { ...o, signal: AbortSignal.abort(new Error("died")) }),
    ).rejects.toThrow("died");
    expect(findDivergentCaches(pairs.area, pairs.old, mark)).toEqual([divergent]);
    await exportDivergentCache(divergent, { ...o, signal: never });
    expect(findDivergentCaches(pairs.area, pairs.old, mark)).toEqual([]);
    const files = divergentCacheFiles(pairs.directory, 1);
    expect([existsSync(files.cache), existsSync(files.ref)]).toEqual([true, true]);
    expect(readdirSync(pairs.directory).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(() => write(pair.megatestDb, "DELETE FROM runs")).toThrow(/homehost moved/);
    closePair(pairs, pairs.old, 9);
  });
});
