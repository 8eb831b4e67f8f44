import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { asUser, fingerprint, isRoot, newArea, nobody } from "../support/area.ts";
import { builtCommand, documentOf, errorCodeOf, runCommand, runReduce } from "../support/queue.ts";

/** Whether another user may run the command from where it stands. */
function mayBeRunByOthers(): boolean {
  try {
    // By opening: what asks for rights alone goes by the user who started this process.
    for (const file of [builtCommand, process.execPath]) asUser(nobody, () => closeSync(openSync(file, "r")));
    return true;
  } catch {
    return false;
  }
}

/** An area that everybody may read, and its owner alone may write, with half of its runs moved. */
async function readableArea(): Promise<SampleArea> {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
  await runReduce(area, { runname: undefined, runId: [1, 2] });
  execFileSync("chmod", ["-R", "u=rwX,go=rX", dirname(dirname(area.directory))]);
  return area;
}

function asReader(area: SampleArea, args: readonly string[]) {
  return runCommand(args, {
    uid: nobody,
    gid: nobody,
    env: {
      MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
      MTJOBS_HOST: area.host,
      MTJOBS_USER: area.user,
      MTJOBS_CACHE_ROOT: area.cacheRoot,
    },
  });
}

const filesOf = (area: SampleArea) => fingerprint(area.directory, area.cacheRoot);

describe.runIf(isRoot && mayBeRunByOthers())("a user who may only read", () => {
  it.each([
    ["counts runs of both databases", ["query", "SELECT count(*) AS n FROM runs", "--full-db"], '"n": 4'],
    ["lists the runs that moved", ["list-runs", "--full-db"], '"where": "completed-runs.db"'],
    ["sees how the area stands", ["status"], '"homehost": "host-a"'],
  ])("%s, and changes nothing", async (_, [name = "", ...args], expected) => {
    const area = await readableArea();
    const before = filesOf(area);
    const finished = await asReader(area, [name, area.directory, ...args, "--json"]);
    expect(finished).toMatchObject({ code: 0 });
    expect(JSON.stringify(documentOf(finished), undefined, 1)).toContain(expected);
    expect(filesOf(area)).toEqual(before);
  });

  it.each([["reduce"], ["restore"]])(
    "is refused a %s, with the owner named, and changes nothing",
    async (job) => {
      const area = await readableArea();
      const before = filesOf(area);
      const finished = await asReader(area, [job, area.directory, "--runname", "%", "--inline", "--json"]);
      expect([finished.code, errorCodeOf(finished)]).toEqual([3, "not-owner"]);
      expect(finished.stdout).toContain("run mtjobs as root (user 0)");
      expect(filesOf(area)).toEqual(before);
    },
  );
});
