import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { mergeCache } from "../../../workers/migrate/merge/merge-cache.ts";
import {
  completedColumn,
  edit,
  everywhere,
  keptVersions,
  newArea,
  readColumn,
  settleTimes,
} from "../../support/area.ts";
import { openToWrite, withMove } from "../../support/queue.ts";

/** An area at home, and what was written to a divergent cache since the two parted. */
function fork(sql: string, atHome = "") {
  const home = newArea({ runs: 2, testsPerRun: 2, inFlight: 0 });
  const [divergent, base] = [join(home.directory, "stray.db"), join(home.directory, "stray-ref.db")];
  copyFileSync(home.cacheDb, divergent);
  copyFileSync(home.refDb, base);
  openToWrite(divergent, (db) => db.exec(sql));
  if (atHome !== "") edit(home, everywhere, (db) => db.exec(atHome));
  settleTimes(home);
  return { home, divergent, base };
}

/** Merges twice, as one that died in between would; the second brings nothing. */
function merge({ home, divergent, base }: ReturnType<typeof fork>) {
  return withMove(home, async (session) => {
    const first = await mergeCache({ session, divergent, base });
    expect((await mergeCache({ session, divergent, base })).merged).toBe(0);
    return first;
  });
}

const atHome = (home: SampleArea, sql: string) =>
  [home.cacheDb, home.refDb, home.megatestDb].map((file) => readColumn(file, sql)[0]);

describe("a row of a divergent cache that describes the area", () => {
  it("comes home to all three databases where it is new, and by its name, whatever its id", async () => {
    const at = fork(
      `INSERT INTO test_meta (testname, description) VALUES ('t-new', 'of the stray');
       INSERT INTO metadat (var, val) VALUES ('V-NEW', '1');
       INSERT INTO keys (fieldname, fieldtype) VALUES ('newkey', 'TEXT')`,
      "INSERT INTO test_meta (testname, description) VALUES ('t-home', 'of the home')",
    );
    expect(await merge(at)).toEqual({ merged: 3, kept: 0 });
    const described = "SELECT group_concat(description) FROM test_meta WHERE testname IN ('t-new', 't-home')";
    for (const seen of atHome(at.home, described))
      expect(String(seen).split(",").sort()).toEqual(["of the home", "of the stray"]);
    expect(atHome(at.home, "SELECT val FROM metadat WHERE var = 'V-NEW'")).toEqual(["1", "1", "1"]);
    expect(atHome(at.home, "SELECT fieldtype FROM keys WHERE fieldname = 'newkey'")).toEqual([
      "TEXT",
      "TEXT",
      "TEXT",
    ]);
  });

  it("gives its values where it changed there alone, and is kept aside where it changed at home too", async () => {
    const change = (val: string) => `UPDATE metadat SET val = '${val}' WHERE rowid = 1`;
    const alone = fork(change("stray"));
    expect(await merge(alone)).toEqual({ merged: 1, kept: 0 });
    expect(atHome(alone.home, "SELECT val FROM metadat WHERE rowid = 1")).toEqual([
      "stray",
      "stray",
      "stray",
    ]);
    const both = fork(change("stray"), change("home"));
    // Its sync came after the home's.
    openToWrite(both.home.megatestDb, (db) => db.exec(change("stray")));
    settleTimes(both.home);
    expect(await merge(both)).toEqual({ merged: 0, kept: 1 });
    expect(atHome(both.home, "SELECT val FROM metadat WHERE rowid = 1")).toEqual(["home", "home", "home"]);
    expect(keptVersions(both.home, "metadat", 1, "val")).toEqual(['"stray"']);
  });

  it("does not replace a row that only megatest.db has: it is kept aside", async () => {
    const at = fork("INSERT INTO metadat (id, var, val) VALUES (700, 'of the stray', '1')");
    openToWrite(at.home.megatestDb, (db) =>
      db.exec("INSERT INTO metadat (id, var, val) VALUES (700, 'by hand', '2')"),
    );
    settleTimes(at.home);
    expect(await merge(at)).toEqual({ merged: 1, kept: 1 });
    expect(atHome(at.home, "SELECT var FROM metadat WHERE id = 700")).toEqual(Array(3).fill("of the stray"));
    expect(keptVersions(at.home, "metadat", 700, "var")).toEqual(['"by hand"']);
  });

  it("of the archive keeps its id, by which tests name it, or is kept aside if the id is taken", async () => {
    const block = (path: string) =>
      `INSERT INTO archive_blocks (id, archive_disk_id, disk_path) VALUES (900, 1, '${path}')`;
    const alone = fork(block("/stray"));
    expect(await merge(alone)).toEqual({ merged: 1, kept: 0 });
    expect(readColumn(alone.home.cacheDb, "SELECT disk_path FROM archive_blocks WHERE id = 900")).toEqual([
      "/stray",
    ]);
    const both = fork(block("/stray"), block("/home"));
    expect(await merge(both)).toEqual({ merged: 0, kept: 1 });
    expect(readColumn(both.home.cacheDb, "SELECT disk_path FROM archive_blocks WHERE id = 900")).toEqual([
      "/home",
    ]);
    expect(completedColumn(both.home, "SELECT reason FROM mtjobs_superseded")).toEqual([
      "its id belongs to another row at home",
    ]);
  });
});
