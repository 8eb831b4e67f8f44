import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OldestRuns } from "../../producers/areas/oldest-run.ts";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../shared/area/area.ts";
import { edit, newArea } from "../support/area.ts";

const day = 86_400_000;
/** The run `id` began so many days before this. */
const now = 1000 * day;
const begunAgo = { 1: 90, 2: 80, 3: 60, 4: 40, 5: 10 };

function build(): SampleArea {
  const area = newArea({ runs: 5, testsPerRun: 1, inFlight: 0, withCache: false, unsynced: false });
  edit(area, ["area"], (db) => {
    for (const [id, days] of Object.entries(begunAgo))
      db.prepare("UPDATE runs SET event_time = ?, runname = ?, state = 'x' WHERE id = ?").run(
        (now - days * day) / 1000,
        `w${id}`,
        id,
      );
    db.exec("UPDATE runs SET sysname = 's', fsname = 'f', datapath = 'd'");
    db.exec("UPDATE runs SET state = 'deleted' WHERE id = 1; UPDATE runs SET state = 'locked' WHERE id = 2");
  });
  return area;
}

/** Days since the oldest run began, with these lines in the config. */
function oldest(area: SampleArea, lines = "", runs = new OldestRuns()): number | null {
  if (lines !== "") appendFileSync(join(area.directory, "megatest.config"), `\n[reduce-records]\n${lines}\n`);
  const seconds = runs.of(openArea(area.directory), now);
  return seconds === null ? null : (now - seconds * 1000) / day;
}

test("the oldest run that could leave is that of all runs but hidden and locked ones, or the one that a line chooses", () => {
  expect(oldest(build())).toBe(60);
  expect(oldest(build(), "a age=30d")).toBe(60);
  expect(oldest(build(), "a age=30d; include-locked=yes")).toBe(80);
  expect(oldest(build(), "a runname=w4,w5")).toBe(40);
  expect(oldest(build(), "a target=s/f/%; keep=2")).toBe(60);
  expect(oldest(build(), "a keep=3")).toBeNull();
  expect(oldest(build(), "a age=70d\nb runname=w5")).toBe(10);
  expect(oldest(build(), "a target=other/%")).toBeNull();
});

test("a database that was read a moment ago is not read again, and one that cannot be read has no oldest run", () => {
  const area = build();
  const runs = new OldestRuns();
  expect(oldest(area, "", runs)).toBe(60);
  edit(area, ["area"], (db) => db.exec("UPDATE runs SET state = 'deleted' WHERE id = 3"));
  expect(oldest(area, "", runs)).toBe(60);
  const later = runs.of(openArea(area.directory), now + 6 * 60_000);
  expect(later).toBe((now - 40 * day) / 1000);
  edit(area, ["area"], (db) => db.exec("DROP TABLE runs"));
  expect(oldest(area)).toBeNull();
});
