import { describe, expect, it } from "vitest";
import {
  completedColumn,
  edit,
  everywhere,
  keptVersions,
  newArea,
  readColumn,
  settleTimes,
} from "../../support/area.ts";
import { divergence, everywhereAtHome, mergeDivergent, writeTo } from "../../support/hosts.ts";

/** What is written to a divergent cache, and to the home's databases. */
function diverged(sql: string, atHome = "") {
  const at = divergence(newArea({ runs: 2, testsPerRun: 2, inFlight: 0 }));
  writeTo(at.divergent, sql);
  if (atHome !== "") edit(at.home, everywhere, (db) => db.exec(atHome));
  return at;
}

describe("a row of a divergent cache that describes the area", () => {
  it("comes home to all three databases where it is new, and by its name, whatever its id", async () => {
    const at = diverged(
      `INSERT INTO test_meta (testname, description) VALUES ('t-new', 'of the stray');
       INSERT INTO metadat (var, val) VALUES ('V-NEW', '1');
       INSERT INTO keys (fieldname, fieldtype) VALUES ('newkey', 'TEXT')`,
      "INSERT INTO test_meta (testname, description) VALUES ('t-home', 'of the home')",
    );
    expect(await mergeDivergent(at)).toEqual({ merged: 3, kept: 0 });
    const described = "SELECT group_concat(description) FROM test_meta WHERE testname IN ('t-new', 't-home')";
    for (const seen of everywhereAtHome(at.home, described))
      expect(String(seen).split(",").sort()).toEqual(["of the home", "of the stray"]);
    expect(everywhereAtHome(at.home, "SELECT val FROM metadat WHERE var = 'V-NEW'")).toEqual(["1", "1", "1"]);
    expect(everywhereAtHome(at.home, "SELECT fieldtype FROM keys WHERE fieldname = 'newkey'")).toEqual([
      "TEXT",
      "TEXT",
      "TEXT",
    ]);
  });

  it("gives its values where it changed there alone, and is kept aside where it changed at home too", async () => {
    const change = (val: string) => `UPDATE metadat SET val = '${val}' WHERE rowid = 1`;
    const alone = diverged(change("stray"));
    expect(await mergeDivergent(alone)).toEqual({ merged: 1, kept: 0 });
    expect(everywhereAtHome(alone.home, "SELECT val FROM metadat WHERE rowid = 1")).toEqual([
      "stray",
      "stray",
      "stray",
    ]);
    const both = diverged(change("stray"), change("home"));
    // Its sync came after the home's.
    writeTo(both.home.megatestDb, change("stray"));
    settleTimes(both.home);
    expect(await mergeDivergent(both)).toEqual({ merged: 0, kept: 1 });
    expect(everywhereAtHome(both.home, "SELECT val FROM metadat WHERE rowid = 1")).toEqual([
      "home",
      "home",
      "home",
    ]);
    expect(keptVersions(both.home, "metadat", 1, "val")).toEqual(['"stray"']);
  });

  it("does not replace a row that only megatest.db has: it is kept aside", async () => {
    const at = diverged("INSERT INTO metadat (id, var, val) VALUES (700, 'of the stray', '1')");
    writeTo(at.home.megatestDb, "INSERT INTO metadat (id, var, val) VALUES (700, 'by hand', '2')");
    settleTimes(at.home);
    expect(await mergeDivergent(at)).toEqual({ merged: 1, kept: 1 });
    expect(everywhereAtHome(at.home, "SELECT var FROM metadat WHERE id = 700")).toEqual(
      Array(3).fill("of the stray"),
    );
    expect(keptVersions(at.home, "metadat", 700, "var")).toEqual(['"by hand"']);
  });

  it("of the archive keeps its id, by which tests name it, or is kept aside if the id is taken", async () => {
    const block = (path: string) =>
      `INSERT INTO archive_blocks (id, archive_disk_id, disk_path) VALUES (900, 1, '${path}')`;
    const alone = diverged(block("/stray"));
    expect(await mergeDivergent(alone)).toEqual({ merged: 1, kept: 0 });
    expect(readColumn(alone.home.cacheDb, "SELECT disk_path FROM archive_blocks WHERE id = 900")).toEqual([
      "/stray",
    ]);
    const both = diverged(block("/stray"), block("/home"));
    expect(await mergeDivergent(both)).toEqual({ merged: 0, kept: 1 });
    expect(readColumn(both.home.cacheDb, "SELECT disk_path FROM archive_blocks WHERE id = 900")).toEqual([
      "/home",
    ]);
    expect(completedColumn(both.home, "SELECT reason FROM mtjobs_superseded")).toEqual([
      "its id belongs to another row at home",
    ]);
  });
});
