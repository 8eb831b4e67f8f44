import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../shared/area/area.ts";
import { readHistory } from "../../shared/area/history.ts";
import { JobsError } from "../../shared/errors.ts";
import { assertNothingLost, isCampaign, newArea } from "../support/area.ts";
import { type Reduced, runReduce, unionOf } from "../support/queue.ts";

const numRuns = isCampaign ? 500 : 25;

/** Pieces that mean something in one of the files, in no order that anybody would write. */
const pieces = [
  ..."[setup]\n,[server]\n,[fields]\n,[homehost]\n,[reduce-records]\n,[include other.config]\n,[".split(","),
  ..."homehost host-a\n,prefer host-a\n,area-name \n,old age=1d keep=2\n,#{getenv HOME},#{get setup x}".split(
    ",",
  ),
  ...'#{shell false}\n,#{,},\n,\r\n, ,\t,\\,\0,=,%,10.0.0.1,host-a,host-b,..,/,{,},",null,7'.split(","),
  '{"jobId":"x","state":"completed"}\n',
  '{"id":"9de47b1f-f881-4ad0-a568-2a0093d94e58","inode":"1"}',
];

/** Bytes, pieces, and what was there with some of it gone or overwritten. */
function spoilt(text: Buffer): fc.Arbitrary<Buffer> {
  return fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((chunks) => Buffer.from(chunks.join(""))),
    fc.tuple(fc.nat(text.length), fc.nat(20), fc.uint8Array({ maxLength: 10 })).map(([at, drop, added]) => {
      return Buffer.concat([text.subarray(0, at), added, text.subarray(at + drop)]);
    }),
  );
}

const files = ["megatest.config", ".homehost", ".mtjobs/area-id", ".mtjobs/history.jsonl"] as const;

/** Run 1 has moved. Without a cache: one that the config names otherwise would be another area's. */
async function areaWithHistory(): Promise<SampleArea> {
  const area = newArea({ runs: 3, testsPerRun: 2, inFlight: 0, withCache: false });
  await runReduce(area, { runname: undefined, runId: [1] });
  return area;
}

async function outlives(name: (typeof files)[number], bytes: Buffer): Promise<void> {
  const area = await areaWithHistory();
  const before = unionOf(area);
  writeFileSync(join(area.directory, name), bytes);
  const end = await runReduce(area, { runname: undefined, runId: [2] }).catch((error: unknown) => error);
  assertNothingLost(before, unionOf(area));
  if (end instanceof JobsError) {
    expect(end.code).not.toBe("internal");
    expect(end.message).toContain(area.directory);
    return;
  }
  const { result } = end as Reduced;
  // A history that lost a job's line has its figures counted by the next one.
  expect(result.state).toBe("completed");
  expect(result.runs.map(({ id }) => id)).toContain(2);
  const recorded = readHistory(openArea(area.directory), { limit: 10 }).map(({ jobId }) => jobId);
  expect(recorded).toContain(result.jobId);
}

describe("an area loses nothing, and a job moves its run or says why not, whatever somebody wrote", () => {
  it.each(files)("into its %s", { timeout: 600_000 }, async (name) => {
    const text = readFileSync(join((await areaWithHistory()).directory, name));
    await fc.assert(
      fc.asyncProperty(spoilt(text), (bytes) => outlives(name, bytes)),
      { numRuns },
    );
  });
});
