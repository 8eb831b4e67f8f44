import { expect, test } from "vitest";
import { AreaLocks } from "../../workers/locks/area-locks.ts";
import { areaLockKeys } from "../../workers/locks/lock-keys.ts";
import { canStartServer, onQueue, type QueueStage, withServer } from "../support/queue.ts";

const testWithServer = test.skipIf(!canStartServer);
const away = "redis://127.0.0.1:1";

async function refusal(stage: QueueStage, lockUrls: string): Promise<{ code: unknown; text: string }> {
  const worker = stage.spawn("hostA", { MTJOBS_LOCK_REDIS_URLS: lockUrls });
  const given = setTimeout(() => worker.child.kill("SIGKILL"), 20_000);
  const code = await worker.exited;
  clearTimeout(given);
  return { code, text: worker.stderr() };
}

test.each([
  ["last", (good: string, bad: string) => `${good},${bad}`],
  ["first", (good: string, bad: string) => `${bad},${good}`],
  ["after one that does not answer", (good: string, bad: string) => `${away},${bad},${good}`],
])("a worker leaves at once if the URL of a lock server is wrong, %s", (_where, urls) =>
  onQueue(async (stage) => {
    const { code, text } = await refusal(stage, urls(stage.url, "redis://:p/q@127.0.0.1:7951"));
    expect([code, text]).toEqual([2, expect.stringContaining('"bad-settings"')]);
  }),
);

testWithServer(
  "a worker refuses to start if a lock server refuses it, and names that server and the setting",
  () =>
    withServer(
      ["--requirepass", "secret"],
      (url) =>
        onQueue(async (stage) => {
          const { code, text } = await refusal(
            stage,
            `${stage.url},${url.replace("//", "//:wrong@")},${away}`,
          );
          expect([code, text]).toEqual([1, expect.stringContaining('"bad-redis"')]);
          expect(text).toContain(`${url.replace("//", "//:***@")} refuses access: WRONGPASS`);
          expect(text).toContain("MTJOBS_LOCK_REDIS_URLS");
        }),
      "secret",
    ),
);

test("a worker starts though a lock server does not answer, and says so", () =>
  onQueue(async (stage) => {
    const worker = await stage.worker("hostA", { MTJOBS_LOCK_REDIS_URLS: `${stage.url},${away}` });
    expect(worker.stderr()).toContain(`${away} is out of reach`);
    expect(worker.child.exitCode).toBeNull();
  }));

testWithServer("too few lock servers: the error names each that has no answer, and what Redis says", () =>
  withServer(
    ["--requirepass", "secret"],
    async (url) => {
      const wrong = url.replace("//", "//me:wrong@");
      const locks = new AreaLocks([wrong, away]);
      try {
        const keys = areaLockKeys("{x}", { realPath: "/a", areaId: "1" });
        const owner = { host: "hostA", pid: 1, jobId: "reduce-1", since: "2026-01-01T00:00:00.000Z" };
        await expect(locks.acquire(keys, owner)).rejects.toMatchObject({
          code: "redis-unreachable",
          message: expect.stringMatching(
            new RegExp(
              `^too few lock servers answer: ${url.replace("//", "//me:\\*\\*\\*@")} \\((WRONGPASS|NOAUTH)[^)]*\\), ${away} \\(.+\\)$`,
            ),
          ),
          hint: expect.stringContaining("MTJOBS_LOCK_REDIS_URLS"),
        });
      } finally {
        locks.close();
      }
    },
    "secret",
  ),
);
