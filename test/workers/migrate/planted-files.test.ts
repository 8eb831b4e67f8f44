import {
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { baseFile, removeMigrationDirectory } from "../../../workers/migrate/state/migration-files.ts";
import { isRoot, nobody, plantJournal, readColumn, temporaryDirectory } from "../../support/area.ts";
import {
  buildForTwo,
  leaveAt,
  letLeaseRunOut,
  migrateByHand,
  migrationRow,
  type Place,
  reconcileBoth,
  seenFromSide,
  takeOverByHand,
} from "../../support/hosts.ts";
import { openToWrite } from "../../support/queue.ts";

/** A database like the area's that the planter may not read, with rows that are in no database of the area. */
function privateFile(area: SampleArea): string {
  const file = join(temporaryDirectory(), "private.db");
  copyFileSync(area.megatestDb, file);
  openToWrite(file, (db) =>
    db.exec("UPDATE runs SET runname = 'secret-' || id; UPDATE tests SET comment = 'secret'"),
  );
  return file;
}

/** Rows of the private file that came into databases of the area, or were kept aside there. */
function secretsAt({ megatestDb, cacheDb, directory }: SampleArea): number {
  const completed = join(directory, "completed-runs.db");
  const rows =
    "(SELECT count(*) FROM runs WHERE runname LIKE 'secret%') + (SELECT count(*) FROM tests WHERE comment = 'secret')";
  const kept = "SELECT count(*) FROM mtjobs_superseded WHERE row LIKE '%secret%'";
  const found = [megatestDb, cacheDb, completed]
    .filter((file) => existsSync(file))
    .flatMap((file) => readColumn(file, `SELECT ${rows}`));
  return [...found, ...readColumn(completed, kept)].map(Number).reduce((sum, count) => sum + count, 0);
}

const directoryOf = ({ area }: Place) =>
  join(
    area,
    ".mtjobs",
    "migration",
    String(migrationRow({ megatestDb: join(area, "megatest.db") } as never)?.token),
  );

const plants = {
  "a link to it": (secret: string, file: string) => symlinkSync(secret, file),
  "a second name of it": (secret: string, file: string) => linkSync(secret, file),
  "a copy that another user made": (secret: string, file: string) => {
    copyFileSync(secret, file);
    chownSync(file, nobody, nobody);
  },
} as const;
const ways = (Object.keys(plants) as (keyof typeof plants)[]).filter(
  (way) => isRoot || !way.startsWith("a copy"),
);

describe("a private file is not read into the area", () => {
  it.each(ways)("by %s in the place of a divergent cache", async (way) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const secret = privateFile(area);
    const before = readFileSync(secret);
    const between = (step: string) => {
      if (step === "watch") plants[way](secret, join(directoryOf(place), "stray-1.db"));
    };
    await migrateByHand({ ...place, jobId: "migrate-1", between }).catch(() => {});
    expect(secretsAt(seenFromSide(area, place.root, "new"))).toBe(0);
    expect(readFileSync(secret)).toEqual(before);
  });

  it.each(ways)("by %s in the place of a take-over's base", async (way) => {
    const { area, place } = buildForTwo(temporaryDirectory());
    const base = baseFile(openArea(area.directory), 1);
    mkdirSync(dirname(base), { recursive: true });
    plants[way](privateFile(area), base);
    const takeOver = takeOverByHand({ ...place, jobId: "migrate-1" });
    await expect(takeOver).rejects.toMatchObject({ code: "rolled-back" });
    expect(secretsAt(seenFromSide(area, place.root, "new"))).toBe(0);
  });

  it.each(ways)(
    "by %s in the place of the snapshot, which a home that lost its cache takes back",
    async (way) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      const secret = privateFile(area);
      await leaveAt("migration-switched", place);
      rmSync(seenFromSide(area, place.root, "new").cacheRoot, { recursive: true });
      const cache = join(directoryOf(place), "cache.db");
      renameSync(cache, `${cache}.aside`);
      plants[way](secret, cache);
      letLeaseRunOut(area);
      const migration = reconcileBoth({ ...place, jobId: "migrate-1" });
      await expect(migration).rejects.toMatchObject({ code: "not-owner" });
      expect(secretsAt(seenFromSide(area, place.root, "new"))).toBe(0);
    },
  );
});

it("a journal beside a divergent cache is not rolled back, and the file that it names stays", async () => {
  const { area, place } = buildForTwo(temporaryDirectory());
  const precious = join(temporaryDirectory(), "precious");
  writeFileSync(precious, "private");
  const between = (step: string) => {
    if (step !== "watch") return;
    const file = join(directoryOf(place), "stray-1.db");
    copyFileSync(area.megatestDb, file);
    plantJournal(file, precious);
  };
  await migrateByHand({ ...place, jobId: "migrate-1", between }).catch(() => {});
  expect(existsSync(precious)).toBe(true);
});

it("a link on the way to the directory of an ended migration is refused, and nothing behind it is removed", async () => {
  const { area, place } = buildForTwo(temporaryDirectory());
  await migrateByHand({ ...place, jobId: "migrate-1" });
  const opened = openArea(area.directory);
  const outside = temporaryDirectory();
  const precious = join(outside, "1", "precious");
  mkdirSync(dirname(precious));
  writeFileSync(precious, "private");
  const migrations = join(area.directory, ".mtjobs", "migration");
  renameSync(migrations, `${migrations}.aside`);
  symlinkSync(outside, migrations);
  expect(() => removeMigrationDirectory(opened, 1)).toThrow(/is not a directory/);
  expect(existsSync(precious)).toBe(true);
});
