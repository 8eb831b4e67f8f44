import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { listRuns } from "../../../producers/areas/list-runs.ts";
import { areaStatus } from "../../../producers/areas/status.ts";
import { areaStatusText } from "../../../producers/format/status.ts";
import { checkMigrate } from "../../../producers/jobs/check-migrate.ts";
import { checkRequest } from "../../../producers/jobs/check-move.ts";
import {
  addRunningTest,
  addSecondCache,
  checkOf,
  diagnoseArea,
  edit,
  faultsOf,
  filesOf,
  fingerprint,
  healthyArea,
  isRoot,
  leaveHotJournal,
  makeCacheWal,
  makeRefillDue,
  nobody,
  placeOf,
  plantJournal,
} from "../../support/area.ts";
import { openToWrite, reduceSafely, runReduce } from "../../support/queue.ts";

describe("the doctor on databases", () => {
  it("changes no byte and no time of any file, and creates nothing, whatever the state", async () => {
    const area = healthyArea();
    await reduceSafely(area, { runname: undefined, runId: [1] });
    makeCacheWal(area);
    for (const spoil of [() => {}, () => leaveHotJournal(area), () => truncateSync(area.refDb, 5000)]) {
      spoil();
      const before = fingerprint(area.directory, area.cacheRoot);
      await diagnoseArea(area);
      expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
    }
  });

  it("finds a damaged file, one that is no database, and one that is another's", async () => {
    const area = healthyArea(12);
    const fd = openSync(area.megatestDb, "r+");
    for (let page = 12; page < 24; page++) writeSync(fd, Buffer.alloc(2000, 0x5a), 0, 2000, page * 4096);
    writeFileSync(area.refDb, "no database at all, whatever its name says");
    const diagnosis = await diagnoseArea(area);
    expect(faultsOf(diagnosis)).toEqual(
      expect.arrayContaining(["integrity/megatest.db", "journal/cache/megatest_ref.db"]),
    );
    const foreign = healthyArea();
    rmSync(foreign.cacheDb);
    const db = new Database(foreign.cacheDb);
    db.exec("CREATE TABLE notes (id INTEGER)");
    db.close();
    expect(faultsOf(await diagnoseArea(foreign))).toContain("schema/cache/megatest.db");
    const completed = new Database(filesOf(foreign).completedDb);
    completed.exec("CREATE TABLE runs (id INTEGER)");
    completed.close();
    expect(faultsOf(await diagnoseArea(foreign))).toContain("schema/completed-runs.db");
  });

  it("finds a column that [fields] names and the database lacks", async () => {
    const area = healthyArea();
    edit(area, ["area"], (db) => db.exec("ALTER TABLE runs RENAME COLUMN datapath TO elsewhere"));
    expect(checkOf(await diagnoseArea(area), "schema/megatest.db")).toMatchObject({
      ok: false,
      verdict: expect.stringContaining("has no column datapath named in [fields]"),
    });
  });

  it("finds a hot journal, and megatest.db in WAL mode, without touching either", async () => {
    const hot = healthyArea();
    leaveHotJournal(hot);
    expect(checkOf(await diagnoseArea(hot), "journal/megatest.db")).toMatchObject({
      ok: false,
      verdict: expect.stringContaining("hot"),
    });
    const wal = healthyArea();
    openToWrite(wal.megatestDb, (db) => db.pragma("journal_mode = WAL"));
    const before = fingerprint(wal.directory);
    expect(checkOf(await diagnoseArea(wal), "journal/megatest.db")).toMatchObject({
      ok: false,
      remedy: expect.stringContaining("journal_mode = DELETE"),
    });
    expect(fingerprint(wal.directory)).toEqual(before);
    makeCacheWal(wal);
    expect(checkOf(await diagnoseArea(wal), "journal/cache/megatest.db")).toMatchObject({ ok: true });
  });

  it.each(["megatest.db", "completed-runs.db"])(
    "finds a journal that names another file beside %s, where all else is refused, and opens nothing",
    async (name) => {
      const area = healthyArea();
      const journal = join(area.directory, `${name}-journal`);
      const victim = join(area.cacheRoot, "victim");
      writeFileSync(victim, "anything");
      plantJournal(area.megatestDb, victim);
      renameSync(`${area.megatestDb}-journal`, journal);
      const before = fingerprint(area.directory, area.cacheRoot);
      const message = `${journal} names another file, which SQLite would remove`;
      const diagnosis = await diagnoseArea(area);
      expect(diagnosis.ok).toBe(false);
      expect(checkOf(diagnosis, "homehost").ok).toBe(true);
      expect(checkOf(diagnosis, `journal/${name}`)).toMatchObject({
        ok: false,
        verdict: message,
        remedy: expect.stringContaining("check who created it"),
        details: { code: "not-owner" },
      });
      const place = placeOf(area);
      expect((await areaStatus(area.directory, place)).problems.join()).toContain(message);
      const refusal = { code: "not-owner", message };
      const request = { area: area.directory, runname: "%" };
      await expect(checkRequest("reduce", request, place)).rejects.toMatchObject(refusal);
      await expect(checkMigrate(area.directory, { to: "b" }, place)).rejects.toMatchObject(refusal);
      await expect(listRuns(area.directory, {}, place)).rejects.toMatchObject(refusal);
      expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
    },
  );

  it("checks integrity in full only where the area is quiet, and says why not", async () => {
    const area = healthyArea();
    await reduceSafely(area, { runname: undefined, runId: [1] });
    addRunningTest(area, 3, 60);
    const flying = await diagnoseArea(area);
    expect(checkOf(flying, "integrity/megatest.db")).toMatchObject({
      ok: null,
      verdict: "not fully checked: tests are running",
    });
    expect(checkOf(flying, "integrity/completed-runs.db").ok).toBe(true);
  });
});

