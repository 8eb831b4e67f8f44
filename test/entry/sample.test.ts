import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeSamples } from "../../producers/demo/make-samples.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { temporaryDirectory, waitFor } from "../support/area.ts";
import { documentOf, errorCodeOf, onQueue, runCommand, startCommand } from "../support/queue.ts";

interface Made {
  directory: string;
  host: string;
  areas: { area: string; cache: string; runs: number; oldest: string; newest: string; policies: string[] }[];
}

/** A root for samples and caches, and the settings that name it. */
function stageOf(): { root: string; dir: string; env: Record<string, string> } {
  const root = temporaryDirectory();
  const env = {
    MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
    MTJOBS_HOST: "hosta",
    MTJOBS_CACHE_ROOT: join(root, "tmp"),
  };
  return { root, dir: join(root, "samples"), env };
}

const daysAgo = (time: string) => (Date.now() - Date.parse(time)) / 86_400_000;

/** The words of a printed line; no path in these tests has a blank. */
const wordsOf = (text: string, start: string) =>
  text
    .split("\n")
    .find((line) => line.trimStart().startsWith(start))
    ?.split("#")[0]
    ?.trim()
    .split(/ +/) ?? [];

describe("mtjobs sample", () => {
  it("makes areas in which the doctor finds nothing, with runs of several ages", async () => {
    const { dir, env } = stageOf();
    const finished = await runCommand(["sample", dir, "--json"], { env });
    expect([finished.code, finished.stderr]).toEqual([0, ""]);
    const { directory, host, areas } = documentOf(finished) as unknown as Made;
    expect([directory, host]).toEqual([dir, "hosta"]);
    expect(areas.map(({ area, policies }) => [area, policies])).toEqual([
      [join(dir, "nightly"), ["old"]],
      [join(dir, "release"), []],
      [join(dir, "fresh"), []],
    ]);
    expect(areas.map(({ oldest }) => Math.round(daysAgo(oldest)))).toEqual([119, 395, 5]);
    for (const { area, cache, runs } of areas) {
      const checked = await runCommand(["doctor", area, "--json"], { env });
      expect(documentOf(checked)).toMatchObject({ area, ok: true });
      const status = documentOf(await runCommand(["status", area, "--json"], { env }));
      expect(status).toMatchObject({ cache, atHome: true });
      const listed = documentOf(await runCommand(["list-runs", area, "--json"], { env }));
      expect(listed.runs).toHaveLength(runs);
    }
  });

  it("prints commands that work as they are written, the last of which leaves nothing", async () => {
    const { root, dir, env } = stageOf();
    const { MTJOBS_CACHE_ROOT, MTJOBS_REDIS_URL = "", ...rest } = env;
    const flags = ["--cache-root", MTJOBS_CACHE_ROOT ?? ""];
    const { code, stdout } = await runCommand(["sample", "samples", ...flags], { env: rest, cwd: root });
    expect(code).toBe(0);
    expect(wordsOf(stdout, "export")).toEqual(["export", `MTJOBS_CACHE_ROOT=${MTJOBS_CACHE_ROOT}`]);
    for (const [start, says] of [
      ["mtjobs status", /^area +.*release$/m],
      ["mtjobs reduce", /would move \d\d runs/],
      ["mtjobs list-runs", /^Run: /m],
    ] as const) {
      const [, ...words] = wordsOf(stdout, start);
      expect(await runCommand(words, { env })).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(says),
      });
    }
    const [roots, ...worker] = wordsOf(stdout, "MTJOBS_AREAS=");
    expect([roots, ...worker]).toEqual([`MTJOBS_AREAS=${dir}`, "mtjobs", "worker"]);
    const [, , ...removed] = wordsOf(stdout, "rm -r");
    expect(removed).toContain(dir);
    const files = readdirSync(root, { recursive: true, encoding: "utf8", withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    expect(files.filter((file) => !removed.some((path) => file.startsWith(`${path}/`)))).toEqual([]);
  });

  it("makes an area that a worker reduces automatically", () =>
    onQueue(async (stage) => {
      const dir = join(stage.root, "samples");
      const env = {
        ...{ MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" },
        ...{ MTJOBS_AREAS: stage.root, MTJOBS_CACHE_ROOT: join(stage.root, "tmp") },
      };
      expect((await runCommand(["sample", dir], { env })).stdout).toMatch(/^ {2}mtjobs worker /m);
      const worker = startCommand(["worker"], { env });
      try {
        const history = join(dir, "nightly", ".mtjobs", "history.jsonl");
        await waitFor(
          "the policy's reduce",
          () => existsSync(history) && readFileSync(history, "utf8") !== "",
          {
            deadline: 40_000,
            state: worker.stderr,
          },
        );
        expect(JSON.parse(readFileSync(history, "utf8").split("\n")[0] ?? "")).toMatchObject({
          job: "reduce",
          policy: "old",
          moved: { runs: expect.any(Number) },
        });
      } finally {
        worker.child.kill("SIGKILL");
        await worker.finished;
      }
    }));

  it("refuses what is no empty directory, and changes nothing", async () => {
    const { root, dir, env } = stageOf();
    mkdirSync(dir);
    writeFileSync(join(dir, "mine"), "");
    for (const [place, problem] of [
      [dir, "is not empty"],
      [join(dir, "mine"), "is not a directory"],
      ["", "is empty"],
    ] as const) {
      const finished = await runCommand(["sample", place, "--json"], { env });
      expect([finished.code, errorCodeOf(finished)]).toEqual([2, "usage"]);
      expect(finished.stdout).toContain(problem);
    }
    expect(await runCommand(["sample"], { env })).toMatchObject({ code: 2 });
    expect(readdirSync(root, { recursive: true })).toEqual(["samples", "samples/mine"]);
  });

  it("refuses a directory outside the roots, also through a link, and another user's name", async () => {
    const { root, dir, env } = stageOf();
    mkdirSync(join(root, "areas"));
    symlinkSync(root, join(root, "areas", "out"));
    const roots = ["--areas", join(root, "areas")];
    for (const place of [dir, join(root, "areas", "out", "samples")]) {
      const finished = await runCommand(["sample", place, ...roots, "--json"], { env });
      expect([finished.code, errorCodeOf(finished)]).toEqual([3, "outside-roots"]);
    }
    const other = await runCommand(["sample", dir, "--user", "someone", "--json"], { env });
    expect([other.code, errorCodeOf(other)]).toEqual([3, "not-owner"]);
    expect(readdirSync(root)).toEqual(["areas"]);
  });

  it("makes no cache through a link of another user, and overwrites none", async () => {
    const { root, dir, env } = stageOf();
    const user = userInfo().username;
    const elsewhere = join(root, "elsewhere");
    mkdirSync(elsewhere);
    mkdirSync(join(root, "tmp"));
    symlinkSync(elsewhere, join(root, "tmp", user));
    const linked = await runCommand(["sample", dir, "--json"], { env });
    expect([linked.code, errorCodeOf(linked)]).toEqual([3, "not-owner"]);
    expect([existsSync(dir), readdirSync(elsewhere)]).toEqual([false, []]);

    const fresh = stageOf();
    const { areas } = documentOf(await runCommand(["sample", fresh.dir, "--json"], fresh)) as unknown as Made;
    const again = await runCommand(["sample", join(fresh.root, "more"), "--json"], fresh);
    expect(again.code).toBe(0);
    rmSync(fresh.dir, { recursive: true });
    const left = await runCommand(["sample", fresh.dir, "--json"], fresh);
    expect([left.code, errorCodeOf(left), existsSync(fresh.dir)]).toEqual([2, "usage", false]);
    for (const { cache } of areas) expect(left.stdout).toContain(cache);
  });

  it("of two calls at once only one makes areas, and the other harms none of them", async () => {
    const { root, dir, env } = stageOf();
    const flags = { host: "hosta", cacheRoot: join(root, "tmp") };
    const options = {
      directory: dir,
      settings: resolveSettings({ flags }),
      signal: new AbortController().signal,
    };
    // Both have found no directory before one makes the first area.
    const [first, second] = await Promise.allSettled([makeSamples(options), makeSamples(options)]);
    expect(second).toMatchObject({
      reason: { code: "usage", message: `another mtjobs sample has begun to make ${join(dir, "nightly")}` },
    });
    expect(first).toMatchObject({ value: { directory: dir } });
    for (const name of ["nightly", "release", "fresh"]) {
      const checked = await runCommand(["doctor", join(dir, name), "--json"], { env });
      expect(documentOf(checked)).toMatchObject({ ok: true });
    }
  });

  it("removes all it has made on Ctrl-C", async () => {
    const { root, dir, env } = stageOf();
    mkdirSync(dir);
    // It is quick: a look every now and then could be too late.
    const watcher = watch(dir);
    const madeFirst = once(watcher, "change");
    const { child, finished } = startCommand(["sample", dir], { env });
    await madeFirst;
    child.kill("SIGINT");
    watcher.close();
    expect(await finished).toMatchObject({ code: 130, stdout: "" });
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect([readdirSync(dir), files]).toEqual([[], []]);
  });
});
