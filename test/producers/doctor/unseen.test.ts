import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Check } from "../../../producers/contract/area.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { checkOf, diagnoseArea, healthyArea, isRoot, leaveHotJournal } from "../../support/area.ts";
import { builtCommand, holdOpen } from "../../support/queue.ts";

const namespace = ["--pid", "--fork", "--mount-proc"];
const mayUnshare = isRoot && spawnSync("unshare", [...namespace, "true"]).status === 0;

/** What the doctor says in a process namespace of its own, as in a container. */
function diagnoseInside(area: SampleArea): { checks: Check[] } {
  const { stdout } = spawnSync(
    "unshare",
    [...namespace, process.execPath, builtCommand, "doctor", area.directory, "--json"],
    {
      encoding: "utf8",
      env: {
        PATH: process.env.PATH,
        MTJOBS_HOST: area.host,
        MTJOBS_USER: area.user,
        MTJOBS_CACHE_ROOT: area.cacheRoot,
      },
    },
  );
  return JSON.parse(stdout) as { checks: Check[] };
}

const named = ({ checks }: { checks: Check[] }, name: string) => checks.find((check) => check.name === name);

describe.runIf(mayUnshare)("the doctor in a container without the host's processes", () => {
  it("does not say who has the cache open, though a process outside has, and says what it could not see", async () => {
    const area = healthyArea();
    const pid = await holdOpen(area.cacheDb);
    expect(checkOf(await diagnoseArea(area), "caches").verdict).toContain(`open in process ${pid}`);
    const inside = named(diagnoseInside(area), "caches");
    expect(inside).toMatchObject({
      ok: null,
      verdict: expect.stringMatching(
        /cannot tell which processes have it open.*outside of it cannot be seen/,
      ),
      remedy: expect.stringContaining("--pid=host"),
      details: { caches: [{ openBy: "unknown" }] },
    });
  });

  it("does not take the writer of a hot journal for dead", async () => {
    const area = healthyArea();
    leaveHotJournal(area);
    expect(checkOf(await diagnoseArea(area), "journal/megatest.db").ok).toBe(false);
    expect(named(diagnoseInside(area), "journal/megatest.db")).toMatchObject({
      ok: null,
      verdict: expect.stringContaining("outside of it cannot be seen"),
    });
  });
});
