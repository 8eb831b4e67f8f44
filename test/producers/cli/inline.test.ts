import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { assertNothingLost, filesOf, newArea, unionOfRuns, waitFor, writeFile } from "../../support/area.ts";
import {
  documentOf,
  errorCodeOf,
  historyOf,
  type Running,
  runCommand,
  startCommand,
  withRedis,
} from "../../support/queue.ts";

/** No server listens there: what works with it needs no Redis. */
const noRedis = "redis://127.0.0.1:1";

function environment(area: SampleArea, more: Record<string, string> = {}): Record<string, string> {
  return {
    MTJOBS_HOST: area.host,
    MTJOBS_USER: area.user,
    MTJOBS_CACHE_ROOT: area.cacheRoot,
    MTJOBS_REDIS_URL: noRedis,
    ...more,
  };
}

function reduceInline(area: SampleArea, args: readonly string[], more: Record<string, string> = {}) {
  return runCommand(["reduce", area.directory, "--inline", ...args], { env: environment(area, more) });
}

/** Every file below the area and its cache with its content, and the directories. */
function fingerprint(area: SampleArea): Record<string, string> {
  const base = dirname(dirname(area.directory));
  return Object.fromEntries(
    readdirSync(base, { recursive: true, encoding: "utf8" })
      .sort()
      .map((name) => {
        const path = join(base, name);
        const content = statSync(path).isDirectory() ? "directory" : readFileSync(path);
        return [name, createHash("sha256").update(content).digest("hex")];
      }),
  );
}

/** Starts a reduce that stops itself, lease in hand, once the first runs are copied and verified. */
async function startHeldReduce(area: SampleArea): Promise<Running> {
  const held = startCommand(["reduce", area.directory, "--inline", "--json", "--runname", "%"], {
    env: environment(area, { MTJOBS_FAILPOINT: "verified=stop" }),
  });
  await waitFor("the job to stop itself", () => isStopped(held.child.pid), { state: held.stderr });
  return held;
}

function isStopped(pid: number | undefined): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

