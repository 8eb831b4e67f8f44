import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { hostname, userInfo } from "node:os";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { areaStatus } from "../../../producers/areas/status.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { doctorText } from "../../../producers/format/doctor.ts";
import { openReader } from "../../../producers/full-db/open-reader.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { retryWhileBusy, transact } from "../../../workers/area-db/transaction.ts";
import { checkOf, diagnoseArea, filesOf, newArea, placeOf, settleTimes } from "../../support/area.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Another process that has a database locked until the test ends; returns its pid. */
async function lockedBy(file: string, sql: string): Promise<number> {
  const program = `const db = new (require("better-sqlite3"))(process.argv[1]);
    db.exec("BEGIN ${sql}"); db.prepare("SELECT count(*) FROM sqlite_schema").get();
    console.log("locked"); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ["-e", program, file], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child.pid ?? 0;
}

const small = (options = {}) =>
  newArea({ runs: 2, testsPerRun: 2, inFlight: 0, unsynced: false, ...options });
const me = userInfo().username;
const signal = new AbortController().signal;

/** A job's write to one of two databases, with little patience. */
function write(area: SampleArea, part: "cache" | "area"): Promise<unknown> {
  return retryWhileBusy(
    signal,
    () => {
      const db = openConnection({ cache: area.cacheDb, area: area.megatestDb }, { busyTimeoutMs: 20 });
      try {
        transact(db, () => db.exec(`UPDATE ${part}.runs SET comment = 'x' WHERE id = 1`));
      } finally {
        db.close();
      }
    },
    100,
  );
}

function errorOf(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

describe("an error of a database that is busy", () => {
  it.each([
    ["IMMEDIATE", "writing"],
    ["EXCLUSIVE", "writing"],
    ["", "reading"],
  ] as const)("names it, and who holds it: BEGIN %s", async (sql, lock) => {
    const area = small();
    const pid = await lockedBy(area.megatestDb, sql);
    await expect(write(area, "area")).rejects.toMatchObject({
      code: "busy",
      message: `database is busy: ${area.megatestDb} is held by process ${pid} (node, user ${me}) on ${hostname()}, which is ${lock}`,
      details: {
        databases: [{ file: area.megatestDb, holders: [{ pid, user: me, command: "node", lock }] }],
      },
    });
  });

  it("knows of a writer to a cache in WAL mode, too", async () => {
    const area = small({ cacheWal: true });
    const pid = await lockedBy(area.cacheDb, "IMMEDIATE");
    await expect(write(area, "cache")).rejects.toMatchObject({
      code: "busy",
      message: expect.stringContaining(`${area.cacheDb} is held by process ${pid} `),
    });
  });

  it("says that the holder is not to be seen where it is not, as on another host", async () => {
    const area = small();
    const db = new Database(area.megatestDb);
    db.exec("BEGIN IMMEDIATE");
    // As a server that locks a file for another host would answer: no process of this host holds a lock.
    const error = Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
    db.exec("ROLLBACK");
    await expect(
      retryWhileBusy(
        signal,
        () => {
          openConnection({ area: area.megatestDb }).close();
          throw error;
        },
        50,
      ),
    ).rejects.toMatchObject({
      code: "busy",
      message: `database is busy: ${area.megatestDb}; no visible process on ${hostname()} holds it, so one on another host may`,
      details: { databases: [{ file: area.megatestDb, holders: [] }] },
    });
    db.close();
  });

  it("is as clear to those who only read: a query, the doctor, the status", async () => {
    const area = small();
    settleTimes(area);
    const pid = await lockedBy(area.megatestDb, "EXCLUSIVE");
    const holder = `${area.megatestDb} is held by process ${pid} (node, user ${me})`;
    const { megatestDb, completedDb } = filesOf(area);
    const files = { main: megatestDb, source: "megatest.db", megatestDb, completedDb } as const;
    const hint = `wait for process ${pid}, or end it, then try again; queued jobs are retried automatically`;
    expect(errorOf(() => openReader(files, { busyTimeoutMs: 20 }))).toMatchObject({
      message: expect.stringContaining(holder),
      hint,
    });
    const diagnosis = await diagnoseArea(area);
    expect(checkOf(diagnosis, "schema/megatest.db")).toMatchObject({
      ok: null,
      verdict: expect.stringContaining(holder),
      remedy: hint,
    });
    expect(doctorText(diagnosis)).toMatch(/: no problems found; [2-9] checks could not run$/);
    const status = await areaStatus(area.directory, placeOf(area));
    expect(status.problems.join("\n")).toContain(holder);
  });
});
