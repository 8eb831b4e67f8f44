import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../producers/demo/sample-area/build-area.ts";
import { openConnection } from "../shared/sqlite/connection.ts";
import { raiseFenceToken } from "../workers/area-db/fence.ts";
import { transact } from "../workers/area-db/transaction.ts";
import { edit, filesOf, newArea } from "./support/area.ts";
import { closePart } from "./support/hosts.ts";
import { documentOf, runCommand } from "./support/queue.ts";

const page = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../docs/${name}`, import.meta.url)), "utf8");

/** The blocks of SQL on a page, in order. */
const sqlOn = (name: string) => [...page(name).matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => sql ?? "");

async function reduceAll(area: SampleArea): Promise<Record<string, unknown>> {
  const finished = await runCommand(["reduce", area.directory, "--runname", "%", "--inline", "--json"], {
    env: {
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
    },
  });
  expect([finished.code, finished.stderr]).toEqual([0, ""]);
  return documentOf(finished);
}

function open<T>(file: string, body: (db: Database.Database) => T): T {
  const db = new Database(file);
  try {
    db.pragma("foreign_keys = OFF");
    return body(db);
  } finally {
    db.close();
  }
}

describe("the SQL in the documentation", () => {
  it("lists the runs that count as moved, and gives a superseded version back as it was", async () => {
    const area = newArea({ unsynced: false });
    edit(area, ["cache"], (db) => db.exec("UPDATE tests SET comment = 'it''s newer' WHERE id = 22"));
    const old = open(area.megatestDb, (db) => db.prepare("SELECT * FROM tests WHERE id = 22").get());
    expect(await reduceAll(area)).toMatchObject({ superseded: 0, unsynced: 1 });
    const [listing = "", versions = ""] = sqlOn("interface.md");
    open(filesOf(area).completedDb, (db) => {
      expect(db.prepare(listing).all()).toHaveLength(10);
      const statement = db.prepare(versions).pluck().get() as string;
      expect(db.prepare(statement).get()).toEqual({
        stood_in: "area",
        reason: "newer in the cache",
        ...(old as object),
      });
    });
  });

  it("opens a closed cache by hand", () => {
    const area = newArea({ runs: 1, testsPerRun: 1 });
    const db = openConnection({ cache: area.cacheDb });
    transact(db, () => raiseFenceToken(db, "cache", 1));
    closePart(db, "cache", { token: 1, movedTo: "host-b", closedAt: 0 }, 1);
    db.close();
    // As the shell hands it on.
    const select = /sqlite3 megatest\.db "(SELECT .*)" >/
      .exec(page("migration.md"))?.[1]
      ?.replaceAll('\\"', '"');
    const write = "UPDATE runs SET comment = 'by hand'";
    open(area.cacheDb, (cache) => {
      expect(() => cache.exec(write)).toThrow("homehost moved to host-b");
      const drops = cache
        .prepare<[], string>(select ?? "")
        .pluck()
        .all();
      cache.exec(`${drops.join("\n")} DROP TABLE mtjobs_closed;`);
      expect(() => cache.exec(write)).not.toThrow();
    });
  });
});
