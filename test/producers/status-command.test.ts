import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { buildArea } from "../../producers/demo/sample-area/build-area.ts";
import { documentOf, errorCodeOf, onQueue, type QueueStage, runCommand } from "../support/queue.ts";

function sampleArea(stage: QueueStage) {
  const cacheRoot = join(stage.root, "tmp");
  return buildArea({
    directory: join(stage.root, "area"),
    cacheRoot,
    user: "u",
    host: "hosta",
    runs: 4,
    testsPerRun: 2,
    unsynced: false,
  });
}

const settings = (stage: QueueStage) => ({
  MTJOBS_REDIS_URL: stage.url,
  MTJOBS_PREFIX: stage.prefix,
  MTJOBS_HOST: "hosta",
  MTJOBS_USER: "u",
  MTJOBS_CACHE_ROOT: join(stage.root, "tmp"),
});

/** Every file below a directory with its size and times. */
function listing(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return Object.fromEntries(
    files.map((name) => {
      const { size, mtimeMs, ino } = statSync(join(directory, name));
      return [name, `${size} ${mtimeMs} ${ino}`];
    }),
  );
}

describe("status", () => {
  it("tells an area's home, cache, sizes, runs, servers and unfinished jobs", () =>
    onQueue(async (stage) => {
      const sample = sampleArea(stage);
      const area = sample.directory;
      writeFileSync(
        join(area, "logs", "server-12345-hosta.log"),
        "SERVER STARTED: 10.0.0.1:8123 AT 1700000000\n",
      );
      const enqueued = await runCommand(["reduce", area, "--runname", "%", "--json"], {
        env: settings(stage),
      });
      const { code, ...finished } = await runCommand(["status", ".", "--json"], {
        env: settings(stage),
        cwd: area,
      });
      expect(code).toBe(0);
      const status = documentOf({ code, ...finished });
      expect(status).toMatchObject({
        area,
        areaId: null,
        name: "area",
        homehost: "hosta",
        pinned: false,
        atHome: true,
        cache: sample.cacheDirectory,
        runs: 4,
        completedRuns: 0,
        lease: null,
        problems: [],
        history: [],
        servers: [{ state: "live", address: "10.0.0.1:8123" }],
        jobs: [{ jobId: documentOf(enqueued).jobId, state: "waiting" }],
      });
      expect(status.bytes).toMatchObject({ "megatest.db": statSync(sample.megatestDb).size });
    }));

  it("changes nothing in the area and its cache", () =>
    onQueue(async (stage) => {
      sampleArea(stage);
      const before = listing(stage.root);
      expect((await runCommand(["status", join(stage.root, "area")], { env: settings(stage) })).code).toBe(0);
      expect(listing(stage.root)).toEqual(before);
    }));

  it("shows the last jobs of the area's history, the newest first", () =>
    onQueue(async (stage) => {
      const { directory } = sampleArea(stage);
      mkdirSync(join(directory, ".mtjobs"));
      const lines = ["old", "new"].map((jobId) =>
        JSON.stringify({ jobId, at: "2026-01-02T03:04:05.000Z", state: "completed", moved: { runs: 3 } }),
      );
      writeFileSync(join(directory, ".mtjobs", "history.jsonl"), `${lines.join("\n")}\n{"torn`);
      const { stdout } = await runCommand(["status", directory], { env: settings(stage) });
      expect(stdout).toMatch(
        /last jobs:\n {2}new +completed +2026-01-02T03:04:05.000Z +3 runs moved\n {2}old /,
      );
    }));

  it("names who holds the area, until the lease has run out", () =>
    onQueue(async (stage) => {
      const { directory, megatestDb } = sampleArea(stage);
      const db = new Database(megatestDb);
      db.exec(`CREATE TABLE mtjobs_fence (id INTEGER PRIMARY KEY, token INTEGER, holder TEXT, job_id TEXT,
        acquired_at INTEGER, renewed_at INTEGER, expires_at INTEGER)`);
      const hold = (expiresAt: number) =>
        db
          .prepare("INSERT OR REPLACE INTO mtjobs_fence VALUES (1, 7, 'hosta 42', 'reduce-x', 0, 0, ?)")
          .run(expiresAt);
      const lease = async () =>
        documentOf(await runCommand(["status", directory, "--json"], { env: settings(stage) })).lease;
      hold(Date.now() + 60_000);
      expect(await lease()).toMatchObject({ token: 7, holder: "hosta 42", jobId: "reduce-x" });
      hold(Date.now() - 1);
      expect(await lease()).toBeNull();
      db.close();
    }));

  it("reports a database it cannot read and tells the rest", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      writeFileSync(join(area, "megatest.db"), "this is no database, whatever its name says".repeat(50));
      const finished = await runCommand(["status", area, "--json"], { env: settings(stage) });
      expect(finished.code).toBe(0);
      expect(documentOf(finished)).toMatchObject({ runs: null, homehost: "hosta" });
      expect(documentOf(finished).problems).toEqual([expect.stringMatching(/^cannot read .*megatest\.db: /)]);
    }));

  it("refuses an area outside the allowed roots with 3", () =>
    onQueue(async (stage) => {
      const { directory } = sampleArea(stage);
      const finished = await runCommand(["status", directory, "--areas", "/usr", "--json"], {
        env: settings(stage),
      });
      expect([finished.code, errorCodeOf(finished)]).toEqual([3, "outside-roots"]);
    }));

  it("lists no host if there is none yet, also not the one that it runs on", () =>
    onQueue(async (stage) => {
      expect(documentOf(await runCommand(["status", "--json"], { env: settings(stage) })).hosts).toEqual([]);
      const plain = await runCommand(["status"], { env: settings(stage) });
      expect([plain.code, plain.stdout]).toEqual([0, expect.stringMatching(/^no hosts yet: /)]);
    }));

  it("lists hosts with their queues and workers, also a host that has only jobs, and no other", () =>
    onQueue(async (stage) => {
      await stage.worker("hostb");
      await stage.add("hostc", "reduce", { v: 1 });
      const { hosts } = documentOf(await runCommand(["status", "--json"], { env: settings(stage) })) as {
        hosts: {
          host: string;
          queue: string;
          worker: { alive: boolean } | null;
          counts: { waiting: number };
        }[];
      };
      expect(hosts.map(({ host, queue }) => [host, queue])).toEqual([
        ["hostb", "host.hostb"],
        ["hostc", "host.hostc"],
      ]);
      expect(hosts.map(({ worker }) => worker?.alive)).toEqual([true, undefined]);
      expect(hosts.map(({ counts }) => counts.waiting)).toEqual([0, 1]);
      const plain = await runCommand(["status"], { env: settings(stage) });
      expect(plain.stdout).toMatch(/^hostb +alive /m);
      expect(plain.stdout).not.toContain("\u001b");
    }));
});
