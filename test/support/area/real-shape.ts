import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { cacheDirectoryOf, writeReadyMarks } from "../../../producers/demo/sample-area/area-files.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import type { Trio } from "../megatest/copy-changes.ts";
import { settleTimes } from "./edit-area.ts";
import { temporaryDirectory } from "./temp-directory.ts";

/**
 * An area in the shape that a real Megatest 1.6506 left: its exact schema, triggers, columns and ids, and values of
 * the same kinds, all newly created. Three runs of three tests, one with two items, one of which fails: 1 is
 * locked, 4 has a status and a comment, 5 is removed at stage 3.
 */

/** After the runs; after a sync; after `-remove-runs` of run 5, not synced; after `-cleanup-db`. */
export type Stage = 1 | 2 | 3 | 4;

/** The rows of each database by stage; a stage without changes reuses a file. */
const files: Record<Stage, { cache: string; area: string }> = {
  1: { cache: "1-cache.sql", area: "1-area.sql" },
  2: { cache: "1-cache.sql", area: "2-area.sql" },
  3: { cache: "3-cache.sql", area: "2-area.sql" },
  4: { cache: "4-cache.sql", area: "4-area.sql" },
};

/** The last change in the files, seconds since 1970. */
const latest = 1_809_356_786;

/** Seconds since 1970; one time for all, so that areas of two stages can be compared. */
const now = Math.floor(Date.now() / 1000);

export type RealShape = SampleArea & Required<Pick<Trio, "syncsLastUpdate">>;

/** The area's location and owner; default: a temporary directory. */
export type RealPlace = Pick<SampleArea, "directory" | "cacheRoot" | "user" | "host">;

function ownPlace(): RealPlace {
  const root = temporaryDirectory();
  return { directory: join(root, "proj", "q1"), cacheRoot: join(root, "tmp"), user: "kim", host: "lab3" };
}

/** Builds the area; its last change was an hour ago. */
export function realShapeArea(stage: Stage, at: RealPlace = ownPlace()): RealShape {
  const place = { ...at, areaName: "q1", keys: ["PLATFORM", "BRANCH"] };
  const cacheDirectory = cacheDirectoryOf(place);
  mkdirSync(join(place.directory, "logs"), { recursive: true });
  mkdirSync(cacheDirectory, { recursive: true });
  writeFileSync(join(place.directory, ".homehost"), `${place.host}\n`);
  writeFileSync(join(place.directory, "megatest.config"), config);
  const area = {
    ...place,
    cacheDirectory,
    megatestDb: join(place.directory, "megatest.db"),
    cacheDb: join(cacheDirectory, "megatest.db"),
    refDb: join(cacheDirectory, "megatest_ref.db"),
    now,
    syncedAt: now - 3600,
    inFlight: [],
    syncsLastUpdate: true,
  };
  load(area.cacheDb, textOf(files[stage].cache, now));
  load(area.megatestDb, textOf(files[stage].area, now));
  // metadat's rows are identified by `var`: the ref has another id.
  load(area.refDb, textOf(files[stage].area, now).replace("metadat VALUES(2,", "metadat VALUES(1,"));
  writeReadyMarks(cacheDirectory);
  writeFileSync(join(place.directory, ".ready-megatest"), "database initialised\n");
  settleTimes(area);
  return area;
}

/** Returns that Megatest's output of `-list-runs %` on the cache at stage 2. */
export function realShapeListRuns({ now }: RealShape): string {
  return textOf("list-runs.txt", now);
}

function textOf(name: string, now: number): string {
  const text = readFileSync(new URL(`real-shape/${name}`, import.meta.url), "utf8");
  return text.replace(/\b18093\d{5}\b/g, (time) => String(Number(time) - latest + now - 3600));
}

/** The schema of every database; the clean-up before stage 4 added a trigger, which is in that stage's rows. */
const schema = readFileSync(new URL("real-shape/schema.sql", import.meta.url), "utf8");

function load(file: string, sql: string): void {
  const db = new Database(file);
  try {
    db.exec(`BEGIN; ${schema} ${sql} COMMIT`);
  } finally {
    db.close();
  }
}

const config = `[fields]
PLATFORM TEXT
BRANCH TEXT

[setup]
max_concurrent_jobs 12
linktree /proj/links/q1

[server]
timeout 0.02
numservers 1

[validvalues]
state start end completed

[jobtools]
useshell yes
launcher nbfake
maxload 80

[disks]
disk0 /proj/disk1/q1
`;
