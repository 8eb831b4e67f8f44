import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { migrateSchema } from "../../../shared/contract/migrate-payload.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import { checkSource } from "../../../workers/migrate/steps/check-source.ts";
import { checkTarget } from "../../../workers/migrate/steps/check-target.ts";
import { assertNothingLost, temporaryDirectory } from "../../support/area.ts";
import {
  addresses,
  buildForTwo,
  contextOn,
  homeOf,
  isClosed,
  migrateByHand,
  migrationRow,
  type Place,
  reconcileBoth,
  seenFromSide,
  unionAt,
} from "../../support/hosts.ts";

const secret = "not of this area";

/** Puts something in the place of a file or directory that no honest program puts there. */
const hostile = {
  "a FIFO": (path: string) => void spawnSync("mkfifo", [path]),
  "a huge file": (path: string) => {
    writeFileSync(path, "10.9.0.1\n");
    truncateSync(path, 64 * 2 ** 30);
  },
  "a binary file": (path: string) => writeFileSync(path, randomBytes(100_000)),
  "a link out of the area": (path: string) => {
    const outside = join(temporaryDirectory(), "outside");
    writeFileSync(outside, secret);
    symlinkSync(outside, path);
  },
} as const;
const kinds = Object.keys(hostile) as (keyof typeof hostile)[];

function replace(path: string, kind: keyof typeof hostile): void {
  rmSync(path, { force: true, recursive: true });
  mkdirSync(dirname(path), { recursive: true });
  hostile[kind](path);
}

/** Every look that comes before a migration holds anything. */
async function checksOf(place: Place): Promise<{ name: string; ok: boolean | null }[]> {
  const payload = migrateSchema.parse({ v: 1, area: place.area, to: "host-new", quietFor: 0, dryRun: true });
  const o = { ...place, jobId: "migrate-1" };
  const first = await checkTarget(payload, contextOn("new", o));
  const asked = { migration: "migrate-1", toHost: "host-new", quietFor: 0, version: "0.1.0" };
  const step = { v: 1, area: place.area, requestedBy: "ann", step: "check", ...asked } as const;
  return [...first.checks, ...(await checkSource(step, contextOn("old", o))).checks];
}

/** What came of it: a refusal's code, or the checks against it. More than some seconds fail the test. */
async function refusedFor(place: Place): Promise<string[]> {
  try {
    return (await checksOf(place)).filter(({ ok }) => ok === false).map(({ name }) => name);
  } catch (error) {
    // As the job's thread does with what SQLite throws.
    const { code } = toJobsError(error);
    return code === "internal" ? [] : [code];
  }
}

const bounded = { timeout: 10_000 };

/**
 * A config may be shared by a link: it is read, as any other, and nothing in it is run. One that leads out of MTJOBS_AREAS
 * is refused wherever an area is opened.
 */
const places = kinds
  .flatMap((kind) => ["megatest.config", ".homehost", "the cache"].map((what) => ({ kind, what })))
  .filter(({ kind, what }) => kind !== "a link out of the area" || what !== "megatest.config");

describe.runIf(process.platform === "linux")("before a migration", () => {
  it.each(places)("$kind in the place of $what is refused soon", bounded, async ({ kind, what }) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    replace(what === "the cache" ? area.cacheDb : join(area.directory, what), kind);
    const refused = await refusedFor(place);
    expect(refused.length, refused.join()).toBeGreaterThan(0);
    expect(migrationRow(area)).toBeUndefined();
  });

  it.each(kinds)(
    "%s in the place of a server's log holds nothing up, nor of all logs",
    bounded,
    async (kind) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const log = join(area.directory, "logs", "server-99999999-host-old.log");
      replace(log, kind);
      const fresh = kind === "a huge file" || kind === "a binary file";
      expect(await refusedFor(place)).toEqual(fresh ? ["servers"] : []);
      replace(join(area.directory, "logs"), kind);
      expect(await refusedFor(place)).toEqual([]);
    },
  );

  it.each(kinds)("%s in the place of the new home's cache is refused soon", bounded, async (kind) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    replace(seenFromSide(area, place.root, "new").cacheDb, kind);
    expect((await refusedFor(place)).length).toBeGreaterThan(0);
  });
});

/** Lets a migration come to a step, replaces what it left in the area by then, and goes on. */
async function spoil(
  place: Place,
  step: FailpointName,
  name: string,
  kind: keyof typeof hostile,
): Promise<unknown> {
  const failpoint = (passed: FailpointName) => {
    if (passed !== step) return;
    const row = migrationRow({ megatestDb: join(place.area, "megatest.db") } as never);
    replace(join(place.area, ".mtjobs", "migration", String(row?.token), name), kind);
  };
  return await migrateByHand({ ...place, jobId: "migrate-1", failpoint }).catch((error: unknown) => error);
}

describe.runIf(process.platform === "linux")("in the middle of a migration", () => {
  it.each(kinds.flatMap((kind) => ["cache.db", "ref.db"].map((name) => ({ kind, name }))))(
    "$kind in the place of the snapshot's $name is not installed, and it is undone",
    { timeout: 20_000 },
    async ({ kind, name }) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const before = unionAt(area);
      expect(await spoil(place, "migration-closed", name, kind)).toBeInstanceOf(JobsError);
      await reconcileBoth({ ...place, jobId: "migrate-1" });
      expect([migrationRow(area)?.state, homeOf(area)]).toEqual(["undone", `${addresses.old}\n`]);
      expect([area.cacheDb, area.refDb].map(isClosed)).toEqual([false, false]);
      assertNothingLost(before, unionAt(area));
    },
  );

  it.each(kinds)(
    "%s in the place of what tells of the watch begins it anew",
    { timeout: 20_000 },
    async (kind) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const before = unionAt(area);
      await spoil(place, "pair-opened", "watched.json", kind);
      await reconcileBoth({ ...place, jobId: "migrate-1" });
      expect([migrationRow(area)?.state, homeOf(area)]).toEqual(["settled", `${addresses.new}\n`]);
      assertNothingLost(before, unionAt(seenFromSide(area, place.root, "new")));
    },
  );

  it(
    "a link in the place of the directory is refused, and nothing is written where it leads",
    bounded,
    async () => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const outside = temporaryDirectory();
      mkdirSync(join(area.directory, ".mtjobs"));
      symlinkSync(outside, join(area.directory, ".mtjobs", "migration"));
      await expect(migrateByHand({ ...place, jobId: "migrate-1" })).rejects.toMatchObject({
        code: "not-an-area",
      });
      expect(spawnSync("ls", ["-A", outside], { encoding: "utf8" }).stdout).toBe("");
      rmSync(join(area.directory, ".mtjobs", "migration"));
      await reconcileBoth({ ...place, jobId: "migrate-1" });
      expect([isClosed(area.cacheDb), homeOf(area)]).toEqual([false, `${addresses.old}\n`]);
    },
  );

  it("a .homehost that became a link is left as it is, and the migration undone", bounded, async () => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const file = join(area.directory, ".homehost");
    const aside = join(temporaryDirectory(), "aside");
    const between = (before: string) => {
      if (before !== "switch") return;
      renameSync(file, aside);
      symlinkSync(aside, file);
    };
    await expect(migrateByHand({ ...place, jobId: "migrate-1", between })).rejects.toBeInstanceOf(JobsError);
    expect(readFileSync(aside, "utf8")).toBe(`${addresses.old}\n`);
    await reconcileBoth({ ...place, jobId: "migrate-1" });
    expect([migrationRow(area)?.state, isClosed(area.cacheDb)]).toEqual(["undone", false]);
  });
});
