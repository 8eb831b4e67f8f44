import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { readAreaId } from "../../../shared/area/area-id.ts";
import { newArea, temporaryDirectory } from "../../support/area.ts";
import { atRest, runPurge, runReduce } from "../../support/queue.ts";

it("a purge removes what dead jobs on the area left in the directory, and nothing of others", async () => {
  const area = newArea({ ...atRest, runs: 1 });
  await runReduce(area);
  const directory = temporaryDirectory();
  const id = readAreaId(openArea(area.directory))?.slice(0, 8);
  const left = [`.run-9-a-b-${id}.part`, `.run-9-a-b-${id}.part-journal`];
  const others = [".run-9-a-b-00000000.part", `.run-9-a-b-${id}.db`, "notes.part"];
  for (const name of [...left, ...others]) writeFileSync(join(directory, name), "");
  await runPurge(area, { export: directory });
  expect(
    readdirSync(directory)
      .filter((name) => !name.startsWith("run-"))
      .sort(),
  ).toEqual(others.sort());
});
