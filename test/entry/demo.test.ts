import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { temporaryDirectory, waitFor } from "../support/area.ts";
import { documentOf, runCommand, startCommand, withRedis } from "../support/queue.ts";

interface Report {
  area: string | null;
  before: { bytes: Record<string, number>; rows: Record<string, number> };
  after: {
    bytes: Record<string, number>;
    rows: Record<string, number>;
    completedRows: Record<string, number>;
  };
  result: { state: string; moved: Record<string, number>; warnings: string[] };
}

const tables = ["runs", "tests", "test_steps", "test_data"];

function count(file: string, table: string): unknown {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  } finally {
    db.close();
  }
}

describe("the demo", () => {
  it("moves old runs through a queue and a worker, keeps every record, and removes all it made", () =>
    withRedis(async (redis, _prefix, url) => {
      const temporary = temporaryDirectory();
      // As npm run demo calls it, with a Redis that goes away afterwards.
      const npm = { npm_command: "run-script", npm_lifecycle_event: "demo" };
      const finished = await runCommand(["demo"], {
        env: { MTJOBS_REDIS_URL: url, TMPDIR: temporary, ...npm },
      });
      expect({ code: finished.code, left: readdirSync(temporary) }).toEqual({ code: 0, left: [] });
      expect(finished.ms).toBeLessThan(60_000);
      expect(finished.stdout).toMatch(/^moved \d+ runs, [\d,]+ records, in /);
      expect(finished.stdout).not.toContain("warning:");
      expect(finished.stdout).toContain("  npm run demo -- --keep-area ");
      expect(finished.stdout).toContain("  npx mtjobs reduce --help ");
      expect(finished.stderr).toContain("reduce all runs older than 30 days");
      expect(await redis.keys("{mtjobs-demo-*")).toEqual([]);
    }));

  it("keeps the area where it is asked to, with every record in one place or the other and smaller files", () =>
    withRedis(async (_redis, _prefix, url) => {
      const temporary = temporaryDirectory();
      const finished = await runCommand(["demo", "--keep-area", "--json"], {
        env: { MTJOBS_REDIS_URL: url, TMPDIR: temporary },
      });
      expect(finished).toMatchObject({ code: 0, stderr: "" });
      const { area, before, after, result } = documentOf(finished) as unknown as Report;
      expect(result).toMatchObject({ state: "completed", warnings: [] });
      for (const table of tables) {
        const moved = after.completedRows[table] ?? 0;
        expect([table, moved]).toEqual([table, result.moved[table]]);
        // The row more is the one that guards ids.
        expect([table, (after.rows[table] ?? 0) + moved]).toEqual([table, (before.rows[table] ?? 0) + 1]);
        expect(count(join(area ?? "", "completed-runs.db"), table)).toBe(moved);
      }
      for (const file of ["megatest.db", "cache/megatest.db", "cache/megatest_ref.db"]) {
        expect(after.bytes[file]).toBeLessThan((before.bytes[file] ?? 0) / 2);
      }
    }));

  it("goes on with a kept area by the lines that it prints", () =>
    withRedis(async (_redis, _prefix, url) => {
      const temporary = temporaryDirectory();
      const env = { MTJOBS_REDIS_URL: url, TMPDIR: temporary };
      const { stdout } = await runCommand(["demo", "--keep-area"], { env });
      const line = (start: string) =>
        stdout.split("\n").find((each) => each.trimStart().startsWith(start)) ?? "";
      const own = Object.fromEntries(
        [...line("export").matchAll(/(MTJOBS_\w+)='?([^' ]+)'?/g)].map(([, name, value]) => [name, value]),
      );
      const words = line("mtjobs reduce").split("#")[0]?.trim().replaceAll("'", "").split(" ").slice(1) ?? [];
      expect(words).toContain("--dry-run");
      const next = await runCommand(words, { env: { ...own, MTJOBS_REDIS_URL: "redis://127.0.0.1:1" } });
      expect(next).toMatchObject({ code: 0 });
      expect(next.stdout).toMatch(/would move \d+ runs/);
      expect(existsSync(line("rm -r").split("'")[1] ?? "")).toBe(true);
    }));

  it("leaves nothing behind where it cannot begin, and says how to get a Redis", async () => {
    const temporary = temporaryDirectory();
    const finished = await runCommand(["demo", "--keep-area"], {
      env: { MTJOBS_REDIS_URL: "redis://127.0.0.1:1", TMPDIR: temporary },
    });
    expect([finished.code, finished.stdout, readdirSync(temporary)]).toEqual([4, "", []]);
    expect(finished.stderr).toContain("npm run demo");
  });

  it("takes everything down again on Ctrl-C", () =>
    withRedis(async (redis, _prefix, url) => {
      const temporary = temporaryDirectory();
      const demo = startCommand(["demo"], { env: { MTJOBS_REDIS_URL: url, TMPDIR: temporary } });
      await waitFor("the worker", () => demo.stderr().includes("starting a worker"), { state: demo.stderr });
      expect(readdirSync(temporary)).toHaveLength(1);
      demo.child.kill("SIGINT");
      const { code, stdout } = await demo.finished;
      expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
      expect(readdirSync(temporary)).toEqual([]);
      expect(await redis.keys("{mtjobs-demo-*")).toEqual([]);
    }));
});
