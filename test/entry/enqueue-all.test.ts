import { describe, expect, it } from "vitest";
import type { JobsError, MtJobs } from "../../entry/library.ts";
import { announce, onQueue, withLibrary } from "../support/queue.ts";

describe("asking for many jobs at once", () => {
  it("enqueues each job with its area's homehost, in the order requested, as a single request would", () =>
    onQueue(async (stage) => {
      const [one, two, here] = [
        stage.area("a1", "hostb"),
        stage.area("a2", "hostc"),
        stage.area("a3", "hosta"),
      ];
      await announce(stage, "hostb");
      await announce(stage, "hostc");
      await withLibrary(stage, async (mtjobs) => {
        const jobs = await mtjobs.enqueueAll([
          { job: "reduce", area: two, age: "30d" },
          { job: "restore", area: one, runId: [7] },
          { job: "reduce", area: here, runname: "%" },
          { job: "reduce", area: two, runId: [1] },
        ]);
        expect(jobs).toMatchObject([
          { job: "reduce", area: two, host: "hostc", duplicate: false, served: true },
          { job: "restore", area: one, host: "hostb", duplicate: false, served: true },
          { job: "reduce", area: here, host: "hosta", duplicate: false, served: false },
          { job: "reduce", area: two, host: "hostc", duplicate: false, served: true },
        ]);
        const alone = await mtjobs.reduce(two, { age: "31d" });
        const optionsOf = async (id: string) => {
          const { opts } = (await stage.queue("hostc").getJob(id)) ?? {};
          const { jobId: _id, deduplication: _work, ...rest } = opts ?? {};
          return rest;
        };
        const [first] = jobs;
        expect(await optionsOf(first?.jobId ?? "")).toEqual(await optionsOf(alone.jobId));
        expect((await mtjobs.job(first?.jobId ?? "")).data).toMatchObject({ age: 30 * 86_400_000 });
      });
    }));

  it("adds nothing twice, neither what it is asked for twice nor what waits already", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await withLibrary(stage, async (mtjobs) => {
        const waiting = await mtjobs.reduce(area, { runId: [1] });
        const jobs = await mtjobs.enqueueAll(
          [1, 2, 2].map((id) => ({ job: "reduce", area, runId: [id] }) as const),
        );
        expect(jobs.map(({ duplicate }) => duplicate)).toEqual([true, false, true]);
        expect(jobs.map(({ jobId }) => jobId)).toEqual([waiting.jobId, jobs[1]?.jobId, jobs[1]?.jobId]);
        expect(await stage.queue("hosta").getJobCounts("waiting")).toEqual({ waiting: 2 });
      });
    }));

  it("adds nothing if one of them is refused", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const sound = { job: "reduce", area, runname: "%" } as const;
      const refusal = (mtjobs: MtJobs, other: object) =>
        mtjobs.enqueueAll([sound, other as typeof sound]).then(
          () => "none",
          ({ code, message }: JobsError) => `${code}: ${message}`,
        );
      await withLibrary(stage, async (mtjobs) => {
        expect(await refusal(mtjobs, { job: "reduce", area: `${area}-not` })).toMatch(/^usage: /);
        expect(await refusal(mtjobs, { ...sound, area: `${area}-not` })).toMatch(/^not-an-area: /);
        expect(await refusal(mtjobs, { ...sound, job: "migrate" })).toMatch(/^usage: .*"migrate"/);
        expect(await stage.queue("hosta").getJobCounts("waiting")).toEqual({ waiting: 0 });
      });
    }));
});
