import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { edit, readRows } from "../../support/area.ts";
import { divideArea, openToWrite, runReduce } from "../../support/queue.ts";

describe("a full-db connection that stays open", () => {
  it("reads the values of a run moved after a column was added, also by a query prepared before", async () => {
    const { area, files } = await divideArea([1]);
    const db = new FullDb(files);
    const star = db.prepare("SELECT * FROM tests WHERE run_id = 2 ORDER BY id");
    const before = star.columns;
    edit(area, ["area", "cache", "ref"], (each) =>
      each.exec("ALTER TABLE tests ADD COLUMN note TEXT; UPDATE tests SET note = 'kept' WHERE run_id = 2"),
    );
    const count = db.prepare("SELECT count(*) AS n FROM tests WHERE note = 'kept'");
    const counted = count.all();
    expect(counted).not.toEqual([{ n: 0 }]);
    await runReduce(area, { runId: [2] });
    expect(count.all()).toEqual(counted);
    expect(count.get()).toEqual(counted[0]);
    expect([...count.iterate()]).toEqual(counted);
    expect([...star.iterate()]).toEqual(
      readRows(files.completedDb, "SELECT * FROM tests WHERE run_id = 2 ORDER BY id"),
    );
    expect(star.columns).toEqual([...before, "note"]);
    db.close();
  });

  it("goes on when a column is dropped, and tells a query that names it", async () => {
    const { area, files } = await divideArea([1], { extraColumns: { tests: "note TEXT" } });
    const db = new FullDb(files);
    const star = db.prepare("SELECT * FROM tests ORDER BY id LIMIT 1");
    const named = db.prepare("SELECT note FROM tests");
    const dropped = star.columns.filter((name) => name !== "note");
    edit(area, ["area", "cache", "ref"], (each) => each.exec("ALTER TABLE tests DROP COLUMN note"));
    openToWrite(files.completedDb, (completed) => completed.exec("ALTER TABLE tests DROP COLUMN note"));
    expect(Object.keys(star.get() ?? {})).toEqual(dropped);
    expect(() => named.all()).toThrow(expect.objectContaining({ code: "bad-query" }));
    db.close();
  });

  it("reads the values of a column that was renamed before a run moved, though the number of columns is the same", async () => {
    const { area, files } = await divideArea([1], { extraColumns: { tests: "old TEXT" } });
    edit(area, ["area", "cache", "ref"], (each) =>
      each.exec("ALTER TABLE tests RENAME COLUMN old TO new; UPDATE tests SET new = 'kept' WHERE run_id = 2"),
    );
    const db = new FullDb(files);
    const count = db.prepare("SELECT count(*) AS n FROM tests WHERE new = 'kept'");
    const counted = count.all();
    expect(counted).not.toEqual([{ n: 0 }]);
    await runReduce(area, { runId: [2] });
    expect(count.all()).toEqual(counted);
    db.close();
  });

  it("is not opened again for a change that leaves the columns as they are", async () => {
    const { area, files } = await divideArea([1]);
    const db = new FullDb(files);
    const { connection } = db;
    edit(area, ["area", "cache"], (each) => each.exec("CREATE INDEX site_state ON tests (state)"));
    openToWrite(files.completedDb, (completed) => completed.exec("CREATE TABLE site (x)"));
    expect(db.connection).toBe(connection);
    edit(area, ["area", "cache"], (each) => each.exec("ALTER TABLE tests ADD COLUMN note"));
    expect(db.connection).not.toBe(connection);
    db.close();
  });
});