describe("reduce --inline", () => {
  it("moves runs without Redis and prints the result as the one document on stdout", async () => {
    const area = newArea();
    const before = unionOfRuns(filesOf(area));
    const finished = await reduceInline(area, ["--runname", "%", "--json"]);
    assertNothingLost(before, unionOfRuns(filesOf(area)));
    expect(finished).toMatchObject({ code: 0, stderr: "" });
    const document = documentOf(finished);
    expect(document).toMatchObject({
      jobId: expect.stringMatching(/^reduce-[0-9a-f]{16}$/),
      job: "reduce",
      area: area.directory,
      areaId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      host: "host-a",
      state: "completed",
      dryRun: false,
      moved: { runs: 10, tests: 100 },
      skippedCounts: { "in-flight": 2 },
      superseded: expect.any(Number),
      late: 0,
      warnings: [expect.stringContaining("at most 8 MiB")],
      elapsedMs: expect.any(Number),
    });
    const { runs, skipped, bytes } = document as {
      runs: { id: number; target: string; runname: string }[];
      skipped: { id: number; reason: string }[];
      bytes: Record<string, { before: number; after: number }>;
    };
    expect(runs.map(({ id }) => id).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(runs[0]?.target.split("/")).toHaveLength(3);
    expect(skipped.map(({ id, reason }) => [id, reason])).toEqual([
      [11, "in-flight"],
      [12, "in-flight"],
    ]);
    const completed = statSync(filesOf(area).completedDb).size;
    expect(bytes["completed-runs.db"]).toEqual({ before: 0, after: completed });
    expect(Object.keys(bytes)).toEqual(expect.arrayContaining(["megatest.db", "cache/megatest.db"]));
  });

  it("tells people the story on stderr and the result on stdout", async () => {
    const area = newArea();
    const { code, stdout, stderr } = await reduceInline(area, ["--runname", "%"]);
    expect(code).toBe(0);
    expect(stderr).toContain("Matching runs, to be checked for running tests: 12.");
    expect(stdout).toMatch(/^reduce-[0-9a-f]{16}: moved 10 runs of /);
    expect(stdout).toContain("in-flight: 2 runs (with a test that is or may be running)");
    const again = await reduceInline(area, ["--runname", "%"]);
    expect(again.stdout).toMatch(/^reduce-[0-9a-f]{16}: moved 0 runs of /);
  });

  it("with --dry-run says what would move and changes no byte of anything", async () => {
    const area = newArea();
    const before = fingerprint(area);
    const json = await reduceInline(area, ["--runname", "%", "--dry-run", "--json"]);
    expect(json).toMatchObject({ code: 0, stderr: "" });
    expect(documentOf(json)).toMatchObject({
      areaId: null,
      dryRun: true,
      state: "completed",
      moved: { runs: 10, tests: 100 },
      skippedCounts: { "in-flight": 2 },
    });
    const plain = await reduceInline(area, ["--runname", "%", "--dry-run"]);
    expect(plain.stdout).toMatch(/^reduce-[0-9a-f]{16}: would move 10 runs of /);
    expect(fingerprint(area)).toEqual(before);
    const done = documentOf(await reduceInline(area, ["--runname", "%", "--json"]));
    expect(done.moved).toEqual(documentOf(json).moved);
  });

  it("takes the working directory for the area, and Megatest's spelling", async () => {
    const area = newArea();
    const finished = await runCommand(["-reduce-records", "-runname", "%", "-inline", "-json"], {
      env: environment(area),
      cwd: area.directory,
    });
    expect(finished.code).toBe(0);
    expect(documentOf(finished)).toMatchObject({ area: area.directory, moved: { runs: 10 } });
  });

  it("ends at SIGTERM as at Ctrl-C, and leaves one line in the history, as cancelled", async () => {
    const area = newArea({ runs: 30 });
    const held = await startHeldReduce(area);
    held.child.kill("SIGTERM");
    held.child.kill("SIGCONT");
    expect((await held.finished).code).toBe(130);
    const rest = documentOf(await reduceInline(area, ["--runname", "%", "--json"])) as {
      moved: { runs: number };
    };
    const lines = historyOf(area) as unknown as { state: string; moved: { runs: number } }[];
    expect(lines.map(({ state }) => state)).toEqual(["cancelled", "completed"]);
    expect((lines[0]?.moved.runs ?? 0) + rest.moved.runs).toBe(28);
  });

  it("ends where a stop file appears, with a line in the history, as cancelled", async () => {
    const area = newArea({ runs: 30 });
    const held = await startHeldReduce(area);
    writeFile(join(area.directory, ".mtjobs/pause"), "");
    const since = performance.now();
    await waitFor("the next look for a stop file to be due", () => performance.now() - since > 1100);
    held.child.kill("SIGCONT");
    const finished = await held.finished;
    expect([finished.code, errorCodeOf(finished)]).toEqual([3, "paused"]);
    const { error } = documentOf(finished) as { error: { details: { runs: number } } };
    expect(historyOf(area)).toMatchObject([
      { state: "cancelled", moved: { runs: error.details.runs }, error: { code: "paused" } },
    ]);
  });

  it("stops at Ctrl-C with 130, also while it waits for a busy cache, and the same command goes on", async () => {
    const area = newArea({ runs: 30 });
    const before = unionOfRuns(filesOf(area));
    const held = await startHeldReduce(area);
    const client = new Database(area.cacheDb);
    client.exec("BEGIN IMMEDIATE");
    held.child.kill("SIGINT");
    held.child.kill("SIGCONT");
    const finished = await held.finished;
    client.exec("ROLLBACK");
    client.close();
    expect([finished.code, errorCodeOf(finished)]).toEqual([130, "interrupted"]);
    expect(historyOf(area)).toMatchObject([
      { state: "cancelled", moved: { runs: 0 }, error: { code: "cancelled" } },
    ]);
    assertNothingLost(before, unionOfRuns(filesOf(area)), { unfinished: true });
    const doctor = await runCommand(["doctor", area.directory], { env: environment(area) });
    expect(doctor.stdout).toMatch(/half-moved +a job was interrupted, the next job finishes it: \d+ runs /);
    expect(doctor.stdout).not.toContain("died");
    const rest = documentOf(await reduceInline(area, ["--runname", "%", "--json"]));
    assertNothingLost(before, unionOfRuns(filesOf(area)));
    expect(rest.moved).toMatchObject({ runs: 28 });
  });

  it("refuses with 3 what another job holds, naming the holder, and lets that one finish", async () => {
    const area = newArea();
    const before = unionOfRuns(filesOf(area));
    const held = await startHeldReduce(area);
    const refused = await reduceInline(area, ["--runname", "%", "--json"]);
    expect([refused.code, errorCodeOf(refused)]).toEqual([3, "locked"]);
    const { details } = documentOf(refused).error as { details: { holder: string } };
    expect(details.holder).toMatch(new RegExp(`^host-a/${held.child.pid}/`));
    held.child.kill("SIGCONT");
    const finished = await held.finished;
    expect([finished.code, documentOf(finished).state]).toEqual([0, "completed"]);
    assertNothingLost(before, unionOfRuns(filesOf(area)));
  });

  it("refuses with 3 on a host that is not the homehost, naming that one, and changes nothing", async () => {
    const area = newArea();
    const before = fingerprint(area);
    const finished = await reduceInline(area, ["--runname", "%", "--json"], {
      MTJOBS_HOST: "host-b",
      MTJOBS_ADDRESS: "10.0.0.9",
    });
    expect([finished.code, errorCodeOf(finished)]).toEqual([3, "not-home"]);
    expect(documentOf(finished).error).toMatchObject({
      hint: expect.stringMatching(
        /run the job on host-a: .* host-b \(10\.0\.0\.9\); .*MTJOBS_ADDRESS=host-a/,
      ),
      details: { homehost: "host-a" },
    });
    expect(fingerprint(area)).toEqual(before);
  });

  it("refuses with 3 an area outside the allowed roots, and changes nothing", async () => {
    const area = newArea();
    const before = fingerprint(area);
    const finished = await reduceInline(area, ["--runname", "%", "--json", "--areas", "/usr:/opt"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([3, "outside-roots"]);
    expect(fingerprint(area)).toEqual(before);
  });

  it("refuses with 2 to guess which runs are meant", async () => {
    const area = newArea();
    const before = fingerprint(area);
    const finished = await reduceInline(area, ["--json"]);
    expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
    expect(documentOf(finished).error).toMatchObject({ hint: "use --runname % to select every run" });
    expect(fingerprint(area)).toEqual(before);
  });
});

describe("status of an area after a reduce", () => {
  it("shows the files with their sizes, the area's id, that no job holds it, and the last job", () =>
    withRedis(async (_redis, prefix, url) => {
      const area = newArea();
      const { jobId, areaId } = documentOf(await reduceInline(area, ["--runname", "%", "--json"]));
      const env = environment(area, { MTJOBS_REDIS_URL: url, MTJOBS_PREFIX: prefix });
      const json = await runCommand(["status", area.directory, "--json"], { env });
      expect(json).toMatchObject({ code: 0, stderr: "" });
      expect(documentOf(json)).toMatchObject({
        area: area.directory,
        areaId,
        atHome: true,
        completedRuns: 10,
        lease: null,
        jobs: [],
        problems: [],
        history: [{ jobId, job: "reduce", state: "completed", moved: { runs: 10 } }],
      });
      const plain = await runCommand(["status", area.directory], { env });
      expect(plain.stdout).toContain(`10 in completed-runs.db`);
      expect(plain.stdout).toMatch(
        new RegExp(`last jobs:\n {2}${String(jobId)} +completed .* 10 runs moved`),
      );
    }));

  it("counts neither hidden runs nor rows of mtjobs among the area's runs", () =>
    withRedis(async (_redis, prefix, url) => {
      const area = newArea({ unsynced: false });
      await reduceInline(area, ["--runname", "%", "--json"]);
      const env = environment(area, { MTJOBS_REDIS_URL: url, MTJOBS_PREFIX: prefix });
      const status = documentOf(await runCommand(["status", area.directory, "--json"], { env }));
      expect([status.runs, status.completedRuns]).toEqual([2, 10]);
    }));
});