describe("the doctor on what lies around", () => {
  it("warns of what a link in the cache's path leads to before it says to remove it, as a job does and status", async () => {
    const area = healthyArea();
    const aside = join(area.cacheRoot, "aside");
    renameSync(area.cacheDirectory, aside);
    symlinkSync(aside, area.cacheDirectory);
    const hint =
      "check who created it and what it points to before removing it; to keep caches on another disk, mount it there (mount --bind)";
    const message = `${area.cacheDirectory} is a link, not a directory`;
    expect(checkOf(await diagnoseArea(area), "cache")).toMatchObject({
      ok: false,
      verdict: message,
      remedy: hint,
      details: { code: "not-owner" },
    });
    await expect(runReduce(area)).rejects.toMatchObject({ code: "not-owner", message, hint });
    const status = await areaStatus(area.directory, placeOf(area));
    expect(status).toMatchObject({ cache: null, cacheOnlyRuns: null, problems: [message] });
    const text = areaStatusText(status, { jobs: [], automatic: [] });
    expect(text).toMatch(/^cache +not checked: see below$/m);
  });

  it("names every cache, who has it open, and refuses more than one in use", async () => {
    const area = healthyArea();
    const holder = spawn("sleep", ["60"], {
      stdio: ["ignore", "ignore", "ignore", openSync(area.cacheDb, "r")],
    });
    await once(holder, "spawn");
    const { details } = checkOf(await diagnoseArea(area), "caches");
    holder.kill();
    expect(details).toMatchObject({ caches: [{ selected: true, openBy: [holder.pid] }] });
    if (process.getuid?.() !== 0) return;
    const other = addSecondCache(area, "root").cacheDirectory;
    const several = await diagnoseArea(area);
    expect(faultsOf(several)).toEqual(["caches"]);
    expect(checkOf(several, "caches")).toMatchObject({
      verdict: `the area has more than one cache in use; besides ${area.cacheDirectory}: ${other} (of root; changed within a day)`,
      remedy: expect.stringMatching(/^a cache that is synced is ignored one day after/),
    });
  });

  it.runIf(isRoot)("names the user who has the own cache's directory, as one fault", async () => {
    const area = healthyArea();
    chownSync(area.cacheDirectory, nobody, nobody);
    const diagnosis = await diagnoseArea(area);
    expect(faultsOf(diagnosis)).toEqual(["cache"]);
    expect(checkOf(diagnosis, "cache").verdict).toBe(
      `${area.cacheDirectory} belongs to nobody (user ${nobody}), not to root or "${area.user}"`,
    );
    expect(checkOf(diagnosis, "caches")).toMatchObject({
      ok: null,
      verdict: "not checked: see cache",
      details: { code: "not-owner" },
    });
  });

  it.runIf(isRoot)(
    "counts another user's cache as a job does: only where he could write to megatest.db",
    async () => {
      const area = healthyArea();
      addSecondCache(area, "nobody");
      chownSync(join(area.cacheRoot, "nobody"), nobody, nobody);
      const check = checkOf(await diagnoseArea(area), "caches");
      expect(check).toMatchObject({
        ok: true,
        details: { caches: [{}, { owner: "nobody", mayWrite: false }] },
      });
      expect(check.verdict).toContain("is ignored");
      await reduceSafely(area, { runname: undefined, runId: [1] });
      chmodSync(area.megatestDb, 0o666);
      expect(faultsOf(await diagnoseArea(area))).toEqual(["caches"]);
      await expect(reduceSafely(area)).rejects.toMatchObject({ code: "several-caches" });
    },
  );

  it("notes a cache without its marks, and a refill that is due", async () => {
    const area = healthyArea();
    makeRefillDue(area);
    expect(checkOf(await diagnoseArea(area), "cache")).toMatchObject({
      ok: null,
      verdict: expect.stringContaining("newer than the cache"),
    });
    rmSync(join(area.cacheDirectory, ".ready-megatest"));
    expect(checkOf(await diagnoseArea(area), "cache").verdict).toContain(".ready-megatest");
    rmSync(area.cacheRoot, { recursive: true });
    expect(checkOf(await diagnoseArea(area), "cache")).toMatchObject({ ok: true });
  });

  it("finds no homehost, and one that is no host", async () => {
    const area = healthyArea();
    writeFileSync(join(area.directory, ".homehost"), "two words\n");
    expect(faultsOf(await diagnoseArea(area))).toEqual(["homehost"]);
    writeFileSync(join(area.directory, ".homehost"), "\r\n");
    expect(checkOf(await diagnoseArea(area), "homehost")).toMatchObject({
      ok: false,
      verdict: expect.stringContaining("is empty: Megatest treats no host as the homehost"),
    });
    rmSync(join(area.directory, ".homehost"));
    expect(checkOf(await diagnoseArea(area), "homehost")).toMatchObject({
      ok: false,
      verdict: expect.stringContaining("missing or empty"),
    });
  });

  it("does not take a loopback address for a host that one can go to, and neither does a job", async () => {
    const area = healthyArea();
    writeFileSync(join(area.directory, ".homehost"), "127.0.1.1\n");
    const where =
      "the host whose own address is 127.0.1.1 (a loopback address; check which host has the area's cache)";
    expect(checkOf(await diagnoseArea(area, "host-b"), "homehost").remedy).toContain(
      `also run mtjobs doctor on ${where};`,
    );
    await expect(runReduce({ ...area, host: "host-b" })).rejects.toMatchObject({
      code: "not-home",
      hint: expect.stringContaining(`run the job on ${where}`),
    });
  });

  it("says on another host which checks need the homehost, and finds nothing wrong by that", async () => {
    const diagnosis = await diagnoseArea(healthyArea(), "host-b");
    expect(checkOf(diagnosis, "homehost")).toMatchObject({
      ok: null,
      remedy: expect.stringContaining("host-a"),
    });
    expect(checkOf(diagnosis, "caches")).toMatchObject({ ok: null });
    expect(checkOf(diagnosis, "integrity/megatest.db")).toMatchObject({ ok: null });
    expect(diagnosis.ok).toBe(true);
  });

  it("notes the id of a copied area, a pinned one, silent servers, and files of a dead job", async () => {
    const area = healthyArea();
    const own = join(area.directory, ".mtjobs");
    mkdirSync(own);
    const id = "dc02848b-2566-4fef-840d-00ca40cd588a";
    writeFileSync(join(own, "area-id"), JSON.stringify({ id, inode: "1" }));
    writeFileSync(join(own, "clock-old"), "x");
    utimesSync(join(own, "clock-old"), 7, 7);
    writeFileSync(
      join(area.directory, "megatest.config"),
      "[fields]\nsysname TEXT\n[server]\nhomehost host-a\n",
    );
    const log = join(area.directory, "logs", `server-${process.pid}-host-a.log`);
    writeFileSync(log, "SERVER STARTED: host-a:8080 AT 5\n");
    utimesSync(log, Date.now() / 1000 - 60, Date.now() / 1000 - 60);
    const diagnosis = await diagnoseArea(area);
    for (const name of ["area-id", "pinned", "servers", "left-files"]) {
      expect([name, checkOf(diagnosis, name).ok]).toEqual([name, null]);
    }
    expect(diagnosis).toMatchObject({ ok: true, areaId: null });
  });
});
