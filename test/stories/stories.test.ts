import { describe, expect, it } from "vitest";
import { record, variable } from "../support/area.ts";
import { Story } from "./story.ts";

/** `npm run stories -- --minutes 10 --seed 7`; a test run plays eight. */
const minutes = Number(variable("MTJOBS_STORIES_MINUTES"));
const seed = Number(variable("MTJOBS_STORIES_SEED")) || 1;
const few = 8;

describe("jobs that die, clients that report late and again, and clean-ups, in the order of a seed", () => {
  it("lose no value, double none and give none to another record", {
    timeout: minutes * 60_000 + 240_000,
  }, async () => {
    const until = performance.now() + minutes * 60_000;
    const counts = new Map<string, number>();
    let stories = 0;
    let problems: string[] = [];
    for (; problems.length === 0 && (stories < few || performance.now() < until); stories++) {
      const story = new Story(seed + stories);
      problems = await story.play();
      for (const [job, count] of story.jobs) counts.set(job, (counts.get(job) ?? 0) + count);
      if (problems.length === 0) story.remove();
      else console.error(`seed ${seed + stories}:\n${story.lines.join("\n")}`);
    }
    const jobs = Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (minutes > 0) record("stories", { seed, minutes, stories, jobs, violations: problems.length });
    expect(problems).toEqual([]);
    console.info(`seeds ${seed} to ${seed + stories - 1}: ${stories} stories, ${JSON.stringify(jobs)}`);
  });
});
