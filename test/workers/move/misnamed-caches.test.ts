import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { areaStatus } from "../../../producers/areas/status.ts";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { areaStatusText } from "../../../producers/format/status.ts";
import {
  addSecondCache,
  checkOf,
  diagnoseArea,
  fingerprint,
  isRoot,
  newArea,
  placeOf,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runRestore } from "../../support/queue.ts";

/** As if it had not been used for two days. */
function age(directory: string): void {
  const then = Date.now() / 1000 - 2 * 86_400;
  for (const name of readdirSync(directory)) utimesSync(join(directory, name), then, then);
}

/** Puts the cache below another name of the area; returns where it is. */
function renameCache(area: SampleArea, name: string | Buffer): Buffer {
  const databases = `${dirname(dirname(area.cacheDirectory))}/`;
  const to = Buffer.concat([Buffer.from(databases), Buffer.from(name)]);
  age(area.cacheDirectory);
  renameSync(dirname(area.cacheDirectory), to);
  return to;
}

/** Job, dry run and doctor refuse, say where the cache is, and change nothing. */
async function expectRefused(area: SampleArea, message: string): Promise<void> {
  const before = fingerprint(area.directory);
  const refusal = { code: "several-caches", exitCode: 3, message: expect.stringContaining(message) };
  await expect(runReduce(area)).rejects.toMatchObject(refusal);
  await expect(runReduce(area, { dryRun: true })).rejects.toMatchObject(refusal);
  await expect(runRestore(area)).rejects.toMatchObject(refusal);
  const check = checkOf(await diagnoseArea(area), "caches");
  expect(check).toMatchObject({ ok: false, verdict: expect.stringContaining(message) });
  expect(check.verdict).toMatch(/^the area has no cache in the expected directory, but has others: /);
  expect(check.remedy).toMatch(/^check which name Megatest gives the area /);
  expect((await areaStatus(area.directory, placeOf(area))).problems.join()).toContain(message);
  expect(fingerprint(area.directory)).toEqual(before);
}

const quiet = { runs: 4, testsPerRun: 2, inFlight: 0 };

describe("an area whose config names it with blanks at the end", () => {
  it("has its cache in a directory of that name, which is worked on", async () => {
    const area = newArea(quiet);
    const to = renameCache(area, "foo  ");
    appendFileSync(join(area.directory, "megatest.config"), "[setup]\narea-name foo  \n");
    const cacheDirectory = join(
      to.toString(),
      area.cacheDirectory.slice(dirname(area.cacheDirectory).length),
    );
    const cache = { cacheDirectory, cacheDb: join(cacheDirectory, "megatest.db") };
    const moved = { ...area, ...cache, refDb: join(cacheDirectory, "megatest_ref.db") };
    const status = await areaStatus(area.directory, placeOf(area));
    expect(areaStatusText(status, { jobs: [], automatic: [] })).toMatch(/^name +"foo {2}"$/m);
    expect((await reduceSafely(moved)).result.moved.runs).toBe(4);
  });
});

describe("an area without a cache by its name, at home here", () => {
  it("is refused where this user has one by another name, however old", async () => {
    const area = newArea({ ...quiet, unsynced: false });
    renameCache(area, "foo  ");
    await expectRefused(area, 'has the name "foo  ", not "a1"');
    appendFileSync(join(area.directory, "megatest.config"), "[setup]\narea-name foo\n");
    await expectRefused(area, 'has the name "foo  ", not "foo"');
  });

  it("is refused where the name is in another encoding", async () => {
    const area = newArea({ ...quiet, unsynced: false });
    const to = renameCache(area, Buffer.from("caf\xe9", "latin1"));
    await expectRefused(area, "has a name that is not UTF-8");
    rmSync(to, { recursive: true });
    expect((await runReduce(area)).result.moved.runs).toBe(4);
  });

  it.runIf(isRoot)("is refused where another user has one by another name", async () => {
    const area = newArea({ ...quiet, unsynced: false });
    age(addSecondCache(area, "root").cacheDirectory);
    rmSync(area.cacheDirectory, { recursive: true });
    const databases = join(area.cacheRoot, "root/megatest_localdb");
    renameSync(join(databases, "a1"), join(databases, "b2"));
    await expectRefused(area, 'has the name "b2"');
  });

  it("is worked on where the cache by that path holds nothing, or runs of a deleted area alone", async () => {
    const area = newArea({ ...quiet, unsynced: false });
    const left = buildArea({
      ...quiet,
      directory: join(dirname(area.directory), "b1"),
      seed: 2,
      days: 31,
      user: area.user,
      host: area.host,
      cacheRoot: area.cacheRoot,
    });
    rmSync(left.directory, { recursive: true });
    const databases = dirname(dirname(area.cacheDirectory));
    rmSync(dirname(area.cacheDirectory), { recursive: true });
    mkdirSync(join(databases, "old"));
    renameSync(left.cacheDirectory, join(databases, "old", area.directory.replaceAll("/", ".")));
    mkdirSync(join(databases, "empty", area.directory.replaceAll("/", ".")), { recursive: true });
    writeFileSync(join(databases, "empty", area.directory.replaceAll("/", "."), "megatest.db"), "");
    expect(checkOf(await diagnoseArea(area), "caches").ok).toBe(true);
    expect((await runReduce(area)).result.moved.runs).toBe(4);
  });

  it("is worked on beside one by another name if it has one by its own", async () => {
    const area = newArea({ ...quiet, unsynced: false });
    const other = area.cacheDirectory.replace("/a1/", "/b2/");
    cpSync(area.cacheDirectory, other, { recursive: true });
    age(other);
    expect((await reduceSafely(area)).result.moved.runs).toBe(4);
  });
});
